use super::*;
use crate::model::CycleKind;
use crate::model::strategy::LastVerdict;
use crate::store::states::{Holder, StoredState};
use crate::store::testing::{channel_id, memory, peer, scid};
use std::collections::HashMap;

/// A cycle at which nothing happened.
pub(in crate::store) fn empty_cycle() -> CycleRecord {
    CycleRecord {
        tick: Tick { now: UnixTime(1_000), seed: 42 },
        trigger: "timer".to_owned(),
        inputs_digest: None,
        channels: 0,
        duration_ms: 12,
        note: None,
        modules: vec![],
        decisions: vec![],
        states: vec![],
        node_states: vec![],
        in_force: vec![],
        terms: vec![],
    }
}

/// A decision of `dynamic` for channel `n`, approved as proposed.
pub(in crate::store) fn decision(n: u8, old: u32, new: u32, outcome: Option<Outcome>) -> DecisionRecord {
    DecisionRecord {
        channel_id: channel_id(n),
        scid: Some(scid(u32::from(n))),
        peer_id: peer(n),
        strategy: StrategyName::dynamic(),
        digest: Some(Digest([5; 32])),
        origin: ChangeOrigin::Strategy,
        old: Ppm(old),
        proposed: Some(Ppm(new)),
        reason: "climb".to_owned(),
        factors: vec![("base-ppm".to_owned(), 200.0), ("scarcity".to_owned(), 1.4)],
        limits: vec![],
        refusal: None,
        approved: Some(Ppm(new)),
        old_terms: Terms { base_fee: Some(Msat(1)), htlc_max: Some(Msat(1_900_000_000)) },
        proposed_terms: Terms { base_fee: None, htlc_max: Some(Msat(7)) },
        approved_terms: Terms { base_fee: Some(Msat(0)), htlc_max: Some(Msat(20_000_000)) },
        from_congestion: false,
        outcome,
    }
}

fn refused(n: u8) -> DecisionRecord {
    let refusal = Refusal::Suppressed { change_pct: 1.5, gate_pct: 5.0 };
    DecisionRecord { refusal: Some(refusal), approved: None, ..decision(n, 100, 101, None) }
}

fn state(n: u8, bytes: &[u8]) -> StateRecord {
    StateRecord {
        holder: Holder::Strategy(CycleKind::Fee, StrategyName::dynamic()),
        channel_id: channel_id(n),
        state_version: 3,
        bytes: bytes.to_vec(),
        last_verdict: LastVerdict::Limited,
        last_proposed: Some(Ppm(77)),
    }
}

fn full_cycle() -> CycleRecord {
    let limited = DecisionRecord {
        limits: vec![Limit::StepUp(Ppm(400)), Limit::MaxFee(Ppm(300))],
        approved: Some(Ppm(300)),
        ..decision(2, 100, 900, Some(Outcome::Applied))
    };
    let silent = DecisionRecord { proposed: None, approved: None, ..decision(5, 7, 7, None) };
    CycleRecord {
        inputs_digest: Some(Digest([9; 32])),
        channels: 6,
        note: Some("dry".to_owned()),
        decisions: vec![
            decision(1, 100, 150, Some(Outcome::Reconciled)),
            limited,
            refused(3),
            decision(4, 100, 120, Some(Outcome::Failed("peer said no".to_owned()))),
            silent,
            decision(6, 100, 130, Some(Outcome::DryRun)),
        ],
        states: vec![state(1, b"one"), state(2, b"")],
        node_states: vec![NodeStateRecord {
            holder: Holder::Strategy(CycleKind::Fee, StrategyName::dynamic()),
            state_version: 3,
            bytes: b"node".to_vec(),
        }],
        ..empty_cycle()
    }
}

#[test]
fn a_cycle_is_kept_in_numbers() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    let run = ModuleRun {
        strategy: StrategyName::dynamic(),
        digest: Some(Digest([5; 32])),
        version: "1.2.3".to_owned(),
        fuel: Some(1 << 40),
        took_us: 1 << 33,
        channels: 6,
        fault: Some(ModuleFault { code: "trap".to_owned(), text: "unreachable".to_owned() }),
        fallback: Some(StrategyName::dynamic()),
    };
    let cycle = CycleRecord { modules: vec![run.clone()], ..full_cycle() };
    let id = record(&tx, &cycle).expect("stored");
    let row = CycleRow {
        id,
        at: UnixTime(1_000),
        seed: 42,
        trigger: "timer".to_owned(),
        inputs_digest: Some(Digest([9; 32])),
        channels: 6,
        proposals: 5,
        applied: 2,
        refused: 1,
        failed: 1,
        duration_ms: 12,
        note: Some("dry".to_owned()),
    };
    assert_eq!(recent(&tx, 5), Ok(vec![row]));
    assert_eq!(modules(&tx, id), Ok(vec![run]));
}

