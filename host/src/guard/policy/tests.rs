#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

const NOW: UnixTime = UnixTime(1_800_000_000);
const PEER: PeerId = PeerId([2; 33]);

fn full() -> Policy {
    Policy {
        peer_id: PEER,
        strategy: "static".parse().unwrap(),
        rebalance_mode: RebalanceMode::SinkOnly,
        rebalance_strategy: Some(StrategyName::rebalance_ev()),
        fee_ppm_target: Some(Ppm(123)),
        tags: vec!["exchange".to_owned(), "whale".to_owned()],
        updated_at: UnixTime(1_700_000_000),
        fee_multiplier_min: Some(0.5),
        fee_multiplier_max: Some(2.0),
        expires_at: Some(NOW.plus(60)),
    }
}

fn update() -> PolicyUpdate {
    PolicyUpdate::default()
}

fn tags(tags: &[&str]) -> PolicyUpdate {
    retagged(tags.iter().map(|tag| (*tag).to_owned()).collect())
}

#[test]
fn what_an_update_does_not_name_stays() {
    let kept = apply(&full(), &update(), NOW).unwrap();
    assert_eq!(kept, Policy { updated_at: NOW, ..full() });
    assert!(is_noop(&full(), &kept));
}

#[test]
fn each_field_changes_alone() {
    let with_fee = PolicyUpdate { fee_ppm_target: Edit::To(Ppm(0)), ..update() };
    let with_expiry = PolicyUpdate { expires_in_hours: Edit::To(720.0), ..update() };
    let cleared = PolicyUpdate {
        fee_ppm_target: Edit::Clear,
        fee_multiplier_min: Edit::Clear,
        fee_multiplier_max: Edit::Clear,
        expires_in_hours: Edit::Clear,
        ..update()
    };
    let none = Policy {
        fee_ppm_target: None,
        fee_multiplier_min: None,
        fee_multiplier_max: None,
        expires_at: None,
        ..full()
    };
    for (update, expected) in [
        (
            PolicyUpdate { strategy: Some("hive".parse().unwrap()), ..update() },
            Policy { strategy: "hive".parse().unwrap(), ..full() },
        ),
        (
            PolicyUpdate { rebalance_mode: Some(RebalanceMode::Disabled), ..update() },
            Policy { rebalance_mode: RebalanceMode::Disabled, ..full() },
        ),
        (with_fee, Policy { fee_ppm_target: Some(Ppm(0)), ..full() }),
        (with_expiry, Policy { expires_at: Some(NOW.plus(30 * UnixTime::DAY)), ..full() }),
        (cleared, none),
        (tags(&[" b ", "a", "b"]), Policy { tags: vec!["b".to_owned(), "a".to_owned()], ..full() }),
        (tags(&[]), Policy { tags: Vec::new(), ..full() }),
    ] {
        let new = apply(&full(), &update, NOW).unwrap();
        assert_eq!(new, Policy { updated_at: NOW, ..expected }, "{update:?}");
        assert!(!is_noop(&full(), &new), "{update:?}");
    }
}

#[test]
fn values_beyond_their_bounds_are_refused_by_name() {
    let min = |factor| PolicyUpdate { fee_multiplier_min: Edit::To(factor), ..update() };
    let max = |factor| PolicyUpdate { fee_multiplier_max: Edit::To(factor), ..update() };
    let hours = |hours| PolicyUpdate { expires_in_hours: Edit::To(hours), ..update() };
    let many: Vec<_> = (0..33).map(|number| format!("t{number}")).collect();
    for (update, part) in [
        (PolicyUpdate { fee_ppm_target: Edit::To(Ppm(100_001)), ..update() }, "0 to 100000"),
        (min(0.09), "fee_multiplier_min 0.09"),
        (min(f64::NAN), "fee_multiplier_min NaN"),
        (max(5.1), "0.1 to 5"),
        (min(2.1), "fee_multiplier_min (2.1) must not be above fee_multiplier_max (2)"),
        (max(0.4), "fee_multiplier_min (0.5) must not be above fee_multiplier_max (0.4)"),
        (hours(720.5), "at most 720"),
        (hours(f64::NAN), "at most 720"),
        (tags(&["a=b"]), "without '='"),
        (tags(&[""]), "1 to 64 bytes"),
        (tags(&[&"x".repeat(65)]), "1 to 64 bytes"),
        (tags(&["a\nb"]), "control"),
        (retagged(many), "33 tags"),
    ] {
        let error = apply(&full(), &update, NOW).expect_err(part);
        assert!(error.contains(part), "{error:?} lacks {part:?}");
    }
}

