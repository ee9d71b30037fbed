#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

const ROWS: usize = 4;

fn about() -> Description {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Description {
        name: "test".into(),
        version: "1.0.0".into(),
        state_version: 1,
        params: vec![],
        signals: vec![],
        reasons: words(&["hold", "scarcity"]),
        factors: words(&["base-ppm", "scarcity", "bound"]),
    }
}

fn proposal(row: u32) -> RawProposal {
    RawProposal { row, fee_ppm: 100, base_fee_msat: None, htlc_max_msat: None, reason: 0, factors_end: 0 }
}

/// Rows 0 and 2 get proposals with one and two factors; states of 1, 0, 2 and 0 bytes.
fn good() -> RawDecision {
    let mut proposals = vec![proposal(0), proposal(2)];
    proposals[0].factors_end = 1;
    proposals[1].factors_end = 3;
    proposals[1].reason = 1;
    RawDecision {
        proposals,
        factors: vec![(0, 1.5), (1, -2.0), (2, 0.0)],
        state_bytes: vec![7, 8, 9],
        state_ends: vec![1, 1, 3, 3],
        node_state: vec![1],
    }
}

#[test]
fn a_good_answer_is_taken_apart() {
    let decision = check(good(), ROWS, &about()).unwrap();
    assert_eq!(decision.proposals.len(), 2);
    let second = &decision.proposals[1];
    assert_eq!((second.row, second.fee, second.reason.as_str()), (2, Ppm(100), "scarcity"));
    assert_eq!(second.factors, [("scarcity".to_owned(), -2.0), ("bound".to_owned(), 0.0)]);
    assert_eq!(decision.states, [&[7][..], &[], &[8, 9], &[]].into_iter().collect());
    assert_eq!(decision.node_state, [1]);
}

#[test]
fn what_is_allowed_at_most_is_taken() {
    let mut raw = good();
    raw.proposals[1].fee_ppm = MAX_PPM;
    raw.proposals[1].base_fee_msat = Some(u32::MAX);
    raw.proposals[1].htlc_max_msat = Some(GUEST_INTEGER_LIMIT - 1);
    raw.proposals[1].factors_end = 1 + MAX_FACTORS as u32;
    raw.factors = vec![(0, f64::MAX); 1 + MAX_FACTORS];
    raw.node_state = vec![0; MAX_NODE_STATE_BYTES];
    raw.state_bytes = vec![0; ROWS * MAX_STATE_BYTES];
    raw.state_ends = (1..=ROWS as u32).map(|row| row * MAX_STATE_BYTES as u32).collect();
    let decision = check(raw, ROWS, &about()).unwrap();
    assert_eq!(decision.proposals[1].factors.len(), MAX_FACTORS);
    assert_eq!(decision.states[3].len(), MAX_STATE_BYTES);
}

