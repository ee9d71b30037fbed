//! What happens on the node and on the chain moves fees.

use crate::acts::{cycle, last_decision, writes_to};
use crate::support::{DEADLINE, Stage, wait_until};
use lab::Flavour;
use lab::MarketSpec;
use lab::market::{ChannelSpec, Direction};
use rusqlite::Connection;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_congested_channel_costs_the_most_until_it_is_free() {
    for (flavour, direction) in [
        (Flavour::V23_05, Direction::Out),
        (Flavour::V24_11, Direction::In),
        (Flavour::V26_06, Direction::Out),
    ] {
        let stage = Stage::on(flavour).unhurried().start().await;
        let (rush_hour, calm) = (5, 150);
        cycle(&stage).await;
        assert_eq!(stage.fee(rush_hour), calm);
        // Nine of twelve slots are below the threshold of 80 %, ten above.
        stage.lab.with_node(|node| node.hold_htlcs(rush_hour, direction, 9, 1_000));
        cycle(&stage).await;
        assert_eq!(stage.fee(rush_hour), calm, "{flavour:?}");
        stage.lab.with_node(|node| node.hold_htlcs(rush_hour, direction, 1, 1_000));
        cycle(&stage).await;
        assert_eq!(stage.fee(rush_hour), 5_000, "{flavour:?}");
        let decision = last_decision(&stage, rush_hour).await;
        assert_eq!(decision["reason"], "congestion", "{decision}");
        assert!(decision["factors"]["congestion"].as_f64() > Some(1.0), "{decision}");
        let released = stage.lab.with_node(|node| node.release_htlcs(rush_hour));
        assert_eq!(released, 10);
        cycle(&stage).await;
        assert_eq!(stage.fee(rush_hour), calm, "{flavour:?}");
        stage.end().await;
    }
}

/// One balanced channel at 150 ppm, another to make a market of it.
fn calm_market() -> MarketSpec {
    let channels = vec![ChannelSpec::new("watched", 0).ppm(150), ChannelSpec::new("world", 1).ppm(150)];
    MarketSpec::new(channels, Vec::new())
}

/// The factors of the first decision that came to this fee, ppm.
fn factors_of(stage: &Stage, ppm: u32) -> Vec<(String, f64)> {
    let db = Connection::open(stage.db_path()).unwrap();
    let first = "SELECT factors FROM fee_decisions WHERE approved_ppm = ?1 ORDER BY cycle_id LIMIT 1";
    let text: String = db.query_row(first, [ppm], |row| row.get(0)).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feerate_spike_raises_the_floor_and_it_sinks_in_time() {
    // A cycle each minute, several times a second.
    let stage = Stage::on(Flavour::V26_06)
        .spec(calm_market())
        .rate(400.0)
        .option("fee-interval", 60)
        .option("min-fee-ppm", 100)
        .option("max-updates-per-day", 288)
        .start()
        .await;
    stage.lab.with_node(|node| node.set_feerate(4.0));
    let cycles = |count: u64| {
        let stage = &stage;
        async move {
            let enough = async || {
                let status = stage.status().await;
                if status["last_fee_cycle"]["id"].as_u64() >= Some(count) { Ok(()) } else { Err(status) }
            };
            wait_until(DEADLINE, enough).await;
        }
    };
    cycles(20).await;
    assert_eq!((stage.fee(0), writes_to(&stage, 0).len()), (150, 0), "no spike, no change");
    stage.lab.with_node(|node| node.set_feerate(40.0));
    let set = || -> Vec<u64> {
        writes_to(&stage, 0).iter().map(|params| params["feeppm"].as_u64().unwrap()).collect()
    };
    // Three times the larger of 100 ppm and what enforcing HTLCs costs at 40 sat/vB, 120 ppm; for a moment.
    wait_until(DEADLINE, async || if set().contains(&360) { Ok(()) } else { Err(json!(set())) }).await;
    stage.lab.with_node(|node| node.set_feerate(4.0));
    stage.until_fee(0, 150).await;
    let up = factors_of(&stage, 360);
    let vegas = up.iter().find(|(name, _)| name == "vegas").unwrap();
    assert!(vegas.1 > 2.5, "{up:?}");
    let fees = set();
    let down = &fees[fees.iter().position(|fee| *fee == 360).unwrap()..];
    assert!(down.len() > 2 && down.is_sorted_by(|one, next| one > next), "it sinks step by step: {fees:?}");
    assert_eq!(last_decision(&stage, 0).await["outcome"], json!("applied"));
    stage.end().await;
}