#[test]
fn the_ends_of_every_range_are_allowed() {
    let ends = PolicyUpdate {
        fee_ppm_target: Edit::To(Ppm(100_000)),
        fee_multiplier_min: Edit::To(0.1),
        fee_multiplier_max: Edit::To(5.0),
        ..tags(&[&"x".repeat(64)])
    };
    assert!(apply(&full(), &ends, NOW).is_ok());
    let equal = PolicyUpdate { fee_multiplier_min: Edit::To(2.0), ..update() };
    assert!(apply(&full(), &equal, NOW).is_ok());
}

#[test]
fn hours_become_an_end_and_none_of_them_no_end() {
    for (hours, end) in [
        (1.0, Some(3_600)),
        (0.5, Some(1_800)),
        (1e-9, Some(1)),
        (0.0, None),
        (-7.0, None),
        (f64::NEG_INFINITY, None),
    ] {
        let wanted = PolicyUpdate { expires_in_hours: Edit::To(hours), ..update() };
        let new = apply(&full(), &wanted, NOW).unwrap();
        assert_eq!(new.expires_at, end.map(|seconds| NOW.plus(seconds)), "{hours} h");
    }
}

#[test]
fn an_end_named_outright_is_ahead_or_none() {
    let at = |end| PolicyUpdate { expires_at: Edit::To(UnixTime(end)), ..update() };
    let month = NOW.0 + 30 * UnixTime::DAY;
    for (update, end) in [
        (at(NOW.0 + 1), Some(NOW.0 + 1)),
        (at(month), Some(month)),
        (at(0), None),
        (PolicyUpdate { expires_at: Edit::Clear, ..update() }, None),
        (PolicyUpdate { expires_in_hours: Edit::To(1.0), ..at(7) }, Some(NOW.0 + 3_600)),
    ] {
        assert_eq!(apply(&full(), &update, NOW).unwrap().expires_at, end.map(UnixTime), "{update:?}");
    }
    for past_or_far in [1, NOW.0, month + 1, u64::MAX] {
        let error = apply(&full(), &at(past_or_far), NOW).expect_err("not allowed");
        assert!(error.starts_with(&format!("expires_at {past_or_far} is not allowed")), "{error}");
    }
    let far = Policy { expires_at: Some(UnixTime(month + 9)), ..full() };
    assert!(is_noop(&far, &apply(&far, &at(month + 9), NOW).unwrap()), "what holds can be said again");
}

#[test]
fn tags_in_another_order_are_the_same_tags() {
    for (again, same) in [(tags(&["whale", "exchange"]), true), (tags(&["whale", "whale"]), false)] {
        let new = apply(&full(), &again, NOW).unwrap();
        assert_eq!(is_noop(&full(), &new), same, "{again:?}");
    }
}

#[test]
fn any_text_has_a_tag_near_it() {
    let long = format!("{}é", "x".repeat(63));
    for (text, tag) in [
        ("slow, dear", "slow  dear"),
        (" a=b\n", "a b"),
        (",=\u{7}", ""),
        (long.as_str(), &long[..63]),
        (&format!("{} y", "x".repeat(63)), &long[..63]),
    ] {
        assert_eq!(tag_of(text), tag, "{text:?}");
        assert!(tag.is_empty() || with_tag(&full(), tag).is_ok(), "{text:?}");
    }
}

#[test]
fn a_policy_past_its_time_is_the_default() {
    let default = Policy::default_for(PEER);
    assert_eq!(in_force(Some(full()), PEER, NOW), full());
    assert_eq!(in_force(Some(full()), PEER, NOW.plus(60)), default);
    assert_eq!(in_force(None, PEER, NOW), default);
    let later = NOW.plus(60);
    let new = apply(&full(), &tags(&["a"]), later).unwrap();
    assert_eq!(new, Policy { tags: vec!["a".to_owned()], updated_at: later, ..default });
}

