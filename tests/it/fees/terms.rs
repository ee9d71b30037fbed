//! What goes with a rate, base fee and largest HTLC: limited, shown, counted, and taken back.

use crate::acts::{cycle, fee_debug, install, last_decision, set_policy, writes_to};
use crate::engine::place::guest;
use crate::support::{Setup, Stage};
use lab::{Fault, Flavour};
use serde_json::{Value, json};

/// Three like channels of 200 ppm.
pub(super) fn quiet(flavour: Flavour) -> Setup {
    Stage::on(flavour).channels(3).unhurried()
}

/// Base fee and largest HTLC on the node, msat.
pub(super) fn terms(stage: &Stage, channel: usize) -> (u64, u64) {
    let fee = stage.lab.with_node(|node| node.fee(channel));
    (fee.base_msat, fee.htlc_max_msat)
}

/// Another user of the node sets what goes with a channel's rate.
fn set_terms(stage: &Stage, channel: usize, base_msat: u64, htlc_max_msat: u64) {
    let params = json!({ "id": stage.scid(channel), "feebase": base_msat, "htlcmax": htlc_max_msat });
    stage.lab.with_node(|node| node.call_now("setchannel", &params)).unwrap();
}

/// Capacity, and the size of a typical forward: 1 % of it, within 10,000 and 1,000,000 sat.
pub(super) fn sizes(stage: &Stage, channel: usize) -> (u64, u64) {
    let capacity = stage.lab.with_node(|node| node.market().channel(channel).capacity_msat);
    (capacity, (capacity / 100).clamp(10_000_000, 1_000_000_000))
}