#[test]
fn decisions_are_told_with_verdict_and_outcome() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    record(&tx, &full_cycle()).expect("stored");
    let rows = decisions::latest(&tx).expect("decisions");
    let told: Vec<_> =
        rows.iter().map(|row| (row.verdict.as_str(), row.outcome.as_deref().unwrap_or(""))).collect();
    let expected = [
        ("approved", "reconciled"),
        ("limited", "applied"),
        ("suppressed", ""),
        ("approved", "failed"),
        ("none", ""),
        ("approved", "dry_run"),
    ];
    assert_eq!(told, expected);
    assert_eq!(rows[0].factors, [("base-ppm".to_owned(), 200.0), ("scarcity".to_owned(), 1.4)]);
    assert_eq!(rows[1].limits, [("step_up".to_owned(), 400), ("max_fee".to_owned(), 300)]);
    assert_eq!(
        rows[2].verdict_text.as_deref(),
        Some("a change of 1.5 % is not above the gossip gate of 5 %")
    );
    assert_eq!(rows[3].outcome_text.as_deref(), Some("peer said no"));
    assert_eq!(decisions::latest_for(&tx, &channel_id(2)), Ok(Some(rows[1].clone())));
    assert_eq!(decisions::latest_for(&tx, &channel_id(99)), Ok(None));
}

#[test]
fn only_fees_in_force_are_changes() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    record(&tx, &full_cycle()).expect("stored");
    let made = changes::recent(&tx, 9).expect("changes");
    let told: Vec<_> = made.iter().map(|(_, one)| (one.channel_id, one.old.0, one.new.0)).collect();
    assert_eq!(told, [(channel_id(2), 100, 300), (channel_id(1), 100, 150)]);
    assert!(made.iter().all(|(_, one)| one.at == UnixTime(1_000) && one.origin == ChangeOrigin::Strategy));
}

#[test]
fn states_are_for_the_same_strategy_and_version() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    record(&tx, &full_cycle()).expect("stored");
    let again = CycleRecord { states: vec![state(1, b"two")], node_states: vec![], ..empty_cycle() };
    record(&tx, &CycleRecord { tick: Tick { now: UnixTime(2_000), seed: 1 }, ..again }).expect("stored");

    let dynamic = Holder::Strategy(CycleKind::Fee, StrategyName::dynamic());
    let stored = |bytes: &[u8]| StoredState {
        bytes: bytes.to_vec(),
        last_verdict: LastVerdict::Limited,
        last_proposed: Some(Ppm(77)),
    };
    let expected = HashMap::from([(channel_id(1), stored(b"two")), (channel_id(2), stored(b""))]);
    assert_eq!(states::load(&tx, &dynamic, 3), Ok(expected));
    assert_eq!(states::load(&tx, &dynamic, 4), Ok(HashMap::new()));
    assert_eq!(states::load_node(&tx, &dynamic, 3), Ok(b"node".to_vec()));
    assert_eq!(states::load_node(&tx, &dynamic, 2), Ok(vec![]));
    assert_eq!(states::prune(&tx, UnixTime(2_000)), Ok(1));
    assert_eq!(states::load(&tx, &dynamic, 3).expect("states").len(), 1);
}

#[test]
fn pruning_keeps_each_channels_latest_decision() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    for (at, channels) in [(100, vec![1, 2]), (200, vec![1]), (300, vec![1])] {
        let cycle = CycleRecord {
            tick: Tick { now: UnixTime(at), seed: 1 },
            decisions: channels.into_iter().map(|n| decision(n, 1, 2, None)).collect(),
            ..empty_cycle()
        };
        record(&tx, &cycle).expect("stored");
    }
    assert_eq!(prune(&tx, UnixTime(250)), Ok(2));
    let kept: Vec<_> = decisions::latest(&tx).expect("decisions").iter().map(|row| row.at.0).collect();
    assert_eq!(kept, [300, 100]);
    let cycles: Vec<_> = recent(&tx, 9).expect("cycles").iter().map(|row| row.at.0).collect();
    assert_eq!(cycles, [300, 100]);
}

#[test]
fn a_module_takes_its_memory_along_and_gives_the_old_one_back() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    let (live, old, new) = (
        Holder::Strategy(CycleKind::Fee, StrategyName::dynamic()),
        Holder::Module(CycleKind::Fee, StrategyName::dynamic(), Digest([1; 32])),
        Holder::Module(CycleKind::Fee, StrategyName::dynamic(), Digest([2; 32])),
    );
    record(&tx, &full_cycle()).expect("stored");
    let before = states::load(&tx, &live, 3).expect("states");
    states::copy(&tx, &live, &new).expect("copied");
    assert_eq!(states::load(&tx, &new, 3), Ok(before.clone()));
    let moved = CycleRecord {
        states: vec![StateRecord { holder: new.clone(), ..state(1, b"new") }],
        node_states: vec![],
        ..empty_cycle()
    };
    record(&tx, &moved).expect("stored");

    states::hand_over(&tx, &live, &old).expect("kept aside");
    states::hand_over(&tx, &new, &live).expect("in force");
    assert_eq!(states::load(&tx, &live, 3).expect("states")[&channel_id(1)].bytes, b"new");
    assert_eq!(states::has_any(&tx, &new), Ok(false));
    assert_eq!(states::load_node(&tx, &live, 3), Ok(b"node".to_vec()));

    states::hand_over(&tx, &old, &live).expect("back");
    assert_eq!(states::load(&tx, &live, 3), Ok(before));
    states::forget(&tx, &live).expect("forgotten");
    assert_eq!(states::load(&tx, &live, 3), Ok(HashMap::new()));
}
