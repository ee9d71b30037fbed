//! Forwards are stored once, whatever happens meanwhile, and the analysis says what they mean.

#![allow(clippy::unwrap_used)]

use crate::acts::{channel_id, cycle};
use crate::support::{DEADLINE, Stage, wait_until};
use lab::market::Status;
use lab::{Flavour, Lab, MarketSpec};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const HOUR_S: f64 = 3_600.0;

/// Rows, and msat in, out and earned, by status: local failures have no amounts but the one that came in.
type Sums = BTreeMap<u8, (i64, i64, i64, i64)>;

/// What the node itself has.
fn of_node(lab: &Lab) -> Sums {
    lab.with_node(|node| {
        let mut sums = Sums::new();
        for forward in node.forwards() {
            let (status, sent) = match forward.status {
                Status::Offered => (0, true),
                Status::LocalFailed => (1, false),
                Status::Failed => (2, true),
                Status::Settled => (3, true),
            };
            let sum = sums.entry(status).or_default();
            let (out, fee) = if sent { (forward.out_msat, forward.fee_msat()) } else { (0, 0) };
            *sum = (sum.0 + 1, sum.1 + forward.in_msat as i64, sum.2 + out as i64, sum.3 + fee as i64);
        }
        sums
    })
}

fn db(stage: &Stage) -> rusqlite::Connection {
    rusqlite::Connection::open(stage.db_path()).unwrap()
}

/// What the plugin has stored.
fn of_store(stage: &Stage) -> Sums {
    let db = db(stage);
    let mut select = db
        .prepare("SELECT status, count(*), sum(in_msat), sum(out_msat), sum(fee_msat) FROM forwards GROUP BY status")
        .unwrap();
    let rows =
        select.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))));
    rows.unwrap().map(Result::unwrap).collect()
}

/// Fees earned, from the sums that analyses use, msat.
fn earned(stage: &Stage) -> i64 {
    let sum = "SELECT coalesce(sum(earned_msat), 0) FROM flow_totals";
    db(stage).query_row(sum, [], |row| row.get(0)).unwrap()
}

/// Waits until store and node agree.
async fn until_equal(stage: &Stage, when: &str) {
    let look = async || {
        let (stored, listed) = (of_store(stage), of_node(&stage.lab));
        if stored == listed {
            Ok(())
        } else {
            Err(json!(format!("{when}: {stored:?} stored, {listed:?} on the node")))
        }
    };
    wait_until(DEADLINE, look).await;
    assert_eq!(earned(stage), stage.lab.with_node(|node| node.fees_collected_msat()) as i64, "{when}");
}

