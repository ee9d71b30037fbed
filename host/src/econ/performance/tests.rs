use super::*;
use proptest::prelude::*;

/// A million sat in force all day, ten forwards, this revenue in msat, nothing spent.
fn day(number: u64, revenue: i64) -> ModuleDay {
    ModuleDay {
        day: UnixTime(number * UnixTime::DAY),
        forwards: 10,
        revenue: SignedMsat(revenue),
        net: SignedMsat(revenue),
        capacity_s: 1_000_000_000 * u128::from(UnixTime::DAY),
        in_force_s: UnixTime::DAY,
    }
}

/// Days in a row from the first number on.
fn days(first: u64, revenues: &[i64]) -> Vec<ModuleDay> {
    (first..).zip(revenues).map(|(number, revenue)| day(number, *revenue)).collect()
}

#[test]
fn a_rate_is_per_day_and_million_sat() {
    let two_millions = ModuleDay { capacity_s: 2 * day(0, 0).capacity_s, ..day(0, 500) };
    let half_a_day =
        ModuleDay { capacity_s: day(0, 0).capacity_s / 2, in_force_s: UnixTime::DAY / 2, ..day(1, 500) };
    let found = rate(&[two_millions, half_a_day], Measure::Revenue);
    assert_eq!((found.days, found.forwards, found.mean), (2, 20, Some((250.0 + 1_000.0) / 2.0)));
    assert_eq!(found.interval, None, "two days are not enough");
    assert_eq!(rate(&[], Measure::Net).mean, None);
}

#[test]
fn days_of_less_than_half_do_not_count() {
    let short = ModuleDay { in_force_s: UnixTime::DAY / 2 - 1, ..day(3, 1_000_000) };
    let nowhere = ModuleDay { capacity_s: 0, ..day(4, 0) };
    let found = rate(&[day(1, 100), short, nowhere], Measure::Revenue);
    assert_eq!((found.days, found.mean), (1, Some(100.0)));
}

#[test]
fn seven_days_and_thirty_forwards_make_an_interval() {
    let enough = days(0, &[2, 4, 4, 4, 5, 5, 7, 9]);
    let found = rate(&enough, Measure::Revenue);
    let interval = found.interval.expect("enough");
    assert!((interval.low - 3.2125).abs() < 0.001 && (interval.high - 6.7875).abs() < 0.001, "{interval:?}");
    assert_eq!(rate(&enough[..6], Measure::Revenue).interval, None);
    let few: Vec<ModuleDay> = enough.iter().map(|day| ModuleDay { forwards: 3, ..*day }).collect();
    assert_eq!(rate(&few, Measure::Revenue).interval, None);
}

#[test]
fn verdicts() {
    let low = [10, 12, 9, 11, 10, 8, 12, 10, 11, 9];
    let high = low.map(|msat| msat + 40);
    let wild = [0, 0, 900, 0, 15, 0, 0, 60, 0, 0];
    // The market swings, and one is always a little above the other.
    let swings = [100, 900, 40, 2_000, 350, 5, 1_200, 60, 700, 20];
    let above = [112, 909, 51, 2_013, 361, 16, 1_210, 72, 712, 31];
    use Verdict::{Better, NoDifferenceShown, NotEnoughData, Worse};
    for (one, other, verdict, paired) in [
        (days(0, &high), days(0, &low), Better, true),
        (days(0, &low), days(0, &high), Worse, true),
        (days(0, &high), days(50, &low), Better, false),
        (days(0, &low), days(50, &high), Worse, false),
        (days(0, &low), days(50, &low), NoDifferenceShown, false),
        (days(0, &wild), days(50, &low), NoDifferenceShown, false),
        (days(0, &above), days(0, &swings), Better, true),
        (days(0, &above), days(50, &swings), NoDifferenceShown, false),
        (days(0, &[0; 9]), days(0, &[0; 9]), NoDifferenceShown, true),
        (days(0, &high[..6]), days(50, &low), NotEnoughData, false),
    ] {
        let found = compare(&one, &other, Measure::Net);
        assert_eq!((found.verdict, found.paired), (verdict, paired), "{found:?}");
    }
}

#[test]
fn what_is_missing_is_told() {
    let idle: Vec<ModuleDay> = days(0, &[0; 8]).iter().map(|day| ModuleDay { forwards: 0, ..*day }).collect();
    let found = compare(&days(0, &[5, 5, 5]), &idle, Measure::Revenue);
    assert_eq!(found.missing, "it needs 7 days (it has 3); the other needs 30 forwards (it has 0)");
    let found = compare(&[], &days(0, &[1; 9]), Measure::Revenue);
    assert_eq!(found.missing, "it needs 7 days (it has 0) and 30 forwards (it has 0)");
    assert_eq!((found.difference, found.chance, found.days), (None, None, (0, 9)));
}

fn mirrored(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Better => Verdict::Worse,
        Verdict::Worse => Verdict::Better,
        other => other,
    }
}

/// Revenues of some days, and how far their days are moved.
fn some_days() -> impl Strategy<Value = (Vec<i64>, u64)> {
    (prop::collection::vec(prop_oneof![Just(0i64), 0i64..5_000], 5..25), 0u64..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn swapping_sides_mirrors_the_verdict((one, first) in some_days(), (other, second) in some_days()) {
        let (one, other) = (days(first, &one), days(second, &other));
        let (there, back) = (compare(&one, &other, Measure::Net), compare(&other, &one, Measure::Net));
        prop_assert_eq!(there.verdict, mirrored(back.verdict));
        prop_assert_eq!((there.chance, there.paired), (back.chance, back.paired));
    }

    #[test]
    fn the_same_more_on_both_sides_changes_nothing(
        (one, first) in some_days(), (other, second) in some_days(), more in 0i64..5_000,
    ) {
        let compared = |more: i64| {
            let raised = |all: &[i64]| all.iter().map(|msat| msat + more).collect::<Vec<_>>();
            compare(&days(first, &raised(&one)), &days(second, &raised(&other)), Measure::Net)
        };
        let (found, raised) = (compared(0), compared(more));
        prop_assert_eq!(found.verdict, raised.verdict);
        if let (Some(one), Some(other)) = (found.difference, raised.difference) {
            prop_assert!((one.low - other.low).abs() < 1e-6 && (one.high - other.high).abs() < 1e-6);
        }
    }
}
