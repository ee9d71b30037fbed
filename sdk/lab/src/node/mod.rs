//! The state of a simulated lightningd, and its answers.
//!
//! Pure: no sockets and no clock of its own. [`NodeState::advance`] moves time on,
//! [`NodeState::call`] answers a method, and [`NodeState::take_notifications`] hands over what
//! plugins would be told meanwhile.

mod bkpr;
mod books;
mod chain;
mod channel;
mod channel_json;
mod closing;
mod configs;
mod control;
mod datastore;
mod extras;
mod fees;
mod flavour;
mod forwards;
mod gossip;
mod history;
mod htlcs;
mod life;
mod methods;
mod notify;
mod opening;
mod params;
mod paying;
mod payments;
mod recorded;
mod setchannel;
mod sling;
#[cfg(test)]
mod tests;
mod transactions;
mod truth;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use chain::SyncWarning;
pub use channel::{Channel, ChannelState, StateChange};
pub use closing::CloseKind;
pub(crate) use configs::wrapped as config_entry;
pub use extras::Extra;
pub use flavour::Flavour;
pub use history::Step;
pub use notify::Notification;
pub use opening::Opening;
pub use paying::{Part, Paying};
pub use recorded::Recorded;
pub use sling::{
    Fate, PaymentEnd, RouteCost, Routes, SatDirection, Sling, SlingOptions, SlingPayment, SlingTask,
    SlingVersion, TaskState,
};
pub use truth::TrueBooks;

use crate::ids;
use crate::keys::NodeKey;
use crate::market::{Forward, Market, MarketSpec, Micros, Status, micros, seconds};
use crate::rng::Rng;
use crate::rpc::{RpcError, RpcResult};
use books::Books;
use datastore::Datastore;
use extras::Extras;
use forwards::ForwardBook;
use params::Params;
use payments::Payments;

/// Seconds from one block to the next.
const BLOCK_S: f64 = 600.0;

/// How a node is set up.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The lightningd it pretends to be.
    pub flavour: Flavour,
    /// `regtest`, `testnet`, `signet` or `bitcoin`.
    pub network: String,
    /// The network directory that `getinfo` reports.
    pub lightning_dir: String,
    /// Its channels and the demand for them.
    pub spec: MarketSpec,
    /// Everything random follows from this.
    pub seed: u64,
    /// Simulated unix time at the start, seconds.
    pub start_unix_s: f64,
    /// Block height at the start.
    pub block_height: u32,
    /// Plugins that are there from the start.
    pub extras: Vec<Extra>,
}

impl NodeConfig {
    /// A node on regtest with bookkeeper and sling, at height 200,000.
    pub fn new(flavour: Flavour, spec: MarketSpec, seed: u64, start_unix_s: f64) -> Self {
        Self {
            flavour,
            network: "regtest".to_owned(),
            lightning_dir: "/home/operator/.lightning/regtest".to_owned(),
            spec,
            seed,
            start_unix_s,
            block_height: 200_000,
            extras: vec![Extra::Bookkeeper, Extra::Sling],
        }
    }
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The result or error.
    Now(RpcResult),
    /// `wait`: ask again when the node has changed.
    NotYet,
    /// No method of the node; a plugin may have it.
    NotMine,
}

/// The node: see the module's text.
#[derive(Debug)]
pub struct NodeState {
    /// The lightningd it pretends to be.
    pub flavour: Flavour,
    /// Its network.
    pub network: String,
    /// Its node id, 66 hex digits.
    pub id: String,
    /// The secret key of `id`, unless a recording is played.
    key: NodeKey,
    /// Its name in gossip.
    pub alias: String,
    lightning_dir: String,
    market: Market,
    channels: Vec<Channel>,
    forwards: ForwardBook,
    books: Books,
    payments: Payments,
    datastore: Datastore,
    extras: Extras,
    recorded: Option<Recorded>,
    sling: Sling,
    present: BTreeSet<Extra>,
    /// What the node says of its configuration, beyond the defaults: name to value.
    pub options: BTreeMap<String, Value>,
    sync_warning: Option<SyncWarning>,
    feerate: Option<Option<f64>>,
    block_height: u32,
    next_block: Micros,
    start: Micros,
    peers: BTreeMap<usize, String>,
    outbox: Vec<Notification>,
    rng: Rng,
}

impl NodeState {
    /// A node as configured, with the history of its channels' opening.
    pub fn new(config: NodeConfig) -> Self {
        let start = micros(config.start_unix_s);
        let mut rng = Rng::stream(config.seed, u64::MAX);
        let key = NodeKey::draw(&mut rng);
        let specs = config.spec.channels.clone();
        let mut node = Self {
            flavour: config.flavour,
            network: config.network,
            alias: "lab".to_owned(),
            lightning_dir: config.lightning_dir,
            market: Market::new(config.spec, config.seed, config.start_unix_s),
            channels: Vec::with_capacity(specs.len()),
            forwards: ForwardBook::new(config.seed),
            books: Books::new(&mut rng, start, config.block_height),
            payments: Payments::default(),
            datastore: Datastore::default(),
            extras: Extras::default(),
            sling: Sling::new(config.seed),
            recorded: None,
            present: BTreeSet::new(),
            options: BTreeMap::new(),
            sync_warning: None,
            feerate: None,
            block_height: config.block_height,
            next_block: start + micros(BLOCK_S),
            start,
            peers: BTreeMap::new(),
            outbox: Vec::new(),
            id: key.id(),
            key,
            rng,
        };
        for (index, spec) in specs.iter().enumerate() {
            node.open_past(index, spec);
        }
        config.extras.into_iter().for_each(|extra| node.set_extra(extra, true));
        node
    }

