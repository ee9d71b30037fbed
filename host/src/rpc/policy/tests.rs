#![allow(clippy::unwrap_used)]

use super::suggest::{Record, peer_facts};
use super::*;
use crate::guard::policy::{Edit, PolicyUpdate, apply};
use crate::model::flow::{FlowClass, FlowHour};
use crate::model::{
    Channel, ChannelId, ChannelState, Htlcs, Msat, Opener, PeerId, Policy, Ppm, RebalanceMode, UnixTime,
};
use crate::store::policies::{ChangeKind, PolicyChange};
use serde_json::json;

const NOW: UnixTime = UnixTime(1_795_407_800);
const PEER: &str = "0284ada9b2bf91613d7ec51e78e4c85710c9b878b1f0ae36575e2685a35773c689";

fn peer() -> PeerId {
    PEER.parse().unwrap()
}

fn read_set(params: Value) -> Result<PolicyUpdate, String> {
    let (form, args) = Args::parse_menu(&params, &MENU)?;
    assert_eq!(form.action, "set");
    let (peer_id, update) = update::read(&args)?;
    assert_eq!(peer_id, peer());
    Ok(update)
}

#[test]
fn the_table_of_actions_is_sound() {
    let mut actions: Vec<_> = MENU.forms.iter().map(|form| form.action).collect();
    actions.sort_unstable();
    let all = "batch changes delete find get list set suggest tag untag";
    assert_eq!(actions.join(" "), all);
    for form in MENU.forms {
        assert!(COMMAND.description.contains(form.action), "{}", form.action);
        let optional_first = form.params.windows(2).any(|pair| !pair[0].required && pair[1].required);
        assert!(!optional_first, "{}: a required parameter follows an optional one", form.action);
        for param in form.params {
            assert!(COMMAND.usage.contains(param.name), "{}: {}", form.action, param.name);
        }
    }
}

#[test]
fn every_field_can_be_set_in_every_form() {
    let expected = PolicyUpdate {
        strategy: Some("static".parse().unwrap()),
        rebalance_mode: Some(RebalanceMode::SinkOnly),
        fee_ppm_target: Edit::To(Ppm(100)),
        tags: Some(vec!["whale".to_owned(), "hub".to_owned()]),
        fee_multiplier_min: Edit::To(0.5),
        fee_multiplier_max: Edit::To(2.0),
        expires_in_hours: Edit::To(24.0),
        ..PolicyUpdate::default()
    };
    for params in [
        json!(["set", PEER, "static", "sink_only", 100, ["whale", "hub"], 0.5, 2, 24]),
        json!(["set", PEER, "static", "sink_only", "100", "whale,hub", "0.5", "2", "24"]),
        json!([
            "set",
            PEER,
            "strategy=static",
            "rebalance=sink_only",
            "fee_ppm=100",
            "tags=[\"whale\",\"hub\"]",
            "fee_multiplier_min=0.5",
            "fee_multiplier_max=2",
            "expires_in_hours=24"
        ]),
        json!({"action": "set", "peer_id": PEER, "strategy": "Static", "rebalance_mode": "sink_only",
               "fee_ppm_target": 100, "tags": ["whale", "hub"], "fee_multiplier_min": 0.5,
               "fee_multiplier_max": "2.0", "expires_in_hours": 24}),
    ] {
        assert_eq!(read_set(params.clone()).as_ref(), Ok(&expected), "{params}");
    }
}

#[test]
fn none_empties_fields_and_null_leaves_them() {
    let clearing = PolicyUpdate {
        fee_ppm_target: Edit::Clear,
        tags: Some(Vec::new()),
        fee_multiplier_min: Edit::Clear,
        fee_multiplier_max: Edit::Clear,
        expires_in_hours: Edit::Clear,
        ..PolicyUpdate::default()
    };
    let fields = ["fee_ppm", "tags", "fee_multiplier_min", "fee_multiplier_max", "expires_in_hours"];
    let mut call = json!({"action": "set", "peer_id": PEER});
    for field in fields {
        call[field] = json!("none");
    }
    assert_eq!(read_set(call.clone()), Ok(clearing));
    for field in fields {
        call[field] = json!(null);
    }
    assert_eq!(read_set(call.clone()), Ok(PolicyUpdate::default()), "it says what holds anyway");
    call["strategy"] = json!("hive");
    let only_strategy = PolicyUpdate { strategy: Some("hive".parse().unwrap()), ..PolicyUpdate::default() };
    assert_eq!(read_set(call), Ok(only_strategy));
}

#[test]
fn what_cl_hive_sends_is_understood() {
    let sent = json!({"action": "set", "peer_id": PEER, "strategy": "hive", "rebalance": "enabled"});
    let update = read_set(sent).unwrap();
    assert_eq!(update.strategy.unwrap().as_str(), "hive");
    assert_eq!(update.rebalance_mode, Some(RebalanceMode::Enabled));
}