/// Writes past forwards into the node's records; nobody is told.
fn inject(lab: &Lab, count: usize) {
    let now = lab.now_unix_s();
    lab.with_node(|node| node.inject_forwards(count, now - 12.0 * HOUR_S, now - 60.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn forwards_of_real_nodes_are_stored_to_the_msat() {
    let runs = [(Flavour::V23_05, 11, 7_149), (Flavour::V24_11, 10, 8_598), (Flavour::V26_06, 33, 47_508)];
    for (flavour, rows, msat) in runs {
        let stage = Stage::on(flavour).recorded("after-close").start().await;
        wait_until(DEADLINE, async || {
            let stored: i64 = of_store(&stage).values().map(|sum| sum.0).sum();
            let seen = (stored, earned(&stage));
            if seen == (rows, msat) { Ok(()) } else { Err(json!(format!("{flavour:?}: {seen:?}"))) }
        })
        .await;
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_forward_is_stored_once_on_every_lightningd() {
    for flavour in Flavour::ALL {
        let mut stage = Stage::on(flavour).start().await;
        stage.lab.advance_by(6.0 * HOUR_S).unwrap();
        assert!(of_node(&stage.lab).contains_key(&3), "the market moves");
        until_equal(&stage, "told by notifications").await;

        // Down while payments go on, ended by the power cord, and more than a page to catch up with.
        stage.plugin.kill().await.unwrap();
        stage.lab.advance_by(2.0 * HOUR_S).unwrap();
        inject(&stage.lab, 5_500);
        stage.start_again().await;
        stage.lab.advance_by(HOUR_S).unwrap();
        cycle(&stage).await;
        until_equal(&stage, "after a kill").await;

        stage.restart().await;
        cycle(&stage).await;
        until_equal(&stage, "after a restart with nothing new").await;

        inject(&stage.lab, 50);
        stage.call("revenue-analyze", json!({})).await;
        until_equal(&stage, "found without being told").await;
        stage.end().await;
    }
}

/// What the node knows of a channel's settled flow: forwards that touch it, msat in, msat out.
fn settled(lab: &Lab, channel: usize) -> (u64, u64, u64) {
    lab.with_node(|node| {
        node.forwards().filter(|forward| forward.status == Status::Settled).fold((0, 0, 0), |sum, forward| {
            let (input, output) = (forward.in_channel == channel, forward.out_channel == channel);
            let msat = |is: bool, msat: u64| if is { msat } else { 0 };
            (
                sum.0 + u64::from(input) + u64::from(output),
                sum.1 + msat(input, forward.in_msat),
                sum.2 + msat(output, forward.out_msat),
            )
        })
    })
}

async fn analysis(stage: &Stage, params: Value) -> Value {
    let answer = stage.call("revenue-analyze", params).await;
    assert!(answer["analysis"].is_object(), "{answer}");
    answer["analysis"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_analysis_shows_what_the_node_knows_on_every_lightningd() {
    for flavour in Flavour::ALL {
        // The plugin starts after the history, so that its clock stands behind it.
        let mut stage = Stage::on(flavour).start().await;
        stage.lab.advance_by(30.0 * HOUR_S).unwrap();
        stage.restart().await;
        let least = json!({"id": stage.scid(1), "htlcmin": 4_000});
        stage.lab.call("setchannel", least).await.unwrap().unwrap();
        cycle(&stage).await;
        until_equal(&stage, "before the analysis").await;
        for channel in [0, 1, 9] {
            let shown = analysis(&stage, json!([stage.scid(channel)])).await;
            let (count, in_msat, out_msat) = settled(&stage.lab, channel);
            let (ours, capacity, fee) = stage.lab.with_node(|node| {
                (node.balance_msat(channel), node.market().channel(channel).capacity_msat, node.fee(channel))
            });
            let htlcs = stage.lab.with_node(|node| {
                let money = node.market().channel(channel);
                [lab::market::Direction::In, lab::market::Direction::Out]
                    .map(|way| money.htlc_count(way))
                    .iter()
                    .sum::<u32>()
            });
            for (field, value) in [
                ("channel_id", json!(stage.scid(channel))),
                ("full_channel_id", json!(channel_id(&stage, channel))),
                ("peer_id", json!(stage.peer(channel))),
                ("in_msat", json!(in_msat)),
                ("out_msat", json!(out_msat)),
                ("sats_in", json!(in_msat / 1000)),
                ("sats_out", json!(out_msat / 1000)),
                ("daily_volume", json!((in_msat + out_msat) / 7 / 1000)),
                ("analysis_window_days", json!(7)),
                ("forward_count", json!(count)),
                ("capacity", json!(capacity / 1000)),
                ("our_balance", json!(ours / 1000)),
                ("htlc_min", json!(fee.htlc_min_msat)),
                ("htlc_max", json!(fee.htlc_max_msat)),
                ("active_htlcs", json!(htlcs)),
                ("max_htlcs", json!(483)),
                ("is_congested", json!(false)),
            ] {
                assert_eq!(shown[field], value, "{flavour:?}, channel {channel}: {field} of {shown}");
            }
            assert!(["source", "sink", "balanced"].contains(&shown["state"].as_str().unwrap()), "{shown}");
            for (field, least, most) in [
                ("confidence", 0.1, 1.0),
                ("flow_ratio", -10.0, 10.0),
                ("velocity", -0.5, 0.5),
                ("flow_multiplier", 0.5, 2.0),
                ("ema_decay", 0.6, 0.9),
            ] {
                let value = shown[field].as_f64().unwrap();
                assert!((least..=most).contains(&value), "{field} of {shown}");
            }
            // Signed as liquidity leaves, where most of it goes one way.
            let (net, volume) = (out_msat as f64 - in_msat as f64, (out_msat + in_msat) as f64);
            let ratio = shown["flow_ratio"].as_f64().unwrap();
            assert!(net.abs() < volume / 2.0 || ratio * net > 0.0, "{shown}");
        }
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_answers_in_the_shapes_that_callers_know() {
    let stage = Stage::on(Flavour::V26_06).start().await;
    let all = stage.call("revenue-analyze", json!({})).await;
    assert_eq!((&all["status"], &all["count"]), (&json!("Flow analysis triggered"), &json!(13)));
    let by_name = stage.call("revenue-analyze", json!([stage.scid(1)])).await;
    assert_eq!(by_name["channel"], stage.scid(1));
    let by_id = analysis(&stage, json!({"channel_id": channel_id(&stage, 1)})).await;
    assert_eq!(by_id["full_channel_id"], by_name["analysis"]["full_channel_id"]);
    let why = stage.refusal("revenue-analyze", json!(["1x2x3"])).await;
    assert!(why.contains("1x2x3"), "{why}");
    // What was triggered ends up in the status.
    let status = async || {
        let status = stage.status().await;
        if status["channel_states"].as_array().unwrap().len() == 13 { Ok(status) } else { Err(status) }
    };
    let status = wait_until(DEADLINE, status).await;
    let row = &status["channel_states"][0];
    for field in
        ["channel_id", "peer_id", "state", "flow_ratio", "sats_in", "sats_out", "capacity", "updated_at"]
    {
        assert!(!row[field].is_null(), "{field} of {row}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_depleted_silent_channel_is_no_source() {
    let spec = MarketSpec::new(MarketSpec::demo().channels, Vec::new());
    let stage = Stage::on(Flavour::V26_06).spec(spec).start().await;
    let drained_dry = 4;
    stage.lab.with_node(|node| node.set_balance_msat(drained_dry, 0));
    stage.call("revenue-analyze", json!({})).await;
    let shown = analysis(&stage, json!([stage.scid(drained_dry)])).await;
    assert_eq!((&shown["state"], &shown["flow_ratio"]), (&json!("balanced"), &json!(0.0)), "{shown}");
    assert_eq!((&shown["confidence"], &shown["forward_count"]), (&json!(0.1), &json!(0)), "{shown}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flow_outlives_a_splice() {
    let mut stage = Stage::on(Flavour::V26_06).start().await;
    stage.lab.advance_by(12.0 * HOUR_S).unwrap();
    stage.restart().await;
    cycle(&stage).await;
    let before = analysis(&stage, json!([stage.scid(1)])).await;
    assert!(before["forward_count"].as_u64() > Some(0), "{before}");
    let old = stage.scid(1);
    stage.lab.with_node(|node| node.splice(1, 1_000_000_000));
    // The new name is known from the next look at the node on.
    cycle(&stage).await;
    stage.lab.advance_by(6.0 * HOUR_S).unwrap();
    until_equal(&stage, "after the splice").await;
    let after = analysis(&stage, json!([stage.scid(1)])).await;
    assert_ne!(after["channel_id"], old);
    assert_eq!(after["full_channel_id"], before["full_channel_id"]);
    let (count, in_msat, out_msat) = settled(&stage.lab, 1);
    let shown = (&after["forward_count"], &after["in_msat"], &after["out_msat"]);
    assert_eq!(shown, (&json!(count), &json!(in_msat), &json!(out_msat)), "under both names");
    assert!(after["forward_count"].as_u64() > before["forward_count"].as_u64());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_long_history_only_the_days_asked_for_are_kept_in_detail() {
    let backstage = Stage::on(Flavour::V26_06).channels(4).option("forwards-keep-days", 30).build().await;
    let now = backstage.lab.now_unix_s();
    backstage.lab.with_node(|node| node.inject_forwards(4_500, now - 200.0 * 24.0 * HOUR_S, now - 60.0));
    let mut stage = backstage.start().await;
    for when in ["at first", "after a kill"] {
        stage.until_ready().await;
        wait_until(DEADLINE, async || {
            let seen = (earned(&stage), stage.lab.with_node(|node| node.fees_collected_msat()) as i64);
            if seen.0 == seen.1 { Ok(()) } else { Err(json!(format!("{when}: {seen:?}"))) }
        })
        .await;
        let rows: i64 = of_store(&stage).values().map(|sum| sum.0).sum();
        assert!((30 * 22..31 * 23).contains(&rows), "{when}: {rows} rows of 30 days, 22.5 a day");
        stage.plugin.kill().await.unwrap();
        stage.start_again().await;
    }
    // What had changed before the first reading is not listed once more, as changes.
    let changes =
        |call: &lab::mischief::SeenCall| call.method == "listforwards" && call.params["index"] == "updated";
    let first = async || stage.lab.calls().into_iter().find(changes).ok_or_else(|| json!("no changes read"));
    let first = wait_until(DEADLINE, first).await;
    assert!(first.params["start"].as_u64() > Some(3_000), "{first:?}");
    stage.end().await;
}