    /// Builds the node's side of a channel that the market already has.
    fn open_past(&mut self, index: usize, spec: &crate::market::ChannelSpec) {
        let channel = self.draft(index, spec);
        self.channels.push(channel);
        self.book_opening(&[index]);
    }

    fn peer(&mut self, number: usize) -> String {
        let rng = &mut self.rng;
        self.peers.entry(number).or_insert_with(|| ids::node_id(rng)).clone()
    }

    /// Moves on to `until_unix_s` (simulated unix time, seconds): forwards happen, blocks come.
    pub fn advance(&mut self, until_unix_s: f64) {
        self.pass(until_unix_s, Market::advance);
    }

    /// Moves on without new payments; those under way end.
    pub fn skip(&mut self, until_unix_s: f64) {
        self.pass(until_unix_s, Market::skip);
    }

    fn pass(&mut self, until_unix_s: f64, step: fn(&mut Market, f64) -> Vec<Forward>) {
        let until = micros(until_unix_s);
        loop {
            let sling = self.sling.next_due().map_or(Micros::MAX, |due| due.max(self.now()));
            let at = self.next_block.min(sling).min(until);
            for forward in step(&mut self.market, seconds(at)) {
                self.record(&forward);
            }
            if self.next_block <= at {
                self.next_block += micros(BLOCK_S);
                self.new_block();
            }
            if sling <= at {
                self.run_sling();
            }
            if at == until {
                return;
            }
        }
    }

    /// Simulated unix time, seconds.
    pub fn now_unix_s(&self) -> f64 {
        self.market.now_unix_s()
    }

    fn now(&self) -> Micros {
        micros(self.now_unix_s())
    }

    /// Writes a forward's beginning or end into the node's records and tells plugins.
    fn record(&mut self, forward: &Forward) {
        let names = (
            self.channels[forward.in_channel].forward_name(),
            self.channels[forward.out_channel].forward_name(),
        );
        let fresh = forward.status != Status::Settled && forward.status != Status::Failed;
        let position =
            if fresh { self.forwards.add(*forward, names) } else { self.forwards.resolve(*forward) };
        self.count(forward);
        let event = self.forwards.event_json(position, self.flavour);
        self.notify("forward_event", event);
        if forward.status == Status::Settled {
            self.routed_movements(position, forward);
        }
    }

    fn count(&mut self, forward: &Forward) {
        use crate::market::Direction::{In, Out};
        let sides = [(forward.in_channel, In, forward.in_msat), (forward.out_channel, Out, forward.out_msat)];
        for (index, direction, msat) in sides {
            let our_msat = self.market.channel(index).our_msat;
            let channel = &mut self.channels[index];
            let totals = channel.totals(direction);
            match forward.status {
                Status::Offered => {
                    totals.offered += 1;
                    totals.offered_msat += msat;
                }
                Status::Settled => {
                    totals.fulfilled += 1;
                    totals.fulfilled_msat += msat;
                    channel.note_balance(our_msat);
                }
                Status::Failed | Status::LocalFailed => {}
            }
        }
    }

    /// Answers a method of the node or of one of the plugins that are there.
    pub fn call(&mut self, method: &str, params: &Value) -> Answer {
        let ticket = self.ticket();
        self.call_again(ticket, method, params)
    }

    /// [`NodeState::call`] under the name of an earlier one that could not be answered yet.
    pub(crate) fn call_again(&mut self, ticket: u64, method: &str, params: &Value) -> Answer {
        if let Some(answer) = self.late_answer(ticket) {
            return Answer::Now(answer);
        }
        if self.sling_methods().any(|(name, _)| name == method) {
            return self.sling_call(ticket, method, params);
        }
        let Some(entry) = methods::find(method, self.flavour, &self.present) else {
            return Answer::NotMine;
        };
        if self.hides(entry.name) {
            return Answer::NotMine;
        }
        let parsed = match Params::parse(params, entry.params, self.flavour) {
            Ok(parsed) => parsed,
            Err(error) => return Answer::Now(Err(error)),
        };
        if entry.name == "wait" {
            return self.wait(&parsed);
        }
        if let Some(answer) = self.replayed(entry.name, &parsed) {
            return Answer::Now(answer);
        }
        Answer::Now((entry.run)(self, &parsed))
    }

    /// [`NodeState::call`] for those who can't wait and have no plugin.
    pub fn call_now(&mut self, method: &str, params: &Value) -> RpcResult {
        match self.call(method, params) {
            Answer::Now(result) => result,
            Answer::NotYet => Err(RpcError::new(-1, "nothing yet")),
            Answer::NotMine => Err(RpcError::unknown(method)),
        }
    }

    /// What plugins are to be told since the last call, in order.
    pub fn take_notifications(&mut self) -> Vec<Notification> {
        std::mem::take(&mut self.outbox)
    }
}
