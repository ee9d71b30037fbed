#![allow(clippy::unwrap_used)]
use super::*;
use crate::model::Opener;
use crate::model::flow::FlowClass;
use proptest::prelude::*;

const ROWS: usize = 5;
const MOST: u64 = GUEST_INTEGER_LIMIT - 1;

fn about() -> Description {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Description {
        name: "test".into(),
        version: "1.0.0".into(),
        state_version: 1,
        params: vec![],
        signals: vec![],
        reasons: words(&["sale", "too-dear"]),
        factors: words(&["gain-ppm", "loss-ppm"]),
    }
}

/// A row that has room for 1,000 msat more than its number times a million, and that much to give.
fn row(number: u64) -> RebalanceRow {
    let most = Msat(1_000 + number * 1_000_000);
    RebalanceRow {
        pseudonym: number,
        peer_pseudonym: number,
        opener: Opener::Local,
        public: true,
        connected: true,
        fleet: false,
        age_s: 1,
        capacity: Msat(10_000_000),
        local: Msat(0),
        spendable: Msat(0),
        receivable: Msat(0),
        htlcs_in: 0,
        htlcs_out: 0,
        htlc_slots: 30,
        fee: Ppm(100),
        base_fee: Msat(0),
        peer_fee: None,
        peer_base_fee: None,
        in_week: Msat(0),
        out_week: Msat(0),
        in_month: Msat(0),
        out_month: Msat(0),
        live_week_s: 0,
        live_month_s: 0,
        earned_week: Msat(0),
        earned_month: Msat(0),
        sourced_week: Msat(0),
        sourced_month: Msat(0),
        forwards_in_month: 0,
        forwards_out_month: 0,
        last_out: None,
        flow: FlowClass::Balanced,
        flow_ratio: 0.0,
        velocity: 0.0,
        confidence: 0.0,
        settled_sent: 0.0,
        failed_sent: 0.0,
        may_fill: true,
        may_drain: true,
        fill_most: most,
        drain_most: most,
        budget_left: Msat(0),
        attempts: vec![],
        senders: vec![],
        state: vec![],
    }
}

fn rows() -> Vec<RebalanceRow> {
    (0..ROWS as u64).map(row).collect()
}

fn proposal(to: u32, sources_end: u32, factors_end: u32) -> RawProposal {
    RawProposal {
        to,
        sources_end,
        amount_msat: 1_000,
        max_ppm: 100,
        value_msat: 7,
        cost_msat: 3,
        success: 0.5,
        reason: 0,
        factors_end,
    }
}

fn refusal(to: u32, factors_end: u32) -> RawRefusal {
    RawRefusal { to, reason: 1, factors_end }
}

/// Row 4 is filled from 1 and 2, row 0 from 3; rows 1 and 2 are refused as destinations.
fn good() -> RawDecision {
    RawDecision {
        proposals: vec![proposal(4, 2, 1), proposal(0, 3, 2)],
        sources: vec![1, 2, 3],
        refusals: vec![refusal(1, 2), refusal(2, 4)],
        factors: vec![(0, 1.5), (1, -2.0), (0, 3.0), (1, 4.0)],
        state_bytes: vec![7, 8],
        state_ends: vec![1, 1, 2, 2, 2],
        node_state: vec![1],
    }
}

#[test]
fn a_good_answer_is_taken_apart_in_the_evaluators_order() {
    let decision = check(good(), &rows(), &about()).unwrap();
    let first = &decision.proposals[0];
    assert_eq!(
        (first.to, first.from.as_slice(), first.amount, first.max_fee),
        (4, &[1, 2][..], Msat(1_000), Ppm(100))
    );
    assert_eq!((first.value, first.cost, first.reason.as_str()), (SignedMsat(7), Msat(3), "sale"));
    assert_eq!(first.factors, [("gain-ppm".to_owned(), 1.5)]);
    assert_eq!((decision.proposals[1].to, decision.proposals[1].from.as_slice()), (0, &[3][..]));
    let refused: Vec<_> = decision.not_filled.iter().map(|row| (row.row, row.factors.len())).collect();
    assert_eq!(refused, [(1, 0), (2, 2)]);
    assert_eq!(decision.not_filled[0].reason, "too-dear");
    assert_eq!(decision.states[2], [8]);
}

#[test]
fn what_is_allowed_at_most_is_taken() {
    let mut raw = good();
    raw.proposals[0].amount_msat = 2_000 + 3_000_000;
    raw.proposals[0].max_ppm = MAX_PPM;
    raw.proposals[0].value_msat = MOST as i64;
    raw.proposals[1].value_msat = -(MOST as i64);
    raw.proposals[0].cost_msat = MOST;
    raw.proposals[0].success = 1.0;
    raw.proposals[1].success = 0.0;
    let decision = check(raw, &rows(), &about()).unwrap();
    assert_eq!(decision.proposals[0].amount, Msat(3_002_000), "all that its two sources have");
    assert_eq!(decision.proposals[1].value, SignedMsat(-(MOST as i64)));
    let nothing = RawDecision { state_ends: vec![0; ROWS], ..RawDecision::default() };
    assert_eq!(check(nothing, &rows(), &about()).unwrap().proposals, []);
}

