use super::*;
use crate::econ::pnl::Costs;
use crate::model::ledger::{CostKind, CostSource, SignedMsat};

const NOW: UnixTime = UnixTime(1_000 * UnixTime::DAY);

fn days_ago(days: u64) -> UnixTime {
    NOW.minus(days * UnixTime::DAY)
}

fn pnl(contribution: u64, open: i64) -> Pnl {
    let mut costs = Costs::default();
    costs.book(CostKind::Open, CostSource::Node, SignedMsat(open));
    Pnl { traffic: Traffic { sourced: Msat(contribution), ..Traffic::default() }, costs }
}

fn bought(days: &[u64]) -> Purchases {
    let mut purchases = Purchases::default();
    days.iter().for_each(|days| purchases.add(days_ago(*days)));
    purchases
}

/// Open for a year, silent for 40 days, two purchases unsold, and losing everything.
fn zombie() -> Standing {
    Standing {
        usable: true,
        since: Some(days_ago(365)),
        last_in: None,
        last_out: Some(days_ago(40)),
        purchases: bought(&[20, 10]),
    }
}

#[test]
fn classes() {
    use Class::{BreakEven, Profitable, StagnantCandidate, Underwater, Zombie};
    let busy = Standing { last_in: Some(days_ago(1)), ..zombie() };
    for (standing, pnl, class) in [
        (busy, pnl(1_000, 0), Profitable),
        (busy, pnl(1_101, 1_000), Profitable),
        (busy, pnl(1_100, 1_000), BreakEven),
        (busy, pnl(900, 1_000), BreakEven),
        (busy, pnl(899, 1_000), Underwater),
        (busy, pnl(0, 0), BreakEven),
        (Standing { last_in: Some(days_ago(7)), ..busy }, pnl(0, 1_000), StagnantCandidate),
        (Standing { last_in: Some(days_ago(7)), ..busy }, pnl(1_000, 1_000), BreakEven),
        (zombie(), pnl(0, 1_000), Zombie),
        (zombie(), pnl(1_000, 1_000), BreakEven),
        (Standing { usable: false, ..zombie() }, pnl(0, 1_000), StagnantCandidate),
        (Standing { purchases: bought(&[20]), ..zombie() }, pnl(0, 1_000), StagnantCandidate),
        (Standing { purchases: bought(&[20, 1]), ..zombie() }, pnl(0, 1_000), StagnantCandidate),
        // The first of them sold.
        (Standing { purchases: bought(&[50, 35]), ..zombie() }, pnl(0, 1_000), StagnantCandidate),
        (Standing { last_out: None, ..zombie() }, pnl(0, 1_000), Zombie),
        // A channel that has just opened is no candidate yet.
        (Standing { since: Some(days_ago(6)), ..Standing::default() }, pnl(0, 1_000), Underwater),
    ] {
        assert_eq!(standing.class(&pnl, NOW), class, "{standing:?} {pnl:?}");
    }
}

#[test]
fn purchases_are_noted_in_any_order() {
    for order in [[30, 20, 10], [10, 20, 30], [20, 30, 10], [10, 30, 20]] {
        let purchases = bought(&order);
        let expected = Purchases { count: 3, last: Some(days_ago(10)), before_last: Some(days_ago(20)) };
        assert_eq!(purchases, expected, "{order:?}");
    }
}

#[test]
fn roles() {
    for (in_count, out_count, expected) in [
        (0, 0, "dormant"),
        (9, 0, "dormant"),
        (10, 0, "inbound_gateway"),
        (7, 3, "balanced"),
        (3, 8, "outbound_gateway"),
        (5, 5, "balanced"),
    ] {
        let traffic = Traffic { in_count, out_count, ..Traffic::default() };
        assert_eq!(role(&traffic), expected, "{in_count} in, {out_count} out");
    }
}

#[test]
fn profiles_and_ratios() {
    use FlowProfile::{Balanced, Inactive, InboundDominant, InboundOnly, OutboundDominant, OutboundOnly};
    for (inbound, outbound, profile, ratio) in [
        (0, 0, Inactive, Some(0.0)),
        (5, 0, InboundOnly, None),
        (0, 5, OutboundOnly, Some(0.0)),
        (301, 100, InboundDominant, Some(3.01)),
        (300, 100, Balanced, Some(3.0)),
        (33, 100, Balanced, Some(0.33)),
        (32, 100, OutboundDominant, Some(0.32)),
    ] {
        let traffic = Traffic { in_msat: Msat(inbound), out_msat: Msat(outbound), ..Traffic::default() };
        assert_eq!((FlowProfile::of(&traffic), inbound_outbound_ratio(&traffic)), (profile, ratio));
    }
}

#[test]
fn multipliers_follow_the_marginal_return() {
    for (roi, multiplier) in
        [(0.21, 0.95), (0.2, 1.0), (0.0, 1.0), (-0.2, 1.05), (-0.21, 1.10), (-0.5, 1.10), (-0.51, 1.15)]
    {
        assert_eq!(Class::Underwater.fee_multiplier(roi), multiplier, "{roi}");
    }
    assert_eq!(Class::Zombie.fee_multiplier(-1.0), 1.0);
}
