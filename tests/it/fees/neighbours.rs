//! Other programs that set fees, unannounced channels, and channels that change their name.

use crate::acts::{cycle, fee_debug, last_decision, set_policy, writes_to};
use crate::support::{DEADLINE, Stage, wait_until};
use lab::{Extra, Flavour};
use serde_json::{Value, json};

/// CLBoss's tags for a channel's peer.
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

#[tokio::test(flavor = "multi_thread")]
async fn clboss_leaves_our_fees_alone_and_keeps_its_other_tags() {
    let stage = Stage::on(Flavour::V26_06).unhurried().extras(&[Extra::Clboss]).start().await;
    let known = async || {
        let status = stage.status().await;
        if status["companions"]["clboss"] == "present" { Ok(()) } else { Err(status) }
    };
    wait_until(DEADLINE, known).await;
    let theirs = json!([stage.peer(1), "open,balance"]);
    stage.lab.call("clboss-unmanage", theirs).await.unwrap().unwrap();
    for (channel, fee) in [(1, "fee_ppm=300"), (3, "fee_ppm=301")] {
        set_policy(&stage, channel, &["static", fee]).await;
    }
    until_tags(&stage, 1, json!("balance, lnfee, open")).await;
    until_tags(&stage, 3, json!("lnfee")).await;
    stage.until_fee(1, 300).await;
    for channel in [1, 3] {
        set_policy(&stage, channel, &["passive"]).await;
    }
    until_tags(&stage, 1, json!("balance, open")).await;
    until_tags(&stage, 3, json!(null)).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clboss_is_not_asked_when_told_not_to_nor_in_a_dry_run() {
    for option in ["clboss-enabled", "dry-run"] {
        let value = option == "dry-run";
        let stage = Stage::on(Flavour::V26_06)
            .unhurried()
            .extras(&[Extra::Clboss])
            .option(option, value)
            .start()
            .await;
        set_policy(&stage, 1, &["static", "fee_ppm=300"]).await;
        cycle(&stage).await;
        assert_eq!((stage.count("clboss-unmanage"), stage.count("clboss-status")), (0, 0), "{option}");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unannounced_channels_fee_is_set_on_every_lightningd() {
    for flavour in Flavour::ALL {
        let stage = Stage::on(flavour).unhurried().start().await;
        let pocket_phone = 9;
        set_policy(&stage, pocket_phone, &["static", "fee_ppm=42"]).await;
        stage.until_fee(pocket_phone, 42).await;
        assert_eq!(writes_to(&stage, pocket_phone).len(), 1, "{flavour:?}");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_splice_changes_the_name_and_nothing_else() {
    let stage = Stage::on(Flavour::V26_06).unhurried().start().await;
    set_policy(&stage, 1, &["static", "fee_ppm=42"]).await;
    stage.until_fee(1, 42).await;
    let (old, before) = (stage.scid(1), last_decision(&stage, 1).await);
    let new = stage.lab.with_node(|node| node.splice(1, 1_000_000_000)).to_string();
    assert_ne!(old, new);
    let after = fee_debug(&stage, 1).await;
    assert_eq!((&after["channel_id"], &after["last_decision"]), (&json!(new), &before));
    set_policy(&stage, 1, &["static", "fee_ppm=43"]).await;
    stage.until_fee(1, 43).await;
    let written = writes_to(&stage, 1);
    assert_eq!(written.last().map(|params| &params["id"]), Some(&json!(new)), "{written:?}");
    let recorded = |status: &Value| status["recent_fee_changes"][0]["new_fee_ppm"] == 43;
    let status = stage.until_status(recorded).await;
    let change = &status["recent_fee_changes"][0];
    assert_eq!((&change["channel_id"], &change["old_fee_ppm"]), (&json!(new), &json!(42)), "{change}");
    stage.end().await;
}
