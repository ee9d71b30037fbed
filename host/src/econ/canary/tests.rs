use super::*;
use proptest::prelude::*;

const BOUNDS: CanaryBounds = CanaryBounds {
    max_revenue_fall_pct: 30.0,
    max_refusals_pct: 20.0,
    max_cost_rise_pct: 50.0,
    min_hours: 24,
    min_forwards: 50,
};

fn stretch(days: u64, earned: u64, forwards: u64) -> Stretch {
    Stretch { seconds: days * UnixTime::DAY, earned: Msat(earned), forwards }
}

/// Ten days before and two since; earned and forwards of each.
fn group(channels: u32, before: (u64, u64), since: (u64, u64)) -> Group {
    Group {
        channels,
        before: stretch(10, before.0, before.1),
        since: stretch(2, since.0, since.1),
        refusals: Refusals::default(),
    }
}

fn evidence(canary: Group, rest: Group) -> Evidence {
    Evidence { canary, rest, faults: 0 }
}

/// 1,000 msat and 100 forwards a day on two channels, and nine times that on eighteen.
fn steady() -> Evidence {
    evidence(group(2, (10_000, 1_000), (2_000, 200)), group(18, (90_000, 9_000), (18_000, 1_800)))
}

fn refusals((proposals, refused): (u64, u64)) -> Refusals {
    Refusals { proposals, refused }
}

fn why(verdict: &Verdict) -> &str {
    match &verdict.word {
        Word::GoOn { .. } => "",
        Word::Return { why } => why,
    }
}

#[test]
fn a_canary_that_earns_as_expected_goes_on() {
    let found = judge(&steady(), &BOUNDS);
    assert_eq!(found.word, Word::GoOn { waits_for: None });
    let Statistics { hours, expected_per_day, revenue_fall_pct, rest_factor, .. } = found.statistics;
    assert_eq!((hours, expected_per_day, rest_factor), (48.0, 1_000.0, Some(1.0)));
    assert_eq!((revenue_fall_pct, found.statistics.difference_in_differences), (Some(0.0), 0.0));
}

#[test]
fn revenue_is_judged_against_what_became_of_the_others() {
    let rest = |earned, forwards| group(18, (90_000, 9_000), (earned, forwards));
    let canary = |earned, forwards| group(2, (10_000, 1_000), (earned, forwards));
    for (canary, rest, fall, returns) in [
        // Half of what it was, while the others stay: back.
        (canary(1_000, 100), rest(18_000, 1_800), 50.0, true),
        // All of the market fell by half.
        (canary(1_000, 100), rest(9_000, 900), 0.0, false),
        // The others doubled, and it did not.
        (canary(2_000, 200), rest(36_000, 3_600), 50.0, true),
        // It earns nothing any more.
        (canary(0, 0), rest(18_000, 1_800), 100.0, true),
        // As much as is allowed.
        (canary(1_400, 140), rest(18_000, 1_800), 30.0, false),
        // More than before.
        (canary(4_000, 400), rest(18_000, 1_800), -100.0, false),
    ] {
        let found = judge(&evidence(canary, rest), &BOUNDS);
        let seen = found.statistics.revenue_fall_pct.expect("something was expected");
        assert!((seen - fall).abs() < 1e-9, "{found:?}");
        assert_eq!(!why(&found).is_empty(), returns, "{found:?}");
    }
    let found = judge(&evidence(canary(1_000, 100), rest(18_000, 1_800)), &BOUNDS);
    assert_eq!(
        why(&found),
        "its channels earn 500 msat a day where 1000 were to be expected: 50.0 % less, where 30 % are allowed and \
         chance explains 16.0 %"
    );
}

#[test]
fn revenue_is_never_judged_on_too_little() {
    let collapsed = |before: (u64, u64)| group(2, before, (0, 0));
    let idle = group(18, (0, 0), (0, 0));
    let short = Stretch { seconds: 23 * UnixTime::HOUR, ..Stretch::default() };
    let just_begun = Group { since: short, ..collapsed((10_000, 1_000)) };
    for (canary, rest, waits_for) in [
        (just_begun, steady().rest, "24 hours; it ran 23.0"),
        (collapsed((10_000, 49)), idle, "50 forwards before it began; its channels had 49"),
        (collapsed((10_000, 200)), idle, "50 forwards to be expected since it began; these are 40.0"),
        (Group::default(), Group::default(), "24 hours; it ran 0.0"),
    ] {
        let found = judge(&evidence(canary, rest), &BOUNDS);
        assert_eq!(found.word, Word::GoOn { waits_for: Some(waits_for.to_owned()) });
    }
    // What was expected is nothing: no fall can be told.
    let nothing = evidence(collapsed((10_000, 1_000)), group(18, (90_000, 9_000), (0, 0)));
    assert_eq!(judge(&nothing, &BOUNDS).statistics.revenue_fall_pct, None);
    assert_eq!(why(&judge(&nothing, &BOUNDS)), "");
}

