//! What comes over, what counts, and that it happens once.

#![allow(clippy::unwrap_used)]

use super::python::{DAY, PythonDb, channels, files, node, number, old_default, part, start_s};
use crate::support::{Backstage, DEADLINE, Stage, fields, wait_until};
use rusqlite::params;
use serde_json::{Value, json};
use std::path::Path;

/// Days after the lab's start when the plugin comes.
const LATER: u64 = 5 * DAY;

/// The midnight so many days before the plugin comes.
fn midnight(days: u64) -> u64 {
    let now = start_s() + LATER;
    now - now % DAY - days * DAY
}

/// A node whose own record begins two days (forwards) and five days (payments) before the plugin comes.
async fn node_with_a_past() -> Backstage {
    let backstage = node(|setup| setup).await;
    assert!(backstage.lab.with_node(|node| node.rebalance(0, 1, 1_000_000, 1_234)));
    let now = (start_s() + LATER) as f64;
    backstage.lab.advance_to(now).unwrap();
    let first = midnight(2) as f64;
    backstage.lab.with_node(|node| node.inject_forwards(300, first, now - 3_600.0));
    backstage
}

fn days(python: &PythonDb, channels: &[(String, String)]) {
    let out = &channels[1].0;
    python.day(out, midnight(40), 500_000, 5_000, 2);
    python.day(out, midnight(30) + 7, 600_000, 7_000, 3);
    python.day("500x1x0", midnight(30), 10_000, 100, 1);
    // Two that the node knows, and two that make no sense.
    python.day(out, midnight(2), 900_000, 99_999, 9);
    python.day(&channels[2].0, midnight(1), 900_000, 88_888, 9);
    python.day("unknown", midnight(30), 900_000, 77_777, 9);
    python.put(
        "INSERT INTO daily_forwarding_stats VALUES (?1, ?2, 1, 1, -5, 1)",
        params![out, midnight(29) as i64],
    );
    let row = "INSERT INTO forwards (in_channel, out_channel, in_msat, out_msat, fee_msat, timestamp, resolved_time)
         VALUES (?1, ?2, 101000, 100000, 1000, ?3, ?3)";
    for at in [midnight(6) + 5, midnight(6) + 6, midnight(2) + 7] {
        python.put(row, params![channels[0].0, out, at as i64]);
    }
    let earlier = "UPDATE lifetime_aggregates SET pruned_revenue_msat = 50000, pruned_forward_count = 4, last_prune_timestamp = ?1";
    python.put(earlier, [midnight(60) as i64 + 9]);
}

/// Fees of the days that count, msat.
const OLD_FEES: i64 = 5_000 + 7_000 + 100 + 2_000 + 50_000;

fn costs(python: &PythonDb, channels: &[(String, String)]) {
    let stranger = format!("03{}", "77".repeat(32));
    let open = "INSERT INTO channel_costs VALUES (?1, ?2, ?3, 2000000, ?4)";
    let at = midnight(70) as i64;
    python.put(open, params![channels[0].0, channels[0].1, 332, at]);
    python.put(open, params![channels[1].0, channels[1].1, 0, at]);
    python.put(open, params!["500x1x0", stranger, 700, at]);
    // A former name of a spliced channel.
    python.put(open, params!["501x1x0", channels[2].1, 9_999, at]);
    python.put(open, params!["nonsense", stranger, 1, at]);
    python.put(
        "INSERT INTO channel_closure_costs VALUES ('600x1x0', ?1, 'mutual', 195, 12, 0, 207, NULL, NULL, ?2, 1)",
        params![stranger, at],
    );
    python.put(
        "INSERT INTO closed_channels VALUES ('600x1x0', ?1, 1000000, ?2, ?2, 'mutual', 400, 207, 55, 3, 9, -555, 10, NULL, 'zz', 'local')",
        params![stranger, at],
    );
    for _ in 0..2 {
        python.put(
            "INSERT INTO splice_costs VALUES (NULL, '500x1x0', ?1, 'splice_in', 5, 258, 1, 2, NULL, ?2)",
            params![stranger, at],
        );
    }
}

/// Costs of channels that nobody else knows, msat.
const FORGOTTEN: i64 = (700 + 195 + 12 + 400 + 2 * 258) * 1000;

