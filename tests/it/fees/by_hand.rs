//! `revenue-set-fee`.

use crate::acts::{channel_id, fixture, last_decision, refuse_writes, set_policy, take_writes, writes_to};
use crate::support::{Stage, is_at_rest};
use lab::{Fault, Flavour};
use serde_json::{Value, json};

const METHOD: &str = "revenue-set-fee";

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_has_the_recorded_shape_on_every_lightningd() {
    let recorded: Value = serde_json::from_str(&fixture("original-1.5.0/set-fee.json")).unwrap();
    for flavour in Flavour::ALL {
        let stage = Stage::on(flavour).unhurried().start().await;
        let (scid, old) = (stage.scid(1), stage.fee(1));
        let answer = stage.call(METHOD, json!([scid, 77])).await;
        for (name, value) in recorded.as_object().unwrap() {
            let expected = match name.as_str() {
                "channel" | "channel_id" => json!(scid),
                "old_fee_ppm" => json!(old),
                _ => value.clone(),
            };
            assert_eq!(answer[name], expected, "{flavour:?}: {name} of {answer}");
        }
        assert_eq!(stage.fee(1), 77);
        let decision = last_decision(&stage, 1).await;
        assert_eq!((&decision["outcome"], &decision["verdict"]), (&json!("applied"), &json!("approved")));
        let status = stage.status().await;
        let change = &status["recent_fee_changes"][0];
        assert_eq!((&change["manual"], &change["new_fee_ppm"]), (&json!(1), &json!(77)), "{change}");
        stage.success(METHOD, json!([scid, 78])).await;
        let next = &stage.status().await["recent_fee_changes"][0];
        assert_eq!(next["id"].as_u64(), Some(change["id"].as_u64().unwrap() + 1), "{change}, then {next}");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_has_many_names_and_a_number_many_spellings() {
    let stage = Stage::on(Flavour::V26_06).unhurried().start().await;
    let pocket_phone = 9;
    let alias = stage.lab.with_node(|node| node.channels()[pocket_phone].local_alias.to_string());
    for (channel, fee, params) in [
        (1, 81, json!([stage.scid(1), "81"])),
        (1, 82, json!([channel_id(&stage, 1), 82])),
        (1, 83, json!({"channel_id": channel_id(&stage, 1).to_uppercase(), "fee_ppm": "83"})),
        (1, 84, json!({"scid": stage.scid(1), "fee_ppm": 84, "force": "false"})),
        (1, 85, json!([stage.scid(1), "fee_ppm=85"])),
        (pocket_phone, 86, json!([alias, 86])),
        (pocket_phone, 87, json!([stage.scid(pocket_phone), 87])),
    ] {
        let answer = stage.call(METHOD, params.clone()).await;
        assert_eq!(answer["status"], "success", "{params}: {answer}");
        assert_eq!(stage.fee(channel), fee, "{params}");
    }
    let writes = stage.count("setchannel");
    let again = stage.call(METHOD, json!([stage.scid(1), 85])).await;
    assert_eq!((&again["status"], &again["outcome"]), (&json!("success"), &json!("unchanged")), "{again}");
    assert_eq!(stage.count("setchannel"), writes);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_bounds_only_force_goes() {
    let stage = Stage::on(Flavour::V26_06).unhurried().start().await;
    let (scid, before) = (stage.scid(1), stage.fee(1));
    let missing = "f".repeat(64);
    for (params, parts) in [
        (json!([scid, 9]), ["10 to 5000 ppm", "force=true"]),
        (json!([scid, 5_001]), ["10 to 5000 ppm", "force=true"]),
        (json!([scid, 0, false]), ["10 to 5000 ppm", "force=true"]),
        (json!([scid, -1]), ["fee_ppm: '-1'", "0 to 1000000"]),
        (json!([scid, 1_000_001, true]), ["fee_ppm: '1000001'", "0 to 1000000"]),
        (json!([scid, "many"]), ["fee_ppm: 'many'", "0 to 1000000"]),
        (json!(["1x2x3", 100]), ["1x2x3", "not one of this node's"]),
        (json!([missing, 100]), [missing.as_str(), "not one of this node's"]),
        (json!([stage.peer(1), 100]), ["channel_id", "short channel id"]),
        (json!([scid]), ["fee_ppm is missing", "fee_ppm"]),
    ] {
        let why = stage.refusal(METHOD, params.clone()).await;
        assert!(parts.iter().all(|part| why.contains(part)), "{params}: {why}");
        assert!(!why.contains('\n') && !why.trim_end_matches('.').contains(". "), "one sentence: {why}");
    }
    assert_eq!((stage.fee(1), writes_to(&stage, 1).len()), (before, 0));
    for (fee, force) in [(0, json!(true)), (9, json!("true")), (100_000, json!(1))] {
        let answer = stage.call(METHOD, json!([scid, fee, force])).await;
        assert_eq!(answer["status"], "success", "{answer}");
        assert_eq!(stage.fee(1), fee);
        assert!(answer["warning"].as_str().unwrap().contains("10 to 5000 ppm"), "{answer}");
    }
    let lasts = stage.success(METHOD, json!([scid, 300])).await;
    assert_eq!(lasts["warning"], json!(null), "{lasts}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peers_policy_bounds_a_fee_set_by_hand_too() {
    let stage = Stage::on(Flavour::V26_06).unhurried().start().await;
    set_policy(&stage, 1, &["dynamic", "fee_multiplier_max=0.1"]).await;
    let why = stage.refusal(METHOD, json!([stage.scid(1), 4000])).await;
    assert!(why.contains("10 to 500 ppm"), "{why}");
    stage.success(METHOD, json!([stage.scid(1), 400])).await;
    set_policy(&stage, 3, &["static", "fee_ppm=7"]).await;
    stage.until_fee(3, 7).await;
    let other = stage.success(METHOD, json!([stage.scid(3), 100])).await;
    assert!(other["warning"].as_str().unwrap().contains("'static' sets 7 ppm again"), "{other}");
    let own = stage.success(METHOD, json!([stage.scid(3), 7])).await;
    assert_eq!(own["warning"], json!(null), "{own}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_that_cannot_be_recorded_is_answered_as_it_went() {
    let stage = Stage::on(Flavour::V26_06).unhurried().start().await;
    refuse_writes(&stage, "INSERT ON fee_cycles");
    let answer = stage.call(METHOD, json!([stage.scid(1), 77])).await;
    assert_eq!((&answer["status"], stage.fee(1)), (&json!("success"), 77), "{answer}");
    let warning = answer["warning"].as_str().expect("it says so");
    assert!(warning.contains("could not be recorded") && warning.contains("out of ink"), "{warning}");
    let why = stage.refusal(METHOD, json!([stage.scid(1), 9])).await;
    assert!(why.contains("10 to 5000 ppm") && why.contains("nothing was changed"), "{why}");
    take_writes(&stage);
    let answer = stage.call(METHOD, json!([stage.scid(1), 78])).await;
    assert_eq!((&answer["outcome"], answer.get("warning")), (&json!("applied"), None), "{answer}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_channel_is_refused_and_another_users_error_told() {
    let stage = Stage::on(Flavour::V26_06).unhurried().start().await;
    let scid = stage.scid(1);
    stage.lab.with_node(|node| node.close_channel(1, lab::node::CloseKind::Mutual));
    let why = stage.refusal(METHOD, json!([scid, 100])).await;
    assert!(why.contains("ONCHAIN") && why.contains("nothing was changed"), "{why}");
    let fault = Fault::Error { code: -32602, message: "the node is in a bad mood".to_owned() };
    stage.lab.with_mischief(|mischief| mischief.add("setchannel", fault, None));
    let why = stage.refusal(METHOD, json!([stage.scid(3), 100])).await;
    assert!(why.contains("the node is in a bad mood"), "{why}");
    let decision = last_decision(&stage, 3).await;
    assert_eq!(decision["outcome"], "failed", "{decision}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_is_set_by_hand_while_a_cycle_waits_for_the_list_of_forwards() {
    let stage = Stage::on(Flavour::V26_06).unhurried().option("rpc-timeout-seconds", 300).start().await;
    let forwards_are_read = |status: &Value| status["jobs"]["forwards"]["runs"].as_u64() > Some(0);
    stage.until_status(|status| forwards_are_read(status) && is_at_rest(status, "fees")).await;
    stage.lab.with_mischief(|mischief| mischief.add("listforwards", Fault::Dead, None));
    let lists = stage.count("listforwards");
    stage.success("revenue-wake-all", json!({})).await;
    stage.until_count("listforwards", lists + 1).await;
    stage.success("revenue-set-fee", json!([stage.scid(1), 300])).await;
    let status = stage.status().await;
    assert_eq!((stage.fee(1), &status["jobs"]["fees"]["running"]), (300, &json!(true)));
    stage.end().await;
}