#[test]
fn a_misspelt_value_is_refused_by_name() {
    for (word, part) in [
        ("stratgy=static", "there is no parameter 'stratgy'"),
        ("rebalance=both", "source_only or sink_only"),
        ("fee_ppm=100001", "from 0 to 100000, or none"),
        ("fee_multiplier_max=6", "from 0.1 to 5, or none"),
        ("expires_in_hours=soon", "use a number, or none"),
    ] {
        let error = read_set(json!(["set", PEER, word])).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_batch_is_read_entry_by_entry() {
    let one = json!({"peer_id": PEER.to_uppercase(), "rebalance_mode": "disabled"});
    let read = update::read_batch(&json!([one, {"peer_id": PEER, "fee_ppm": "7"}])).unwrap();
    assert_eq!(read[0].0, peer());
    assert_eq!(read[0].1.rebalance_mode, Some(RebalanceMode::Disabled));
    assert_eq!(read[1].1.fee_ppm_target, Edit::To(Ppm(7)));
    assert_eq!(update::read_batch(&json!([])), Ok(Vec::new()));
    assert!(update::read_batch(&json!(vec![one.clone(); 100])).is_ok());
    for (updates, part) in [
        (json!(vec![one.clone(); 101]), "101 updates are too many: use at most 100"),
        (json!([one, {"strategy": "hive"}]), "updates[1]: peer_id is missing"),
        (json!([[PEER, "hive"]]), "updates[0]: it is not a JSON object"),
        (json!([{"peer_id": PEER, "fee_ppm": -5}]), "updates[0]: fee_ppm: '-5'"),
        (json!([{"peer_id": PEER, "fee_multiplier_max": 1e9}]), "updates[0]: fee_multiplier_max"),
        (json!([{"peer_id": PEER, "tags": {"a": 1}}]), "updates[0]: tags"),
        (json!([{"peer_id": PEER, "colour": "red"}]), "updates[0]: there is no parameter 'colour'"),
    ] {
        let error = update::read_batch(&updates).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn null_in_a_batch_empties_and_a_shown_policy_can_be_written_back() {
    let read = |entry: Value| update::read_batch(&json!([entry])).map(|mut read| read.remove(0).1);
    for name in ["fee_ppm_target", "fee_ppm"] {
        let nulls = json!({"peer_id": PEER, name: null, "fee_multiplier_min": null, "fee_multiplier_max": null,
                           "strategy": null, "tags": null, "expires_in_hours": null});
        let clearing = PolicyUpdate {
            fee_ppm_target: Edit::Clear,
            fee_multiplier_min: Edit::Clear,
            fee_multiplier_max: Edit::Clear,
            ..PolicyUpdate::default()
        };
        assert_eq!(read(nulls), Ok(clearing), "{name}");
    }
    let ends =
        Policy { expires_at: Some(UnixTime(NOW.0 + 60)), tags: vec!["b".into(), "a".into()], ..stored() };
    for policy in [stored(), ends] {
        let update = read(answer::policy(&policy, NOW)).unwrap();
        assert_eq!(apply(&policy, &update, NOW).unwrap(), Policy { updated_at: NOW, ..policy });
    }
    let shown = |more: Value| {
        let mut shown = answer::policy(&stored(), NOW);
        shown.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(shown)
    };
    let hours = shown(json!({"expires_in_hours": 2, "expires_at": 7})).unwrap();
    assert_eq!((hours.expires_in_hours, hours.expires_at), (Edit::To(2.0), Edit::Keep), "hours count");
    for (wrong, part) in [
        (json!({"expires_at": "soon"}), "expires_at: 'soon' is not allowed"),
        (json!({"expires_on": 0}), "there is no parameter 'expires_on'"),
    ] {
        let error = shown(wrong).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

fn stored() -> Policy {
    Policy {
        strategy: "static".parse().unwrap(),
        fee_ppm_target: Some(Ppm(123)),
        updated_at: UnixTime(1_795_407_730),
        ..Policy::default_for(peer())
    }
}

/// Recorded from the Python original for the same policy.
#[test]
fn a_policy_is_shown_in_the_shape_that_callers_know() {
    let recorded = json!({
        "peer_id": PEER,
        "strategy": "static",
        "rebalance_mode": "enabled",
        "fee_ppm_target": 123,
        "tags": [],
        "updated_at": 1_795_407_730,
        "fee_multiplier_min": null,
        "fee_multiplier_max": null,
        "expires_at": null,
        "is_expired": false
    });
    assert_eq!(answer::policy(&stored(), NOW), recorded);
    let ended = Policy { expires_at: Some(NOW), ..stored() };
    assert_eq!(answer::policy(&ended, NOW)["is_expired"], true);
}

#[test]
fn changes_say_what_happened_and_what_holds_since() {
    let change = |kind, policy| PolicyChange {
        cursor: 1_795_407_799,
        peer_id: peer(),
        kind,
        changed_at: UnixTime(1_795_407_790),
        policy,
    };
    let set = answer::change(&change(ChangeKind::Set, Some(stored())), NOW);
    assert_eq!((&set["change"], &set["deleted"]), (&json!("set"), &json!(false)));
    assert_eq!((&set["cursor"], &set["updated_at"]), (&json!(1_795_407_799), &json!(1_795_407_730)));
    assert_eq!(set["strategy"], "static");
    for (kind, word) in [(ChangeKind::Deleted, "deleted"), (ChangeKind::Expired, "expired")] {
        let gone = answer::change(&change(kind, None), NOW);
        assert_eq!((&gone["change"], &gone["deleted"]), (&json!(word), &json!(true)));
        assert_eq!((&gone["strategy"], &gone["updated_at"]), (&json!("dynamic"), &json!(1_795_407_790)));
        assert_eq!(gone["peer_id"], PEER);
    }
}

fn channel(number: u8, peer_id: PeerId, total: u64, to_us: u64) -> Channel {
    Channel {
        channel_id: ChannelId([number; 32]),
        scid: None,
        alias_local: None,
        peer_id,
        peer_connected: true,
        state: ChannelState::Normal,
        opener: Opener::Local,
        private: false,
        total: Msat(total),
        to_us: Msat(to_us),
        spendable: Msat(to_us),
        receivable: Msat(total - to_us),
        fee_base: Msat(0),
        fee_ppm: Ppm(100),
        htlc_min: Msat(0),
        htlc_max: Msat(total),
        peer_fee_ppm: None,
        htlcs: Htlcs::default(),
        funding_txid: None,
    }
}

fn hour(out: u64, into: u64) -> FlowHour {
    FlowHour {
        out_msat: Msat(out),
        in_msat: Msat(into),
        out_count: 2,
        earned: Msat(30),
        sourced: Msat(4),
        ..FlowHour::default()
    }
}

#[test]
fn facts_are_summed_over_a_peers_open_channels() {
    let (ours, other) = (peer(), PeerId([3; 33]));
    let closing = Channel { state: ChannelState::Other("ONCHAIN".to_owned()), ..channel(4, ours, 10_000, 0) };
    let channels =
        [channel(1, ours, 1_000, 100), channel(2, ours, 3_000, 900), channel(3, other, 500, 0), closing];
    let day = |days: u64| NOW.minus(days * UnixTime::DAY);
    let record = Record {
        hours: [
            (ChannelId([1; 32]), vec![hour(600, 0), hour(200, 100)]),
            (ChannelId([2; 32]), vec![hour(100, 0)]),
            (ChannelId([4; 32]), vec![hour(9_999, 0)]),
        ]
        .into(),
        classes: [(ChannelId([1; 32]), FlowClass::Sink), (ChannelId([2; 32]), FlowClass::Source)].into(),
        quiet_since: [
            (ChannelId([1; 32]), day(40)),
            (ChannelId([2; 32]), day(7)),
            (ChannelId([4; 32]), day(0)),
        ]
        .into(),
        rebalance_cost: [
            (ChannelId([1; 32]), Msat(700)),
            (ChannelId([2; 32]), Msat(80)),
            (ChannelId([4; 32]), Msat(9_000)),
        ]
        .into(),
    };
    let facts = peer_facts(&channels, &record, vec![stored()], NOW);
    let of_ours = facts.iter().find(|facts| facts.peer_id == ours).unwrap();
    assert_eq!(of_ours.policy, stored());
    assert_eq!((of_ours.exit_forwards, of_ours.earned), (6, Msat(102)));
    assert_eq!(of_ours.rebalance_cost, Msat(780));
    assert_eq!(of_ours.flow, FlowClass::Source, "the largest channel's");
    assert!((of_ours.flow_ratio - 0.8).abs() < 1e-9, "{}", of_ours.flow_ratio);
    assert!((of_ours.local_share - 0.25).abs() < 1e-9, "{}", of_ours.local_share);
    assert_eq!(of_ours.idle_days, 7);
    let of_other = facts.iter().find(|facts| facts.peer_id == other).unwrap();
    assert_eq!(of_other.policy, Policy::default_for(other));
    assert_eq!((of_other.exit_forwards, of_other.flow_ratio, of_other.idle_days), (0, 0.0, 0));
    assert_eq!(facts.len(), 2);
}