fn rebalances(python: &PythonDb, channels: &[(String, String)]) {
    let attempt =
        "INSERT INTO rebalance_history (from_channel, to_channel, amount_sats, max_fee_sats, actual_fee_sats,
             expected_profit_sats, status, timestamp) VALUES (?1, ?2, 50000, 20, ?3, 1, ?4, ?5)";
    let cost = "INSERT INTO rebalance_costs VALUES (NULL, ?1, ?2, ?3, 40000, ?4)";
    let ((from, _), (to, peer)) = (&channels[0], &channels[1]);
    let own = start_s() as i64;
    for (fee, status, at) in [
        (Some(12), "success", own - 900_000),
        (Some(0), "success", own - 800_000),
        (Some(5), "failed", own - 700_000),
        (None, "failed", own - 600_000),
        (Some(50), "success", own + 1_000),
    ] {
        python.put(attempt, params![from, to, fee, status, at]);
    }
    python.put(cost, params![to, peer, 12, own - 899_000]);
    python.put(cost, params![to, peer, 3, own - 500_000]);
    python.put(cost, params![to, peer, 50, own + 2_000]);
}

fn wishes(python: &PythonDb, channels: &[(String, String)]) {
    let policy = "INSERT INTO peer_policies VALUES (?1, ?2, ?3, ?4, ?5, 1790000000, ?6, ?7, ?8)";
    let peers: Vec<&String> = channels.iter().map(|(_, peer)| peer).collect();
    let none = None::<f64>;
    python.put(
        policy,
        params![peers[0], "static", "source_only", 150, r#"["whale","a=b",""]"#, 3.0, 0.5, None::<i64>],
    );
    python.put(
        policy,
        params![
            peers[0].to_uppercase(),
            "hive",
            "enabled",
            None::<i64>,
            "[]",
            none,
            none,
            Some(1_800_000_000)
        ],
    );
    python.put("UPDATE peer_policies SET updated_at = 1780000000 WHERE strategy = 'hive'", []);
    python.put(policy, params![peers[1], "passive", "disabled", None::<i64>, "no list", none, none, Some(5)]);
    python.put(
        policy,
        params!["not a peer", "passive", "disabled", None::<i64>, "[]", none, none, None::<i64>],
    );
    python.put("INSERT INTO ignored_peers VALUES (?1, 'slow', 1790000001)", [peers[2]]);
    python.put("INSERT INTO ignored_peers VALUES (?1, NULL, 1790000001)", [peers[0]]);
    for (key, value) in [
        ("min_fee_ppm", "25"),
        ("enable_kelly", "True"),
        ("fee_interval", "-5"),
        ("snapshot", "x"),
        ("dry_run", "true"),
    ] {
        python.setting(key, value);
    }
}

fn snapshots(python: &PythonDb) {
    let row = "INSERT INTO financial_snapshots VALUES (?1, 0, 0, ?2, 0, 123456, 77, 4)";
    for (at, onchain) in [
        (midnight(35) + 10, 1),
        (midnight(35) + 500, 1_000),
        (midnight(3) + 10, 2_000),
        (midnight(0) + 10, 3_000),
    ] {
        python.put(row, params![at as i64, onchain]);
    }
}

fn write_all(backstage: &Backstage, path: &Path) -> PythonDb {
    let (python, channels) = (PythonDb::of_node(backstage, path), channels(backstage));
    days(&python, &channels);
    costs(&python, &channels);
    rebalances(&python, &channels);
    wishes(&python, &channels);
    snapshots(&python);
    python
}

fn assert_counts(status: &Value) {
    for (name, wanted) in [
        ("policies", (1, 0, 3)),
        ("policy_fields", (0, 0, 1)),
        ("ignored_peers", (1, 0, 1)),
        ("config_overrides", (2, 0, 3)),
        ("closed_channels", (1, 0, 0)),
        ("closure_costs", (2, 0, 0)),
        ("splice_costs", (2, 0, 0)),
        ("rebalance_history", (5, 0, 0)),
        ("rebalance_costs", (3, 1, 0)),
        ("snapshots", (2, 0, 2)),
        // Two of the outgoing channel, one of a forgotten one, one day of rows on either side, one without a channel.
        ("days", (6, 2, 2)),
    ] {
        assert_eq!(part(status, name), wanted, "{name}: {}", status["imported"]["parts"][name]);
    }
    let (taken, known, skipped) = part(status, "open_costs");
    assert_eq!((taken + known, skipped), (4, 2), "{}", status["imported"]["parts"]["open_costs"]);
    let imported = &status["imported"];
    // Four channels of the node, and four names that the node does not list.
    assert_eq!((&imported["channels"], &imported["channels_ours"]), (&json!(7), &json!(4)));
    assert_eq!(imported["node_payments_since"], start_s());
    let reasons = imported["parts"]["config_overrides"]["reasons"].to_string();
    for part in [
        "fee_interval: '-5' is not allowed: use a whole number from 60",
        "snapshot: there is no such",
        "dry_run",
    ] {
        assert!(reasons.contains(part), "{reasons}");
    }
}

async fn assert_wishes(stage: &Stage) {
    let get = async |peer: usize| {
        stage.success("revenue-policy", json!(["get", stage.peer(peer)])).await["policy"].clone()
    };
    let first = get(0).await;
    assert_eq!((&first["strategy"], &first["rebalance_mode"]), (&json!("static"), &json!("source_only")));
    assert_eq!((&first["fee_ppm_target"], &first["tags"]), (&json!(150), &json!(["whale", "a b"])));
    assert_eq!((&first["fee_multiplier_min"], &first["fee_multiplier_max"]), (&json!(0.5), &json!(3.0)));
    assert_eq!(get(1).await["strategy"], "dynamic", "its time was over");
    let ignored = get(2).await;
    assert_eq!((&ignored["strategy"], &ignored["rebalance_mode"]), (&json!("passive"), &json!("disabled")));
    assert_eq!(ignored["tags"], json!(["ignored", "slow"]));
    for (key, wanted) in
        [("min_fee_ppm", json!(25)), ("enable_kelly", json!(true)), ("fee_interval", json!(1800))]
    {
        assert_eq!(stage.success("revenue-config", json!(["get", key])).await["value"], wanted, "{key}");
    }
}

/// A closed channel that the node has forgotten answers to its name, with what the file said of it.
async fn assert_forgotten_channel(stage: &Stage) {
    let one = stage.success("revenue-profitability", json!(["600x1x0"])).await;
    let stranger = format!("03{}", "77".repeat(32));
    assert_eq!(
        (&one["imported"], &one["peer_id"], &one["state"]),
        (&json!(true), &json!(stranger), &json!("closed"))
    );
    let found = &one["profitability"];
    let figures = ["total_revenue_msat", "total_costs_msat", "net_profit_msat", "forward_count"]
        .map(|name| found[name].clone());
    assert_eq!(figures, [55_000, 610_000, -555_000, 9].map(|figure| json!(figure)), "{one}");
    // The same fields as any channel's, null where the file tells nothing.
    let any = stage.success("revenue-profitability", json!([stage.scid(0)])).await;
    for part in ["profitability", "life"] {
        assert_eq!(fields(&one[part]), fields(&any[part]), "{part}");
    }
    assert_eq!((&one["names"], &found["idle_days"]), (&json!(["600x1x0"]), &json!(null)), "{one}");
    let out = &found["outbound_flow"];
    assert_eq!(
        (&out["payment_count"], &out["volume_msat"], &out["revenue_earned_msat"]),
        (&json!(9), &json!(null), &json!(55_000)),
        "{out}"
    );
    assert_eq!(found["costs"]["imported_msat"], found["total_costs_msat"]);
    assert_eq!((&found["volume_routed_msat"], &one["life"]["close_type"]), (&json!(null), &json!("mutual")));

    let peer = stage.success("revenue-report", json!(["peer", stranger])).await;
    assert_eq!((&peer["channel_count"], &peer["channels"][0]["channel_id"]), (&json!(1), &json!("600x1x0")));
    assert_eq!(peer["channels"][0]["imported"], true);
    let together = &peer["profitability"];
    assert_eq!((&together["net_profit_msat"], &together["imported_count"]), (&json!(-555_000), &json!(1)));
    for part in ["volume_routed_sats", "flow_profile", "inbound_outbound_ratio"] {
        assert_eq!(together[part], json!(null), "{part} of {together}");
    }
    let refusal = stage.call("revenue-profitability", json!(["601x1x0"])).await;
    assert!(refusal["error"].as_str().unwrap().contains("never was"), "{refusal}");
}

/// Every answer counts the forgotten channel among the closed ones, and says how many there are of its kind.
async fn assert_closed_are_counted_alike(stage: &Stage, summary: &Value) {
    assert_eq!((&summary["channel_count"], &summary["imported_count"]), (&json!(1), &json!(1)), "{summary}");
    assert_eq!(
        (&summary["total_revenue_msat"], &summary["total_net_pnl_msat"], &summary["total_forwards"]),
        (&json!(55_000), &json!(-555_000), &json!(9)),
        "{summary}"
    );
    let report = stage.success("revenue-report", json!({})).await["channels"].clone();
    let ranking = stage.success("revenue-profitability", json!({})).await["other_channels"].clone();
    for told in [&report, &ranking] {
        assert_eq!((&told["closed"], &told["imported_count"]), (&json!(1), &json!(1)), "{told}");
    }
    let cleaned = stage.success("revenue-cleanup-closed", json!({})).await;
    assert_eq!(
        (&cleaned["closed_channels_kept"], &cleaned["imported_count"]),
        (&json!(1), &json!(1)),
        "{cleaned}"
    );
}

/// What the stopped plugin's books hold. `node_fees` is what the node itself says it earned, msat.
fn assert_books(db: &Path, node_fees: i64) {
    assert_eq!(number(db, "SELECT sum(earned_msat) FROM flow_totals"), node_fees + OLD_FEES);
    assert_eq!(number(db, "SELECT sum(earned_msat) FROM imported_days"), OLD_FEES);
    let known = "SELECT count(*) FROM flow_days f JOIN imported_days i USING (day_s, scid)
         WHERE f.earned_msat <> i.earned_msat OR f.out_count <> i.out_count OR f.in_msat <> i.in_msat";
    assert_eq!(number(db, known), 0, "nothing else is in those days");
    let forgotten = "SELECT sum(msat) FROM costs WHERE source = 'imported'
         AND channel_id NOT IN (SELECT channel_id FROM channels)";
    assert_eq!(number(db, forgotten), FORGOTTEN);
    let twice = "SELECT count(*) FROM (SELECT 1 FROM costs WHERE kind <> 'splice' GROUP BY channel_id, kind HAVING count(*) > 1)";
    assert_eq!(number(db, twice), 0);
    let imported = "SELECT sum(fee_msat) FROM rebalances WHERE payment_hash IN (SELECT payment_hash FROM imported_rebalances)";
    assert_eq!(number(db, imported), (12 + 5 + 3) * 1000);
    let at = |column: &str, days: u64| {
        let day = midnight(days);
        number(
            db,
            &format!("SELECT {column} FROM financial_snapshots WHERE day_s = {day} AND source = 'imported'"),
        )
    };
    assert_eq!((at("onchain_confirmed_msat", 35), at("onchain_confirmed_msat", 3)), (1_000_000, 2_000_000));
    assert_eq!(
        (at("channels_local_msat IS NULL", 35), at("channels_open", 35)),
        (1, 4),
        "zero was never true"
    );
    assert_eq!((at("revenue_msat", 35), at("revenue_msat", 3)), (55_000, OLD_FEES));
    assert_eq!((at("rebalance_cost_msat", 35), at("rebalance_cost_msat", 3)), (0, 20_000 + 1_234));
    assert_eq!(at("splice_cost_msat", 35), 516_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_over_once_and_the_file_stays_as_it_was() {
    let backstage = node_with_a_past().await;
    let path = old_default(&backstage);
    // The Python plugin's connection stays open: what it wrote last is in the log only.
    let python = write_all(&backstage, &path);
    let before = files(&python.path);
    assert!(before.iter().any(|(name, length, _)| name.ends_with("-wal") && *length > 0));
    let mut stage = backstage.start().await;
    stage.until_ready().await;
    let first = stage.status().await;
    assert_counts(&first);
    assert_wishes(&stage).await;
    let line = "took over the Python plugin's database";
    let logged = |stage: &Stage| stage.plugin.logs().iter().filter(|one| one.message.contains(line)).count();
    stage.until_logged(&[line]).await;
    assert_eq!(logged(&stage), 1);

    // A second start changes nothing, whatever the file says by now.
    stage.until_status(|status| status["jobs"]["forwards"]["runs"].as_u64() > Some(0)).await;
    stage.success("revenue-policy", json!(["delete", stage.peer(2)])).await;
    assert_eq!(files(&python.path), before);
    python.setting("max_fee_ppm", "77");
    stage.restart().await;
    assert_eq!(logged(&stage), 0);
    let second = stage.status().await;
    assert_eq!(second["imported"]["parts"], first["imported"]["parts"]);
    assert_eq!(second["imported"]["digest"], first["imported"]["digest"]);
    assert_eq!(stage.success("revenue-config", json!(["get", "max_fee_ppm"])).await["value"], 5000);
    let gone = stage.success("revenue-policy", json!(["get", stage.peer(2)])).await;
    assert_eq!(gone["policy"]["strategy"], "dynamic", "a policy that was deleted stays so");
    stage.until_status(|status| status["jobs"]["forwards"]["runs"].as_u64() > Some(0)).await;
    // The day's own snapshot makes the sums of the imported ones.
    let db = stage.db_path();
    let taken = "SELECT count(*) FROM financial_snapshots WHERE source = 'taken'";
    wait_until(
        DEADLINE,
        async || if number(&db, taken) == 1 { Ok(()) } else { Err(json!("no snapshot yet")) },
    )
    .await;
    let node_fees = stage.lab.with_node(|node| node.fees_collected_msat());
    let history = stage.success("revenue-history", json!({})).await;
    assert_eq!(history["lifetime_revenue_msat"], node_fees as i64 + OLD_FEES, "{history}");
    assert!(history["imported_costs_msat"].as_i64() >= Some(FORGOTTEN), "{history}");
    assert_forgotten_channel(&stage).await;
    assert_closed_are_counted_alike(&stage, &history["closed_channels_summary"]).await;
    stage.plugin.stop().await.unwrap();
    assert!(node_fees > 0);
    assert_books(&stage.db_path(), node_fees as i64);
    assert!(!stage.data_dir().join("importing.db").exists(), "the copy is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_an_early_version_comes_over_too() {
    let backstage = node(|setup| setup).await;
    let python = PythonDb::of_node(&backstage, &old_default(&backstage));
    let (peer, scid) = (&channels(&backstage)[1].1, &channels(&backstage)[1].0);
    python.put("INSERT INTO rebalance_history VALUES (NULL, '1x1x1', ?1, 5, 9, 7, 1, 1, 'success', 'normal', NULL, 1700000000)", [scid]);
    python.put("INSERT INTO ignored_peers VALUES (?1, NULL, 1790000001)", [peer]);
    python
        .conn
        .execute_batch(
            "ALTER TABLE channel_states DROP COLUMN confidence; ALTER TABLE rebalance_history DROP COLUMN rebalance_type;
             DROP TABLE peer_policies; DROP TABLE config_overrides; DROP TABLE financial_snapshots;
             DROP TABLE daily_forwarding_stats; DROP TABLE lifetime_aggregates; DROP TABLE closed_channels;
             DROP TABLE channel_closure_costs; DROP TABLE splice_costs; DROP TABLE rebalance_costs;
             DROP INDEX idx_forwards_unique; ALTER TABLE forwards DROP COLUMN resolved_time",
        )
        .unwrap();
    let stage = backstage.start().await;
    stage.until_ready().await;
    let status = stage.status().await;
    assert_eq!(part(&status, "ignored_peers"), (1, 0, 0));
    assert_eq!(part(&status, "rebalance_history"), (1, 0, 0));
    assert_eq!(part(&status, "rebalance_costs"), (1, 0, 0));
    let policy = stage.success("revenue-policy", json!(["get", stage.peer(1)])).await;
    assert_eq!(policy["policy"]["strategy"], "passive");
    stage.end().await;
}