#[test]
fn a_fall_that_chance_explains_is_none() {
    // Of 60 forwards to be expected 36 came, and chance explains 28 %: a fall.
    let few = |since| evidence(group(2, (10_000, 300), (since, since * 60 / 2_000)), Group::default());
    let found = judge(&few(1_200), &BOUNDS);
    assert_eq!(found.statistics.rest_factor, None, "there are no others");
    assert!(found.statistics.chance_pct.is_some_and(|pct| (pct - 27.7).abs() < 0.1), "{found:?}");
    assert!(why(&found).contains("40.0 % less"));
    let fewer = evidence(group(2, (10_000, 100), (1_400, 14)), Group::default());
    let bounds = CanaryBounds { min_forwards: 10, max_revenue_fall_pct: 10.0, ..BOUNDS };
    let found = judge(&fewer, &bounds);
    assert_eq!(why(&found), "", "30 % less, and chance explains more: {found:?}");
}

#[test]
fn refusals_count_where_the_others_are_not_refused() {
    let with = |canary: (u64, u64), rest: (u64, u64)| {
        let mut evidence = steady();
        evidence.canary.refusals = refusals(canary);
        evidence.rest.refusals = refusals(rest);
        evidence
    };
    for (canary, rest, returns) in [
        ((10, 3), (100, 0), true),
        ((10, 2), (100, 0), false),
        ((9, 9), (100, 0), false),
        ((10, 10), (100, 90), false),
        ((10, 10), (0, 0), true),
        ((0, 0), (0, 0), false),
    ] {
        let found = judge(&with(canary, rest), &BOUNDS);
        assert_eq!(!why(&found).is_empty(), returns, "{found:?}");
    }
    assert_eq!(
        why(&judge(&with((10, 5), (100, 10)), &BOUNDS)),
        "the guard refused 5 of its 10 proposals (50.0 %), 40.0 points more than of the other channels' and than \
         the 20 allowed"
    );
}

#[test]
fn a_fault_ends_it_whatever_else() {
    let found = judge(&Evidence { faults: 1, ..Evidence::default() }, &BOUNDS);
    assert_eq!(why(&found), "its module failed");
    assert_eq!(why(&judge(&Evidence { faults: 3, ..steady() }, &BOUNDS)), "its module failed 3 times");
}

fn groups() -> impl Strategy<Value = Group> {
    let stretch = || {
        (0u64..40 * UnixTime::DAY, 0u64..1_000_000, 0u64..5_000)
            .prop_map(|(seconds, earned, forwards)| Stretch { seconds, earned: Msat(earned), forwards })
    };
    (0u32..50, stretch(), stretch(), 0u64..100, 0.0f64..1.0).prop_map(
        |(channels, before, since, proposals, share)| {
            let refused = (proposals as f64 * share) as u64;
            Group { channels, before, since, refusals: Refusals { proposals, refused } }
        },
    )
}

proptest! {
    #[test]
    fn a_return_has_a_reason_that_holds(canary in groups(), rest in groups(), faults in 0u32..2) {
        let found = judge(&Evidence { canary, rest, faults }, &BOUNDS);
        let Statistics { hours, revenue_fall_pct, chance_pct, excess_refusals_pct, .. } = found.statistics;
        let fell = revenue_fall_pct.zip(chance_pct).is_some_and(|(fall, chance)| fall > 30.0 && fall > chance)
            && hours >= 24.0
            && canary.before.forwards >= 50
            && found.statistics.expected_forwards >= 50.0;
        let refused = canary.refusals.proposals >= 10 && excess_refusals_pct.is_some_and(|excess| excess > 20.0);
        let returns = matches!(found.word, Word::Return { .. });
        prop_assert_eq!(returns, faults > 0 || refused || fell);
    }

    /// The same money in another unit of time or amount changes nothing.
    #[test]
    fn only_ratios_count(canary in groups(), rest in groups()) {
        let larger = |group: Group| Group {
            before: Stretch { earned: Msat(group.before.earned.0 * 7), ..group.before },
            since: Stretch { earned: Msat(group.since.earned.0 * 7), ..group.since },
            ..group
        };
        let fall = |canary, rest| {
            judge(&Evidence { canary, rest, faults: 0 }, &BOUNDS).statistics.revenue_fall_pct
        };
        let (one, other) = (fall(canary, rest), fall(larger(canary), larger(rest)));
        prop_assert_eq!(one.is_some(), other.is_some());
        if let (Some(one), Some(other)) = (one, other) {
            prop_assert!((one - other).abs() < 1e-6 * one.abs().max(1.0));
        }
    }
}