/// The module that names a base fee of 4,000,000 sat and a largest HTLC of 1 msat decides for a channel.
pub(super) async fn tighten(stage: &Stage, channel: usize) {
    install(stage, "tight", &guest("terms-tight"));
    set_policy(stage, channel, &["strategy=tight"]).await;
    stage.until_fees_rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_strategy_takes_a_channel_out_of_service() {
    for flavour in Flavour::ALL {
        let stage = quiet(flavour).start().await;
        let ((_, least), before) = (sizes(&stage, 0), terms(&stage, 0));
        tighten(&stage, 0).await;
        assert_eq!((stage.fee(0), terms(&stage, 0)), (200, (1_000, least)), "{flavour:?}");
        let decision = last_decision(&stage, 0).await;
        for (field, value) in [
            ("verdict", json!("limited")),
            ("outcome", json!("applied")),
            ("old_base_fee_msat", json!(before.0)),
            ("proposed_base_fee_msat", json!(4_000_000_000_u64)),
            ("approved_base_fee_msat", json!(1_000)),
            ("old_htlc_max_msat", json!(before.1)),
            ("proposed_htlc_max_msat", json!(1)),
            ("approved_htlc_max_msat", json!(least)),
            (
                "limits",
                json!([{"limit": "max_base_fee", "msat": 1_000}, {"limit": "htlc_max_least", "msat": least}]),
            ),
        ] {
            assert_eq!(decision[field], value, "{flavour:?}: {field} of {decision}");
        }
        let status = stage.status().await;
        let change = &status["recent_fee_changes"][0];
        assert_eq!(
            (&change["base_fee_msat"], &change["htlc_max_msat"]),
            (&json!(1_000), &json!(least)),
            "{change}"
        );
        assert!(status["limits"].to_string().contains("base fees set by strategies are at most 1000 msat"));
        // What is in force is not set again.
        cycle(&stage).await;
        let shown = fee_debug(&stage, 0).await;
        assert_eq!(
            (&shown["status"], &shown["htlc_max_msat"]),
            (&json!("unchanged"), &json!(least)),
            "{shown}"
        );
        assert_eq!(writes_to(&stage, 0).len(), 1);
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_may_want_no_base_fees_at_all() {
    let stage = quiet(Flavour::V26_06).option("max-base-fee-msat", 0).start().await;
    tighten(&stage, 0).await;
    assert_eq!(terms(&stage, 0), (0, sizes(&stage, 0).1));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_module_left_is_taken_back_when_another_decides() {
    let mut stage = quiet(Flavour::V26_06).start().await;
    // An operator's own choice on the first; on the second all as lightningd has it.
    let (capacity, least) = sizes(&stage, 0);
    set_terms(&stage, 0, 700, capacity / 2);
    let (_, possible) = terms(&stage, 1);
    tighten(&stage, 0).await;
    set_policy(&stage, 1, &["strategy=tight"]).await;
    stage.until_fees_rest().await;
    assert_eq!((terms(&stage, 0), terms(&stage, 1)), ((1_000, least), (1_000, least)));
    stage.restart().await;
    // A fee set by hand leaves it to the module that still decides.
    stage.success("revenue-set-fee", json!([stage.scid(1), 300])).await;
    assert_eq!((stage.fee(1), terms(&stage, 1)), (300, (0, least)));

    set_policy(&stage, 0, &["passive"]).await;
    set_policy(&stage, 1, &["static", "fee_ppm=300"]).await;
    stage.until_fees_rest().await;
    assert_eq!((stage.fee(0), terms(&stage, 0)), (200, (700, capacity / 2)), "as before any module");
    assert_eq!((stage.fee(1), terms(&stage, 1)), (300, (0, possible)));
    let decision = last_decision(&stage, 0).await;
    assert_eq!(
        (&decision["reason"], &decision["outcome"], &decision["proposed_ppm"]),
        (&json!("taken-back"), &json!("applied"), &Value::Null),
        "{decision}"
    );
    // Once; and from now on it is nobody's but the operator's.
    set_terms(&stage, 0, 700, capacity / 4);
    let writes = writes_to(&stage, 0).len();
    cycle(&stage).await;
    assert_eq!((writes_to(&stage, 0).len(), terms(&stage, 0)), (writes, (700, capacity / 4)));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_sets_over_a_modules_word_stays() {
    let stage = quiet(Flavour::V26_06).start().await;
    let (capacity, least) = sizes(&stage, 0);
    tighten(&stage, 0).await;
    assert_eq!(terms(&stage, 0), (1_000, least));
    set_terms(&stage, 0, 5, capacity / 3);
    set_policy(&stage, 0, &["passive"]).await;
    stage.until_fees_rest().await;
    assert_eq!(terms(&stage, 0), (5, capacity / 3));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_much_as_the_channel_can_send_is_asked_for_once() {
    for flavour in Flavour::ALL {
        let stage = quiet(flavour).start().await;
        let ((capacity, _), (_, possible)) = (sizes(&stage, 0), terms(&stage, 0));
        set_terms(&stage, 0, 0, capacity / 2);
        install(&stage, "wide", &guest("terms-wide"));
        set_policy(&stage, 0, &["strategy=wide"]).await;
        stage.until_fees_rest().await;
        assert_eq!(terms(&stage, 0), (0, possible), "{flavour:?}");
        let decision = last_decision(&stage, 0).await;
        assert_eq!(decision["limits"], json!([{"limit": "htlc_max_most", "msat": capacity}]), "{decision}");
        let told = decision["outcome_text"].as_str().unwrap_or_default();
        assert!(told.contains("the largest HTLC that lightningd allows"), "{decision}");
        let writes = writes_to(&stage, 0).len();
        cycle(&stage).await;
        assert_eq!(writes_to(&stage, 0).len(), writes, "{flavour:?}");
        set_policy(&stage, 0, &["passive"]).await;
        stage.until_fees_rest().await;
        assert_eq!(terms(&stage, 0), (0, capacity / 2), "{flavour:?}");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_looked_up_and_its_word_taken_back_all_the_same() {
    let stage = quiet(Flavour::V26_06).option("rpc-circuit-breaker-seconds", 0).start().await;
    let (least, before) = (sizes(&stage, 0).1, terms(&stage, 0));
    stage.lab.with_mischief(|mischief| mischief.add("setchannel", Fault::ApplyThenDrop, Some(1)));
    tighten(&stage, 0).await;
    let decision = last_decision(&stage, 0).await;
    assert_eq!(
        (&decision["outcome"], terms(&stage, 0)),
        (&json!("reconciled"), (1_000, least)),
        "{decision}"
    );
    set_policy(&stage, 0, &["passive"]).await;
    stage.until_fees_rest().await;
    assert_eq!(terms(&stage, 0), before);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_module_could_not_set_is_asked_for_again() {
    let stage = quiet(Flavour::V26_06).option("rpc-circuit-breaker-seconds", 0).start().await;
    let (least, (_, possible)) = (sizes(&stage, 0).1, terms(&stage, 0));
    tighten(&stage, 0).await;
    assert_eq!(terms(&stage, 0), (1_000, least));
    install(&stage, "tight", &guest("terms-wide"));
    let refused = Fault::Error { code: -1, message: "not now".to_owned() };
    stage.lab.with_mischief(|mischief| mischief.add("setchannel", refused, Some(1)));
    cycle(&stage).await;
    let decision = last_decision(&stage, 0).await;
    assert_eq!((&decision["outcome"], terms(&stage, 0)), (&json!("failed"), (1_000, least)), "{decision}");
    cycle(&stage).await;
    assert_eq!(terms(&stage, 0), (0, possible));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_that_differs_in_terms_alone_differs() {
    let stage = quiet(Flavour::V26_06).start().await;
    let least = sizes(&stage, 0).1;
    let path = stage.lab.lightning_dir().join("tight.wasm");
    std::fs::write(&path, guest("terms-tight")).unwrap();
    let path = path.to_str().unwrap();
    for words in [
        &["install", path, "name=tight", "unsigned=true", "world=fee"][..],
        &["shadow", "tight", "for=dynamic"],
    ] {
        stage.success("revenue-strategy", json!(words)).await;
    }
    cycle(&stage).await;
    let page = stage.success("revenue-strategy", json!(["show", "tight"])).await;
    let trial = &page["modules"][0]["trial"];
    assert_eq!(trial["same"], 0, "{trial}");
    let differences = trial["latest_differences"].as_array().unwrap();
    assert_eq!(differences.len(), 3, "{trial}");
    for one in differences {
        assert_eq!(one["on_trial_base_fee_msat"], 1_000, "{one}");
        assert!(one["on_trial_htlc_max_msat"].as_u64() >= Some(least), "{one}");
        assert_eq!(one["in_force_htlc_max_msat"], Value::Null, "{one}");
    }
    stage.end().await;
}
