#![allow(clippy::unwrap_used)]
use super::*;
use crate::config::Config;
use crate::cycles::told;
use crate::model::strategy::{Description, ParamSpec, ParamValue};
use crate::model::{Msat, UnixTime};
use revenue_strategy::testing;
use serde_json::json;

fn about() -> Description {
    let step = ParamSpec {
        name: "step".into(),
        doc: "Ppm.".into(),
        default: ParamValue::Integer(5),
        minimum: Some(1.0),
        maximum: Some(9.0),
    };
    Description {
        name: "mine".into(),
        version: "1.0.0".into(),
        state_version: 1,
        params: vec![step],
        signals: vec!["mine.own".into()],
        reasons: vec![],
        factors: vec![],
    }
}

#[test]
fn the_hosts_parameters_are_those_that_authors_test_with() {
    let of = |params: Vec<revenue_strategy::Param>| -> Vec<String> {
        params.into_iter().map(|param| format!("{} {:?}", param.name, param.value)).collect()
    };
    let ours = |params: Vec<(&str, ParamValue)>| -> Vec<String> {
        let shown = |value: ParamValue| format!("ParamValue::{value:?}");
        params.into_iter().map(|(name, value)| format!("{name} {}", shown(value))).collect()
    };
    let config = Config::default();
    assert_eq!(ours(told::to_fee_strategies(&config).into()), of(testing::host_params()));
    assert_eq!(
        ours(told::to_evaluators(&config).into()),
        of(revenue_strategy::rebalance::testing::host_params())
    );
}

#[test]
fn what_is_left_out_has_its_default() {
    let form: FeeForm =
        serde_json::from_value(json!({ "channels": [{}, { "capacity_msat": 1_000_000, "local_msat": 0 }] }))
            .unwrap();
    let input = form.read(&about()).unwrap();
    assert_eq!(input.now, UnixTime(testing::NOW_S));
    assert_eq!(input.node_capacity, Msat(5_001_000_000));
    let [first, second] = &input.channels[..] else { panic!("two rows") };
    assert_eq!((first.pseudonym, first.peer_pseudonym, first.local), (1, 1, Msat(2_500_000_000)));
    assert_eq!((second.pseudonym, second.spendable, second.receivable), (2, Msat(0), Msat(990_000)));
    assert_eq!(second.htlc_max, Msat(990_000));
    let form: RebalanceForm = serde_json::from_value(json!({ "channels": [{}] })).unwrap();
    let row = &form.read(&about()).unwrap().channels[0];
    assert_eq!((row.fill_most, row.drain_most), (row.receivable, row.spendable));
}

#[test]
fn what_makes_no_sense_is_refused_by_its_name() {
    for (form, says) in [
        (json!({ "chanels": [] }), "unknown field `chanels`"),
        (json!({ "channels": [{ "fee": 7 }] }), "unknown field `fee`"),
        (json!({ "channels": [{ "flow": "up" }] }), "unknown variant `up`"),
        (json!({ "params": { "step": 10 } }), "'step' is 10; 1 to 9 is allowed"),
        (json!({ "params": { "step": 1.5 } }), "'step' is 1.5, and not a value of type integer such as 5"),
        (json!({ "params": { "stp": 1 } }), "no 'stp'; the strategy's own are: step"),
        (json!({ "params": { "host.gossip-gate": true } }), "'host.gossip-gate' is true"),
        (json!({ "channels": [{ "state": "0g" }] }), "channels[0].state is not hex"),
        (json!({ "channels": [{ "state": "012" }] }), "channels[0].state is not hex"),
        (json!({ "node_state": "\u{e9}" }), "node_state is not hex"),
        (json!({ "channels": [{}], "signals": { "mine.own": [] } }), "'mine.own' has 0 values for 1"),
        (json!({ "signals": { "other": [] } }), "knows 'other'"),
    ] {
        let read = serde_json::from_value::<FeeForm>(form.clone())
            .map_err(|error| error.to_string())
            .and_then(|form| form.read(&about()));
        let error = read.expect_err(&form.to_string());
        assert!(error.contains(says), "{error}, expected {says}");
    }
}

#[test]
fn a_form_comes_back_as_it_was_written() {
    let form = json!({
        "now_s": 5, "params": { "host.gossip-gate": 0.1, "step": 3 }, "signals": { "mine.own": [null, 0.25] },
        "channels": [{ "flow": "sink", "last_verdict": "rate_limited", "state": "00ff" }, { "intervals": [{}] }],
    });
    let form: FeeForm = serde_json::from_value(form).unwrap();
    let text = serde_json::to_string(&form).unwrap();
    assert_eq!(serde_json::from_str::<FeeForm>(&text).unwrap(), form);
    let input = form.read(&about()).unwrap();
    assert_eq!(input.channels[0].state, [0, 255]);
    assert!(input.signals[0].1[0].is_nan() && input.signals[0].1[1] == 0.25);
    assert_eq!(input.params.last().unwrap(), &("step".to_owned(), ParamValue::Integer(3)));
}
