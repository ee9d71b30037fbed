//! A node in the state of the recorded ones: one channel opened by its peer, two by us, payments
//! from the first to the second.

use std::collections::BTreeSet;

use lab::market::{Acceptance, ChannelSpec, DemandSpec, Direction, MarketSpec};
use lab::node::{CloseKind, NodeConfig};
use lab::{Extra, Flavour, NodeState};
use serde_json::{Value, json};

const START: f64 = 1_798_761_600.0;

pub struct Stage {
    pub node: NodeState,
    zbase: String,
}

fn spec() -> MarketSpec {
    let channels = vec![
        ChannelSpec::new("payer", 0).size(2_000_000, 0.1).remote(1.0),
        ChannelSpec::new("shop", 1).size(2_000_000, 0.99),
        ChannelSpec::new("hub", 2).size(2_000_000, 0.5),
    ];
    let demand = DemandSpec::new(1, &[(0, 1.0)], 60.0, Acceptance::Capped { cap: 1e4 }).median_sat(2000.0);
    let mut spec = MarketSpec::new(channels, vec![demand]);
    spec.failure_rate = 0.0;
    spec
}

impl Stage {
    pub fn at_work(flavour: Flavour) -> Self {
        let mut config = NodeConfig::new(flavour, spec(), 5, START);
        config.extras = match flavour {
            Flavour::V23_05 => vec![Extra::Bookkeeper],
            _ => vec![Extra::Bookkeeper, Extra::Sling],
        };
        let mut node = NodeState::new(config);
        let mut at = START + 86_400.0;
        node.advance(at);
        while node.market().htlcs().next().is_some() {
            at += 1.0;
            node.advance(at);
        }
        if flavour == Flavour::V23_05 {
            node.hold_htlcs(1, Direction::Out, 1, 4_689_936);
        }
        if flavour == Flavour::V26_06 {
            // The recorded node had stored a value before it listed them.
            let params = json!({"key": ["revenue-ops", "y"], "string": "v"});
            node.call_now("datastore", &params).unwrap();
        }
        if flavour == Flavour::V24_11 {
            let params = json!({"key": ["askrene", "y"], "string": "v"});
            node.call_now("datastore", &params).unwrap();
        }
        let signed = node.call_now("signmessage", &json!({"message": "revenue-ops"})).unwrap();
        Self { zbase: signed["zbase"].as_str().unwrap().to_owned(), node }
    }

    pub fn rebalanced(mut self) -> Self {
        assert!(self.node.rebalance(1, 0, 50_000_000, 60_015));
        self
    }

    pub fn spliced(mut self) -> Self {
        self.node.splice(1, 500_000_000);
        self
    }

    pub fn closed(mut self) -> Self {
        self.node.close_channel(2, CloseKind::Mutual);
        self.node.close_channel(0, CloseKind::Local);
        self
    }

    pub fn resolved(mut self) -> Self {
        // The delay of our own commitment, and the blocks that a resolved channel is kept.
        self.node.mine(144 + 100);
        self
    }

    /// A recorded request with the names that things have here.
    pub fn translate(&self, method: &str, mut params: Value) -> Value {
        let channels = self.node.channels();
        let fields = params.as_object_mut().into_iter().flatten();
        for (name, value) in fields {
            let text = value.as_str().unwrap_or_default().to_owned();
            match (name.as_str(), text.as_str()) {
                (_, "103x1x0") => *value = json!(channels[0].scid.to_string()),
                (_, "109x1x0") => *value = json!(channels[1].scid.to_string()),
                (_, "127x1x0" | "127x1x1") => *value = json!(channels[2].scid.to_string()),
                ("zbase", _) => *value = json!(self.zbase),
                ("source" | "pubkey", _) => *value = json!(self.node.id),
                ("id", _) if method == "listnodes" => *value = json!(channels[2].peer_id),
                ("candidates", _) => *value = json!([channels[1].scid.to_string()]),
                _ => {}
            }
        }
        params
    }

    /// The notifications of an eventful life.
    pub fn eventful(flavour: Flavour) -> Vec<Value> {
        let mut node = Self::at_work(flavour).rebalanced().node;
        let peer = node.channels()[0].peer_id.clone();
        node.set_connected(&peer, false);
        node.set_connected(&peer, true);
        node.add_channel(ChannelSpec::new("newcomer", 9).size(1_000_000, 0.0).remote(0.0));
        node.add_channel(ChannelSpec::new("target", 10).size(1_000_000, 1.0));
        node.splice(1, 1_000_000);
        node.close_channel(2, CloseKind::Mutual);
        node.mine(101);
        let news = node.take_notifications();
        let topics: BTreeSet<&str> = news.iter().map(|news| news.topic).collect();
        assert!(topics.len() >= 8, "{topics:?}");
        news.into_iter().map(|news| json!({"method": news.topic, "params": news.params})).collect()
    }
}
