//! The capacity report of a node with one busy channel, one that stands still and one that liquidity
//! did not help, while transactions are cheap and while they are dear.

#![allow(clippy::unwrap_used)]

use crate::support::{DEADLINE, Stage, wait_until};
use lab::market::{ChannelSpec, DemandSpec};
use lab::{Flavour, MarketSpec};
use serde_json::{Value, json};

/// The channels, by their place on the node.
const LARGE: usize = 0;
const BUSY: usize = 1;
const IDLE: usize = 2;
const FILLED: usize = 3;

fn market() -> MarketSpec {
    let half = |name: &str, n: usize, sat: u64| ChannelSpec::new(name, n).size(sat, 0.5);
    let channels = vec![
        half("large", LARGE, 50_000_000),
        half("busy", BUSY, 5_000_000),
        half("idle", IDLE, 2_000_000),
        ChannelSpec { age_days: 60.0, ..half("filled", FILLED, 4_000_000) },
    ];
    MarketSpec::new(channels, Vec::<DemandSpec>::new())
}

/// 4,000,000 sat leave by the busy channel for 2,000 sat of fees, and two purchases of liquidity for
/// the filled one bring it nothing.
async fn lived() -> Stage {
    let setup = Stage::on(Flavour::V26_06).spec(market()).option("flow-window-days", "1");
    let backstage = setup.build().await;
    backstage.lab.with_node(|node| {
        node.set_feerate(10.0);
        for _ in 0..20 {
            node.set_balance_msat(LARGE, 25_000_000_000);
            node.set_balance_msat(BUSY, 4_000_000_000);
            assert!(node.forward(LARGE, BUSY, 200_000_000, 100_000));
        }
        for _ in 0..2 {
            assert!(node.rebalance(LARGE, FILLED, 10_000_000, 7_000));
        }
        node.set_balance_msat(FILLED, 2_000_000_000);
    });
    let stage = backstage.start().await;
    stage.until_ready().await;
    stage
}

/// The report once it says this of the mempool, with the whole history booked.
async fn report(stage: &Stage, mempool: &str) -> Value {
    wait_until(DEADLINE, async || {
        // The node is looked at again.
        stage.success("revenue-cleanup-closed", json!({})).await;
        let report = stage.success("revenue-capacity-report", json!({})).await;
        let said = report["mempool_recommendation"].as_str().unwrap().starts_with(mempool);
        let lists = ["winners", "losers"].map(|list| report[list].as_array().unwrap().len());
        // Which channels payments to ourselves took is learnt after the payments.
        let paired = report["losers"][0]["recent_purchases"] == 2;
        if said && paired && lists == [1, 2] { Ok(report) } else { Err(report) }
    })
    .await
}

/// What a close of 200 vbytes costs at the report's own feerate.
fn close_msat(report: &Value) -> u64 {
    (report["feerate_sat_per_vb"].as_f64().unwrap() * 200_000.0).round() as u64
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_winner_is_fed_by_a_loser_when_the_mempool_allows() {
    let stage = lived().await;
    let report_now = report(&stage, "PROCEED: ").await;
    let [busy, idle, filled] = [BUSY, IDLE, FILLED].map(|channel| stage.scid(channel));

    let winner = &report_now["winners"][0];
    assert_eq!((&winner["scid"], &winner["flow_ratio"]), (&json!(busy), &json!(1.0)));
    assert_eq!((&winner["earned_msat"], &winner["sourced_msat"]), (&json!(2_000_000), &json!(0)));
    // 4,000,000 sat in one day, of 5,000,000.
    assert_eq!((&winner["turnover"], &winner["marginal_roi"]), (&json!(0.8), &json!(100.0)));

    // The largest first.
    let losers = &report_now["losers"];
    for (loser, scid, action, reason, purchases) in [
        (&losers[0], &filled, "CLOSE", "STAGNANT (DEFIBRILLATOR FAILED)", 2),
        (&losers[1], &idle, "DEFIBRILLATE", "STAGNANT (NEEDS DEFIBRILLATOR)", 0),
    ] {
        assert_eq!((&loser["scid"], &loser["action"]), (&json!(scid), &json!(action)));
        assert_eq!((&loser["reason"], &loser["recent_purchases"]), (&json!(reason), &json!(purchases)));
        assert_eq!(loser["estimated_closure_cost_msat"], close_msat(&report_now), "{report_now}");
        assert_eq!(loser["closure_cost_basis"], "200 vbytes at the present feerate");
        assert_eq!((&loser["earned_msat"], &loser["turnover"]), (&json!(0), &json!(0.0)));
    }
    // Both purchases are among what the channel cost.
    assert!(losers[0]["costs_msat"].as_u64().unwrap() >= 14_000, "{report_now}");

    let words = texts(&report_now["recommendations"]);
    let [swap, revive] = words.as_slice() else { panic!("two recommendations: {words:?}") };
    assert!(swap.starts_with(&format!("Close {filled} and move its 2000000 sat to {busy} ")), "{swap}");
    assert!(
        swap.contains("turned over 80 % of its 5000000 sat a day in 1 days, 100 % of it outgoing"),
        "{swap}"
    );
    assert!(revive.starts_with(&format!("Try to sell what {idle} has before you close it: ")), "{revive}");

    stage.lab.with_node(|node| node.set_feerate(400.0));
    let dear = report(&stage, "HOLD: ").await;
    assert!(close_msat(&dear) > close_msat(&report_now));
    assert_eq!(dear["losers"][0]["estimated_closure_cost_msat"], close_msat(&dear), "{dear}");
    assert!(
        dear["mempool_recommendation"].as_str().unwrap().contains("wait until it is 100 or less"),
        "{dear}"
    );
    let words = texts(&dear["recommendations"]);
    assert!(words[0].starts_with("Once the feerate is 100 sat/vB or less (now "), "{words:?}");
    assert!(words[0].contains(&format!("close {filled} and move its 2000000 sat to {busy} ")), "{words:?}");
    // Nothing on the chain is needed to sell what is there.
    assert_eq!(words[1].split(':').next(), revive.split(':').next());
    stage.end().await;
}
