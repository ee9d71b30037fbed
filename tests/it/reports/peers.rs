//! Reports on one peer and on the fleet, and the old commands that leave peers alone.

#![allow(clippy::unwrap_used)]

use crate::acts::{cycle, set_policy};
use crate::support::{DEADLINE, Stage, wait_until};
use lab::{Extra, Flavour};
use serde_json::{Value, json};

const HOUR_S: f64 = 3_600.0;

#[tokio::test(flavor = "multi_thread")]
async fn a_peers_channels_are_shown_each_and_together() {
    let stage = Stage::on(Flavour::V26_06).start().await;
    stage.lab.advance_by(12.0 * HOUR_S).unwrap();
    cycle(&stage).await;
    stage.until_forwards_are_stored().await;
    stage.success("revenue-analyze", json!({})).await;
    // The demo market has a peer with two channels.
    let (peer, own): (String, Vec<usize>) = stage.lab.with_node(|node| {
        let all = node.channels();
        let of = |peer: &str| (0..all.len()).filter(|n| all[*n].peer_id == peer).collect::<Vec<_>>();
        all.iter()
            .map(|channel| (channel.peer_id.clone(), of(&channel.peer_id)))
            .find(|(_, own)| own.len() == 2)
            .unwrap()
    });
    set_policy(&stage, own[0], &["static", "fee_ppm=300", "tags=whale"]).await;
    let report = stage.success("revenue-report", json!(["peer", peer.to_uppercase()])).await;
    assert_eq!((report["type"].as_str(), report["peer_id"].as_str()), (Some("peer"), Some(&*peer)));
    assert_eq!(report["policy"]["fee_ppm_target"], 300);
    assert_eq!(report["channel_count"], 2);
    let channels = report["channels"].as_array().unwrap();
    for field in ["total_revenue_msat", "total_costs_msat", "net_profit_msat", "forward_count"] {
        let each: i64 = channels.iter().map(|one| one["profitability"][field].as_i64().unwrap()).sum();
        assert_eq!(each, report["profitability"][field].as_i64().unwrap(), "{field}");
    }
    let names: Vec<&str> = channels.iter().map(|one| one["channel_id"].as_str().unwrap()).collect();
    for channel in own {
        assert!(names.contains(&&*stage.scid(channel)), "{names:?}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_has_an_empty_report() {
    let stage = Stage::on(Flavour::V26_06).start().await;
    let stranger = format!("02{}", "ab".repeat(32));
    let report = stage.success("revenue-report", json!({"report_type": "peer", "peer_id": stranger})).await;
    assert_eq!((&report["channels"], &report["profitability"]), (&json!([]), &json!(null)));
    assert_eq!(report["policy"]["strategy"], "dynamic");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_counted_and_the_fleet_is_listed() {
    let stage = Stage::on(Flavour::V26_06).start().await;
    set_policy(&stage, 1, &["hive"]).await;
    set_policy(&stage, 2, &["static", "fee_ppm=5", "tags=whale,shop"]).await;
    set_policy(&stage, 3, &["static", "rebalance=disabled", "fee_ppm=5", "tags=whale"]).await;
    let report = stage.success("revenue-report", json!(["policies"])).await;
    assert_eq!(report["total"], 3);
    assert_eq!(report["by_strategy"], json!({"hive": 1, "static": 2}));
    assert_eq!(report["by_rebalance_mode"], json!({"disabled": 1, "enabled": 2}));
    assert_eq!(report["by_tag"], json!({"shop": 1, "whale": 2}));
    let hive = stage.success("revenue-report", json!(["hive"])).await;
    assert_eq!((&hive["count"], &hive["peers"][0]["peer_id"]), (&json!(1), &json!(stage.peer(1))));
    let summary = stage.success("revenue-report", json!([])).await;
    assert_eq!(summary["policies"]["by_strategy"], report["by_strategy"]);
    stage.end().await;
}

/// What the played CLBoss leaves alone of a channel's peer.
async fn tags(stage: &Stage, channel: usize) -> Value {
    let status = stage.lab.call("clboss-status", json!({})).await.unwrap().unwrap();
    status["unmanaged"][stage.peer(channel)].clone()
}

async fn until_tags(stage: &Stage, channel: usize, wanted: Value) {
    let look = async || match tags(stage, channel).await {
        seen if seen == wanted => Ok(()),
        seen => Err(seen),
    };
    wait_until(DEADLINE, look).await;
}

async fn with_clboss() -> Stage {
    let stage = Stage::on(Flavour::V26_06).extras(&[Extra::Clboss]).start().await;
    stage.until_status(|status| status["companions"]["clboss"] == "present").await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ignored_peer_is_given_back_to_clboss_and_taken_again() {
    let stage = with_clboss().await;
    let peer = stage.peer(1);
    set_policy(&stage, 1, &["static", "fee_ppm=300"]).await;
    until_tags(&stage, 1, json!("lnfee")).await;

    let answer = stage.success("revenue-ignore", json!([peer, "too slow"])).await;
    assert_eq!(
        (&answer["status"], &answer["action"], &answer["reason"]),
        (&json!("success"), &json!("ignore"), &json!("too slow"))
    );
    assert!(answer["warning"].as_str().unwrap().starts_with("DEPRECATED"));
    until_tags(&stage, 1, json!(null)).await;
    let listed = stage.success("revenue-list-ignored", json!({})).await;
    assert_eq!((&listed["count"], &listed["ignored_peers"][0]["peer_id"]), (&json!(1), &json!(peer)));
    assert_eq!(listed["ignored_peers"][0]["reason"], "too slow");

    // Any text is a reason; a tag holds as much of it as it can.
    let why = stage.refusal("revenue-ignore", json!([peer, "expires_in_hours=24"])).await;
    assert!(
        why.contains("there is no parameter 'expires_in_hours'") && why.contains("nothing was changed"),
        "{why}"
    );
    let answer = stage.success("revenue-ignore", json!([peer, "zu, teuer=1"])).await;
    assert_eq!(answer["reason"], "zu, teuer=1");
    stage.success("revenue-policy", json!(["tag", peer, "alpha"])).await;
    let listed = stage.success("revenue-list-ignored", json!({})).await;
    assert_eq!(listed["ignored_peers"][0]["reason"], "zu  teuer 1");

    for message in ["is back to the default policy", "has no policy"] {
        let answer = stage.success("revenue-unignore", json!({"peer_id": peer})).await;
        assert!(answer["message"].as_str().unwrap().contains(message), "{answer}");
    }
    assert_eq!(stage.success("revenue-list-ignored", json!({})).await["count"], 0);
    until_tags(&stage, 1, json!("lnfee")).await;
    let refusal = stage.refusal("revenue-unignore", json!(["nobody"])).await;
    assert!(refusal.contains("nobody") && refusal.ends_with("nothing was changed"), "{refusal}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn remanage_takes_our_tags_away_and_leaves_the_others() {
    let stage = with_clboss().await;
    let peer = stage.peer(1);
    set_policy(&stage, 1, &["passive"]).await;
    // The cycle that this wakes tells CLBoss too.
    stage.until_fees_rest().await;
    let set = async |tags: &str| {
        stage.lab.call("clboss-unmanage", json!([peer, tags])).await.unwrap().unwrap();
    };
    set("lnfee,balance,open").await;
    let answer = stage.success("revenue-remanage", json!([peer])).await;
    assert_eq!(
        (&answer["status"], &answer["success"], &answer["tag"]),
        (&json!("success"), &json!(true), &json!("all"))
    );
    assert_eq!((tags(&stage, 1).await, answer.get("warning")), (json!("open"), None));
    set("lnfee,balance,open").await;
    assert_eq!(stage.success("revenue-remanage", json!([peer, "all"])).await["tag"], "all");
    assert_eq!(tags(&stage, 1).await, json!("open"));
    set("lnfee,open,close").await;
    stage.success("revenue-remanage", json!({"peer_id": peer, "tag": "open"})).await;
    assert!(!tags(&stage, 1).await.as_str().unwrap().contains("open"));
    let refusal = stage.refusal("revenue-remanage", json!([peer, "everything"])).await;
    assert!(refusal.contains("use lnfee, balance, open, close"), "{refusal}");

    // A peer whose fees we set will be taken again, and that is said.
    let answer = stage.success("revenue-remanage", json!([stage.peer(2)])).await;
    assert!(answer["warning"].as_str().unwrap().contains("strategy is dynamic"), "{answer}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn remanage_is_by_hand_and_does_nothing_in_a_dry_run() {
    let with = async |option: &str, value: bool| {
        let setup = Stage::on(Flavour::V26_06).unhurried().extras(&[Extra::Clboss]).option(option, value);
        let stage = setup.start().await;
        stage.until_status(|status| status["companions"]["clboss"] == "present").await;
        let tags = json!([stage.peer(1), "lnfee,open"]);
        stage.lab.call("clboss-unmanage", tags).await.unwrap().unwrap();
        stage
    };
    let stage = with("dry-run", true).await;
    let why = stage.refusal("revenue-remanage", json!([stage.peer(1)])).await;
    assert!(why.contains("runs dry") && why.ends_with("nothing was changed"), "{why}");
    assert_eq!(tags(&stage, 1).await, json!("lnfee, open"));
    stage.end().await;
    let stage = with("clboss-enabled", false).await;
    let answer = stage.success("revenue-remanage", json!([stage.peer(1)])).await;
    assert!(answer["message"].as_str().unwrap().contains("that was by hand"), "{answer}");
    assert_eq!(tags(&stage, 1).await, json!("open"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_clboss_is_what_it_said_last() {
    let stage = Stage::on(Flavour::V26_06).rate(600.0).extras(&[Extra::Clboss]).start().await;
    stage.until_status(|status| status["companions"]["clboss"] == "present").await;
    stage.lab.call("clboss-unmanage", json!([stage.peer(1), "open"])).await.unwrap().unwrap();
    let look = async || {
        let status = stage.success("revenue-clboss-status", json!({})).await;
        let peers = status["unmanaged_peers"].as_array().unwrap();
        let found = peers.iter().any(|row| {
            row["peer_id"] == stage.peer(1).as_str()
                && row["tags"].as_array().unwrap().contains(&json!("open"))
        });
        if found { Ok(status) } else { Err(status) }
    };
    let status = wait_until(DEADLINE, look).await;
    assert_eq!((&status["clboss_enabled"], &status["clboss_available"]), (&json!(true), &json!(true)));
    assert!(status["clboss_status"].is_object() && status["as_of"].is_u64(), "{status}");
    stage.end().await;

    let stage = Stage::on(Flavour::V26_06).start().await;
    let refusal = stage.refusal("revenue-remanage", json!([stage.peer(1)])).await;
    assert_eq!(refusal, "clboss is not available; nothing was changed");
    stage.end().await;
}