#[test]
fn nonsense_is_refused_with_its_place() {
    type Spoil = fn(&mut RawDecision);
    let cases: [(&str, Spoil); 22] = [
        ("row 4 of 4", |raw| raw.proposals[1].row = 4),
        ("row 4294967295 of 4", |raw| raw.proposals[1].row = u32::MAX),
        ("row 0 after one for row 0", |raw| raw.proposals[1].row = 0),
        ("row 1 after one for row 2", |raw| {
            raw.proposals[0].row = 2;
            raw.proposals[1].row = 1;
        }),
        ("row 2, a fee of 4294967296 ppm", |raw| raw.proposals[1].fee_ppm = 1 << 32),
        ("a fee of 18446744073709551615 ppm", |raw| raw.proposals[0].fee_ppm = u64::MAX),
        ("a fee of 1000001 ppm", |raw| raw.proposals[0].fee_ppm = MAX_PPM + 1),
        ("largest HTLC of 0 msat", |raw| raw.proposals[0].htlc_max_msat = Some(0)),
        ("largest HTLC of 9007199254740992", |raw| {
            raw.proposals[0].htlc_max_msat = Some(GUEST_INTEGER_LIMIT)
        }),
        ("reason 2 of 2", |raw| raw.proposals[0].reason = 2),
        ("factor 3 of 3", |raw| raw.factors[0].0 = 3),
        ("row 2, factor 'scarcity' is NaN", |raw| raw.factors[1].1 = f64::NAN),
        ("factor 'base-ppm' is -inf", |raw| raw.factors[0].1 = f64::NEG_INFINITY),
        ("factors from 1 to 4 of 3", |raw| raw.proposals[1].factors_end = 4),
        ("factors from 1 to 0 of 3", |raw| raw.proposals[1].factors_end = 0),
        ("1 factors belong to no proposal", |raw| raw.proposals[1].factors_end = 2),
        ("17 factors; 16", |raw| {
            raw.factors = vec![(0, 0.0); 18];
            raw.proposals[1].factors_end = 18;
        }),
        ("3 states for 4", |raw| raw.state_ends.truncate(3)),
        ("state of row 1 goes from 1 to 0", |raw| raw.state_ends[1] = 0),
        ("state of row 3 goes from 3 to 4 of 3", |raw| raw.state_ends[3] = 4),
        ("1 bytes of state belong to no row", |raw| raw.state_bytes.push(0)),
        ("node state of 65537 bytes", |raw| raw.node_state = vec![0; MAX_NODE_STATE_BYTES + 1]),
    ];
    for (expected, spoil) in cases {
        let mut raw = good();
        spoil(&mut raw);
        let problem = check(raw, ROWS, &about()).expect_err(expected);
        assert!(problem.contains(expected), "{problem}, expected {expected}");
    }
}

#[test]
fn a_state_one_byte_too_long_is_refused() {
    let mut raw = good();
    raw.state_bytes = vec![0; MAX_STATE_BYTES + 1];
    raw.state_ends =
        vec![0, MAX_STATE_BYTES as u32 + 1, MAX_STATE_BYTES as u32 + 1, MAX_STATE_BYTES as u32 + 1];
    let problem = check(raw, ROWS, &about()).unwrap_err();
    assert!(problem.contains("row 1 has 1025 bytes"), "{problem}");
}

fn near(most: u32) -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..most, 1 => Just(most), 1 => any::<u32>()]
}

prop_compose! {
    fn any_proposal()(
        row in near(ROWS as u32), fee_ppm in prop_oneof![0..2 * MAX_PPM, any::<u64>()],
        htlc_max_msat in prop::option::of(any::<u64>()), reason in near(2), factors_end in near(6),
    ) -> RawProposal {
        RawProposal { row, fee_ppm, base_fee_msat: None, htlc_max_msat, reason, factors_end }
    }
}

prop_compose! {
    fn any_decision()(
        proposals in prop::collection::vec(any_proposal(), 0..6),
        factors in prop::collection::vec((near(3), any::<f64>()), 0..6),
        state_bytes in prop::collection::vec(any::<u8>(), 0..8),
        state_ends in prop::collection::vec(near(8), 0..6),
    ) -> RawDecision {
        RawDecision { proposals, factors, state_bytes, state_ends, node_state: vec![] }
    }
}

proptest! {
    #[test]
    fn whatever_passes_keeps_the_contract(raw in any_decision()) {
        if let Ok(decision) = check(raw.clone(), ROWS, &about()) {
            prop_assert_eq!(decision.states.len(), ROWS);
            prop_assert_eq!(decision.states.iter().collect::<Vec<_>>().concat(), raw.state_bytes);
            prop_assert!(decision.proposals.is_sorted_by(|a, b| a.row < b.row));
            for proposal in &decision.proposals {
                prop_assert!(proposal.row < ROWS);
                prop_assert!(u64::from(proposal.fee.0) <= MAX_PPM);
                prop_assert!(proposal.factors.iter().all(|(_, value)| value.is_finite()));
            }
            let factors: usize = decision.proposals.iter().map(|proposal| proposal.factors.len()).sum();
            prop_assert_eq!(factors, raw.factors.len());
        }
    }
}