#[test]
fn nonsense_is_refused_with_its_place() {
    type Spoil = fn(&mut RawDecision);
    let cases: [(&str, Spoil); 28] = [
        ("a proposal to fill row 5 of 5", |raw| raw.proposals[1].to = 5),
        ("a proposal to fill row 4, which is named already", |raw| raw.proposals[1].to = 4),
        ("row 4, a proposal to take from row 4, which is named", |raw| raw.sources[0] = 4),
        ("row 0, a proposal to take from row 2, which is named", |raw| raw.sources[2] = 2),
        ("a proposal to take from row 4294967295 of 5", |raw| raw.sources[0] = u32::MAX),
        ("row 0, no source", |raw| raw.proposals[1].sources_end = 2),
        ("sources from 2 to 1 of 3", |raw| raw.proposals[1].sources_end = 1),
        ("sources from 2 to 9 of 3", |raw| raw.proposals[1].sources_end = 9),
        ("1 sources belong to no proposal", |raw| raw.sources.push(0)),
        ("row 4, an amount of 0 msat", |raw| raw.proposals[0].amount_msat = 0),
        ("an amount of 4001001 msat; at most 4001000 fit", |raw| raw.proposals[0].amount_msat = 4_001_001),
        ("an amount of 3002001 msat; its sources have 3002000", |raw| {
            raw.proposals[0].amount_msat = 3_002_001
        }),
        ("at most 4001000 fit", |raw| raw.proposals[0].amount_msat = u64::MAX),
        ("up to 4294967296 ppm", |raw| raw.proposals[0].max_ppm = 1 << 32),
        ("up to 1000001 ppm", |raw| raw.proposals[0].max_ppm = MAX_PPM + 1),
        ("a value of -9223372036854775808 msat", |raw| raw.proposals[0].value_msat = i64::MIN),
        ("an expected cost of 9007199254740992", |raw| raw.proposals[0].cost_msat = MOST + 1),
        ("success of NaN", |raw| raw.proposals[0].success = f64::NAN),
        ("success of 1.5", |raw| raw.proposals[0].success = 1.5),
        ("success of -0.5", |raw| raw.proposals[0].success = -0.5),
        ("row 4, reason 2 of 2", |raw| raw.proposals[0].reason = 2),
        ("row 0, factor 'loss-ppm' is inf", |raw| raw.factors[1].1 = f64::INFINITY),
        ("refusal of row 2, factor 2 of 2", |raw| raw.factors[3].0 = 2),
        ("1 factors belong to no proposal or refusal", |raw| raw.factors.push((0, 1.0))),
        ("a refusal for row 5 of 5", |raw| raw.refusals[1].to = 5),
        ("a refusal for row 1 after one for row 1", |raw| raw.refusals[1].to = 1),
        ("refusal of row 4, a channel that a proposal would fill", |raw| raw.refusals[1].to = 4),
        ("4 states for 5", |raw| raw.state_ends.truncate(4)),
    ];
    for (expected, spoil) in cases {
        let mut raw = good();
        spoil(&mut raw);
        let problem = check(raw, &rows(), &about()).expect_err(expected);
        assert!(problem.contains(expected), "{problem}, expected {expected}");
    }
}

fn near(most: u32) -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..most, 1 => Just(most), 1 => any::<u32>()]
}

prop_compose! {
    fn any_proposal()(
        to in near(ROWS as u32), sources_end in near(5), amount_msat in prop_oneof![0..6_000_000_u64, any::<u64>()],
        max_ppm in prop_oneof![0..2 * MAX_PPM, any::<u64>()], value_msat in any::<i64>(),
        success in prop_oneof![0.0..=1.0, any::<f64>()], reason in near(2), factors_end in near(4),
    ) -> RawProposal {
        RawProposal { to, sources_end, amount_msat, max_ppm, value_msat, cost_msat: 1, success, reason, factors_end }
    }
}

prop_compose! {
    fn any_decision()(
        proposals in prop::collection::vec(any_proposal(), 0..3),
        sources in prop::collection::vec(near(ROWS as u32), 0..5),
        refusals in prop::collection::vec((near(ROWS as u32), near(4)), 0..3),
        factors in prop::collection::vec((near(2), any::<f64>()), 0..4),
    ) -> RawDecision {
        let refusals = refusals.into_iter().map(|(to, end)| refusal(to, end)).collect();
        RawDecision { proposals, sources, refusals, factors, state_ends: vec![0; ROWS], ..RawDecision::default() }
    }
}

proptest! {
    #[test]
    fn whatever_passes_keeps_the_contract(raw in any_decision()) {
        let rows = rows();
        if let Ok(decision) = check(raw, &rows, &about()) {
            let mut named = Vec::new();
            for proposal in &decision.proposals {
                named.push(proposal.to);
                named.extend(&proposal.from);
                let stock: u64 = proposal.from.iter().map(|&row| rows[row].drain_most.0).sum();
                prop_assert!(proposal.amount.0 > 0 && proposal.amount <= rows[proposal.to].fill_most);
                prop_assert!(proposal.amount.0 <= stock && u64::from(proposal.max_fee.0) <= MAX_PPM);
                prop_assert!((0.0..=1.0).contains(&proposal.success));
            }
            let names = named.len();
            named.sort_unstable();
            named.dedup();
            prop_assert_eq!(named.len(), names, "a channel is named once");
            prop_assert!(decision.not_filled.is_sorted_by(|a, b| a.row < b.row));
        }
    }
}