#[test]
fn tags_come_and_go_one_by_one() {
    let more = with_tag(&full(), " hub ").unwrap();
    assert_eq!(more.tags.unwrap(), ["exchange", "whale", "hub"]);
    assert!(with_tag(&full(), "a=b").is_err());
    let again = apply(&full(), &with_tag(&full(), "whale").unwrap(), NOW).unwrap();
    assert!(is_noop(&full(), &again));
    let fewer = apply(&full(), &without_tag(&full(), "whale"), NOW).unwrap();
    assert_eq!(fewer.tags, ["exchange"]);
    let same = apply(&full(), &without_tag(&full(), "Whale"), NOW).unwrap();
    assert!(is_noop(&full(), &same), "tags differ by case");
}

#[test]
fn a_policy_whose_rate_is_missing_or_does_nothing_earns_a_warning() {
    let of = |strategy: &str, fee_ppm_target: Option<Ppm>| Policy {
        strategy: strategy.parse().expect("a name"),
        fee_ppm_target,
        ..full()
    };
    for (strategy, target, is_authors, expect) in [
        ("static", None, false, Some("keep the fees")),
        ("static", Some(Ppm(1)), false, None),
        ("dynamic", None, false, None),
        ("dynamic", Some(Ppm(1)), false, Some("no effect")),
        ("dynamic", Some(Ppm(1)), true, None),
        ("passive", Some(Ppm(1)), false, Some("no effect")),
        ("mine", Some(Ppm(1)), true, None),
    ] {
        let told = warning(&of(strategy, target), is_authors);
        let is_as_expected =
            expect.map_or(told.is_none(), |part| told.is_some_and(|text| text.contains(part)));
        assert!(is_as_expected, "{strategy} {target:?} {is_authors}: {told:?}");
    }
}

fn any_edit(range: std::ops::Range<f64>) -> impl Strategy<Value = Edit<f64>> {
    prop_oneof![Just(Edit::Keep), Just(Edit::Clear), range.prop_map(Edit::To)]
}

fn any_update() -> impl Strategy<Value = PolicyUpdate> {
    let strategy = prop::option::of(prop::sample::select(vec!["dynamic", "static", "mine"]));
    let fee =
        prop_oneof![Just(Edit::Keep), Just(Edit::Clear), (0u32..120_000).prop_map(|fee| Edit::To(Ppm(fee)))];
    let tags = prop::option::of(prop::collection::vec("[ab =]{0,3}", 0..4));
    (strategy, fee, tags, any_edit(0.0..6.0), any_edit(0.0..6.0), any_edit(-10.0..800.0)).prop_map(
        |(strategy, fee_ppm_target, tags, fee_multiplier_min, fee_multiplier_max, expires_in_hours)| {
            PolicyUpdate {
                strategy: strategy.map(|name| name.parse().unwrap()),
                rebalance_mode: None,
                rebalance_strategy: Edit::Keep,
                fee_ppm_target,
                tags,
                fee_multiplier_min,
                fee_multiplier_max,
                expires_in_hours,
                expires_at: Edit::Keep,
            }
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_accepted_is_within_bounds(updates in prop::collection::vec(any_update(), 1..6)) {
        let mut policy = Policy::default_for(PEER);
        for update in updates {
            let Ok(new) = apply(&policy, &update, NOW) else { continue };
            let factors = [new.fee_multiplier_min, new.fee_multiplier_max];
            prop_assert!(factors.into_iter().flatten().all(|factor| (0.1..=5.0).contains(&factor)));
            prop_assert!(new.fee_multiplier_min.zip(new.fee_multiplier_max).is_none_or(|(min, max)| min <= max));
            prop_assert!(new.fee_ppm_target.is_none_or(|fee| fee.0 <= 100_000));
            prop_assert!(new.expires_at.is_none_or(|end| end > NOW && end <= NOW.plus(30 * UnixTime::DAY)));
            let different: std::collections::BTreeSet<_> = new.tags.iter().collect();
            prop_assert_eq!(different.len(), new.tags.len(), "a tag is kept once");
            prop_assert!(new.tags.iter().all(|tag| !tag.is_empty() && !tag.contains('=')));
            let again = apply(&new, &update, NOW).unwrap();
            prop_assert!(is_noop(&new, &again), "the same change at the same instant changes nothing more");
            policy = new;
        }
    }
}
