use super::super::tests::{by_strategy, channel, policy, proposal, refusal, snapshot};
use super::super::{History, Verdict, check};
use super::*;
use crate::config::Config;
use crate::model::fee::Origin;
use proptest::prelude::*;

/// Judges a proposal of the rate in force, 200 ppm, with a base fee and a largest HTLC.
fn beside(
    base_fee: Option<u64>,
    htlc_max: Option<u64>,
    change: impl FnOnce(&mut Channel, &mut History),
) -> Verdict {
    let (mut channel, snapshot, mut history) = (channel(200), snapshot(), History::default());
    change(&mut channel, &mut history);
    let (config, policy) = (Config::default(), policy("mine"));
    let case = Case {
        config: &config,
        policy: &policy,
        snapshot: &snapshot,
        channel: &channel,
        history,
        stands_in: true,
    };
    let named = FeeProposal {
        base_fee: base_fee.map(Msat),
        htlc_max: htlc_max.map(Msat),
        ..proposal(200, by_strategy())
    };
    check(named, case)
}

/// Base fee, and the largest HTLC if it is to change, msat.
fn terms_of(verdict: &Verdict) -> Option<(u64, Option<u64>)> {
    let approved = verdict.result.as_ref().ok()?.get();
    Some((approved.base_fee.0, approved.htlc_max.map(|most| most.0)))
}

#[test]
fn base_fee_and_largest_htlc_have_limits() {
    // 1,000,000 sat of capacity: a typical forward is 10,000 sat.
    for (base_fee, htlc_max, expect, limits) in [
        (Some(1_000), None, (1_000, None), vec![]),
        (Some(4_000_000_000), None, (1_000, None), vec!["max_base_fee"]),
        (None, Some(500_000_000), (0, Some(500_000_000)), vec![]),
        (None, Some(1), (0, Some(10_000_000)), vec!["htlc_max_least"]),
        (None, Some(1 << 50), (0, Some(1_000_000_000)), vec!["htlc_max_most"]),
        (Some(1_001), Some(9_999_999), (1_000, Some(10_000_000)), vec!["max_base_fee", "htlc_max_least"]),
    ] {
        let verdict = beside(base_fee, htlc_max, |channel, _| channel.htlc_max = Msat(700_000_000));
        assert_eq!(terms_of(&verdict), Some(expect), "{base_fee:?} {htlc_max:?}: {verdict:?}");
        let codes: Vec<_> = verdict.limits.iter().map(|limit| limit.code()).collect();
        assert_eq!(codes, limits, "{base_fee:?} {htlc_max:?}");
    }
    // Nothing is forwarded out below the smallest HTLC, so that is the least there.
    let high = beside(None, Some(1), |channel, _| channel.htlc_min = Msat(20_000_000));
    assert_eq!(terms_of(&high), Some((0, Some(20_000_000))));
    let tiny = beside(None, Some(1), |channel, _| channel.total = Msat(5_000_000));
    assert_eq!(terms_of(&tiny), Some((0, Some(5_000_000))));
}

#[test]
fn what_goes_with_a_rate_passes_the_gate_and_counts_like_one() {
    for (base_fee, htlc_max, updates, expect) in [
        (Some(105), None, 0, Some("suppressed")),
        (Some(106), None, 0, None),
        (Some(100), Some(945_000_000), 0, Some("suppressed")),
        (Some(100), Some(940_000_000), 0, None),
        (Some(100), Some(990_000_000), 0, Some("unchanged")),
        (Some(106), None, 12, Some("rate_limited")),
        (Some(100), Some(500_000_000), 12, Some("rate_limited")),
        // The host's own word for the base fee, 0, is no whim of the strategy.
        (None, None, 0, None),
    ] {
        let verdict = beside(base_fee, htlc_max, |channel, history| {
            channel.fee_base = Msat(100);
            history.updates_today = updates;
        });
        assert_eq!(refusal(&verdict), expect, "{base_fee:?} {htlc_max:?} {updates}: {verdict:?}");
    }
}

#[test]
fn what_another_module_left_is_taken_back_even_if_the_rate_may_not_change() {
    let back = TakeBack { base_fee: Some(Msat(0)), htlc_max: Some(Msat(990_000_000)) };
    let left = |channel: &mut Channel, history: &mut History| {
        (channel.fee_base, channel.htlc_max) = (Msat(1_000), Msat(10_000_000));
        (history.back, history.updates_today) = (back, 99);
    };
    let restored = Some((0, Some(990_000_000)));
    let held = beside(None, None, left);
    assert_eq!((terms_of(&held), held.limits), (restored, vec![Limit::RateHeld(Ppm(200))]));
    // What it names itself it keeps asking for, within its limits.
    let own = beside(None, Some(20_000_000), left);
    assert_eq!(terms_of(&own), Some((0, None)), "the rate of changes holds its wish back: {own:?}");
    // A channel that is held for the passive, with nothing left on it, stays as it is.
    let (config, snapshot, channel, passive) =
        (Config::default(), snapshot(), channel(200), policy("passive"));
    let case = |history| Case {
        config: &config,
        policy: &passive,
        snapshot: &snapshot,
        channel: &channel,
        history,
        stands_in: false,
    };
    let by_host = proposal(200, Origin::Host);
    assert_eq!(refusal(&check(by_host.clone(), case(History::default()))), Some("unchanged"));
    let history = History { back: TakeBack { htlc_max: Some(Msat(5)), ..back }, ..History::default() };
    let verdict = check(by_host, case(history));
    assert_eq!((terms_of(&verdict), verdict.limits), (Some((0, Some(5))), vec![]));
}

#[test]
fn what_lightningd_lowered_is_not_asked_for_again() {
    let asked = |channel: &mut Channel, history: &mut History| {
        channel.htlc_max = Msat(600_000_000);
        history.htlc_max_asked = Some(Msat(1_000_000_000));
    };
    assert_eq!(refusal(&beside(None, Some(1 << 50), asked)), Some("unchanged"));
    assert_eq!(terms_of(&beside(None, Some(300_000_000), asked)), Some((0, Some(300_000_000))));
}

proptest! {
    /// Whatever a strategy names beside a rate, the channel stays in service.
    #[test]
    fn approved_terms_keep_every_limit(
        base_fee in proptest::option::of(any::<u32>()), htlc_max in proptest::option::of(1u64..1 << 53),
        total in 1u64..10_000_000_000_000, now in 0u64..10_000_000_000_000, base_now in 0u64..5_000_000_000,
    ) {
        let verdict = beside(base_fee.map(u64::from), htlc_max, |channel, _| {
            (channel.total, channel.htlc_max, channel.fee_base) = (Msat(total), Msat(now), Msat(base_now));
        });
        if let Ok(approved) = &verdict.result {
            let set = approved.get();
            prop_assert!(set.base_fee <= Msat(1_000));
            if let Some(most) = set.htlc_max {
                prop_assert!((typical_forward(Msat(total))..=Msat(total)).contains(&most));
            }
        }
    }
}
