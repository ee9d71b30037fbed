//! The terms of the Alpha Sequence, one by one, through many cycles.

#![allow(clippy::unwrap_used)]

mod common;

use common::Node;
use revenue_strategy::testing::ChannelBuilder;
use revenue_strategy::{FlowClass, Opener, Verdict};

fn half() -> ChannelBuilder {
    ChannelBuilder::new()
}

fn fifth() -> ChannelBuilder {
    ChannelBuilder::new().local_share(0.2)
}

#[test]
fn a_quiet_channel_keeps_its_fee() {
    let mut node = Node::new(200);
    for _ in 0..100 {
        assert_eq!(node.quiet(half()), None);
    }
}

#[test]
fn scarcity_does_not_compound() {
    let mut node = Node::new(200);
    let first = node.quiet(fifth()).unwrap();
    let expected = 3f64.powf(1.0 - 0.2 / 0.35);
    assert_eq!(first.ppm, (200.0 * expected).round() as u64);
    assert_eq!(first.reason, "scarcity");
    assert_eq!(first.factor("base-ppm"), Some(200.0));
    assert!((first.factor("scarcity").unwrap() - expected).abs() < 1e-3);
    for cycle in 1..50 {
        assert_eq!(node.quiet(fifth()), None, "cycle {cycle}");
    }
    assert_eq!(u64::from(node.fee_ppm), first.ppm);
}

#[test]
fn scarcity_triples_an_empty_channel_and_goes_away() {
    let mut node = Node::new(200);
    assert_eq!(node.quiet(half().local_share(0.0)).unwrap().ppm, 600);
    assert_eq!(node.quiet(half()).unwrap().ppm, 200);
}

#[test]
fn the_noise_of_a_balance_costs_few_updates() {
    let mut node = Node::new(200);
    let mut updates = 0;
    for cycle in 0..200 {
        let share = 0.2 + 0.03 * f64::from(cycle % 3 - 1);
        updates += usize::from(node.quiet(half().local_share(share)).is_some());
    }
    assert!(updates <= 2, "{updates} updates");
}

#[test]
fn scarcity_can_be_switched_off() {
    use revenue_strategy::testing::{InputBuilder, decide};
    let input = InputBuilder::new()
        .param("host.scarcity-pricing", revenue_strategy::ParamValue::Flag(false))
        .channel(fifth())
        .build();
    assert!(decide::<strategy_dynamic::Dynamic>(&input).unwrap().proposals.is_empty());
}

#[test]
fn a_remote_opened_channel_is_spared_until_it_is_broken_in() {
    let mut node = Node::new(200);
    let empty = || half().local_share(0.0).opener(Opener::Remote);
    for _ in 0..5 {
        assert_eq!(node.quiet(empty().with(|c| c.forwards_out_total = 0)), None);
    }
    let broken_in = node.quiet(empty().with(|c| c.forwards_out_total = 3)).unwrap();
    assert_eq!((broken_in.ppm, broken_in.reason.as_str()), (600, "scarcity"));
    let mut ours = Node::new(200);
    let local = half().local_share(0.0).with(|c| c.forwards_out_total = 0);
    assert_eq!(ours.quiet(local).unwrap().ppm, 600);
}

#[test]
fn congestion_in_either_direction_asks_the_maximum_and_returns() {
    for (incoming, outgoing) in [(0, 400), (400, 0)] {
        let mut node = Node::new(200);
        let full = || half().htlcs(incoming, outgoing).bounds_ppm(10, 3000);
        assert_eq!(node.quiet(half().htlcs(200, 200).bounds_ppm(10, 3000)), None);
        let jump = node.quiet(full()).unwrap();
        assert_eq!((jump.ppm, jump.reason.as_str()), (3000, "congestion"));
        assert_eq!(jump.factor("congestion"), Some(15.0));
        assert_eq!(jump.factor("ceiling-ppm"), Some(3000.0));
        assert_eq!(node.quiet(full()), None);
        let back = node.quiet(half().bounds_ppm(10, 3000)).unwrap();
        assert_eq!((back.ppm, back.reason.as_str()), (200, "congestion-over"));
        assert_eq!(node.quiet(half().bounds_ppm(10, 3000)), None);
    }
}

#[test]
fn what_congestion_sells_is_no_evidence() {
    let mut node = Node::new(200);
    for _ in 0..200 {
        node.cycle(half().htlcs(0, 400), 1800, 1800, 0);
    }
    assert_eq!(node.fee_ppm, 5000);
    assert_eq!(node.quiet(half()).unwrap().ppm, 200);
}

#[test]
fn a_feerate_spike_raises_the_floor_at_once_and_it_sinks_in_half_hours() {
    let mut node = Node::new(50);
    let cheap = || half().bounds_ppm(40, 5000);
    assert_eq!(node.quiet(cheap()), None);
    node.feerate = (40_000, 10_000);
    let spike = node.quiet(cheap()).unwrap();
    // 3 ppm per sat/vB make 120 ppm, tripled.
    assert_eq!((spike.ppm, spike.reason.as_str()), (360, "vegas"));
    node.feerate = (10_000, 10_000);
    for expected in [80, 60, 60, 60, 60, 60, 50] {
        let proposed = node.quiet(cheap());
        let word = proposed.as_ref().map(|p| p.reason.as_str());
        assert!(matches!(word, None | Some("vegas" | "vegas-over")), "{word:?}");
        let sinking = node.fee_ppm;
        assert_eq!(sinking, expected);
    }
    assert_eq!(node.fee_ppm, 50);
    for _ in 0..10 {
        assert_eq!(node.quiet(cheap()), None);
    }
}

#[test]
fn the_reflex_can_be_switched_off() {
    use revenue_strategy::testing::{InputBuilder, decide};
    let input = InputBuilder::new()
        .param("host.vegas-reflex", revenue_strategy::ParamValue::Flag(false))
        .feerate(90_000, 10_000)
        .channel(half().fee_ppm(50))
        .build();
    assert!(decide::<strategy_dynamic::Dynamic>(&input).unwrap().proposals.is_empty());
}

#[test]
fn a_drained_silent_channel_is_not_made_cheaper() {
    let mut node = Node::new(500);
    let drained = || half().local_share(0.01);
    let first = node.quiet(drained()).unwrap();
    assert!(first.ppm > 1400);
    for _ in 0..48 * 60 {
        assert_eq!(node.quiet(drained()), None);
    }
}

#[test]
fn a_usable_silent_channel_comes_down_to_the_floor() {
    let mut node = Node::new(1000);
    let mut updates = 0;
    for _ in 0..48 * 60 {
        updates += u32::from(node.cycle(half(), 1800, 1800, 0).is_some());
    }
    assert!(node.fee_ppm <= 40, "{} ppm", node.fee_ppm);
    assert!(updates < 30, "{updates} updates");
}

#[test]
fn what_refilling_costs_is_a_floor_for_sources_only() {
    let costly = |flow| {
        half().with(move |c| {
            c.rebalance_cost_ppm = Some(700);
            c.flow = flow;
        })
    };
    let mut node = Node::new(200);
    assert_eq!(node.quiet(costly(FlowClass::Sink)), None);
    let floored = node.quiet(costly(FlowClass::Source)).unwrap();
    assert_eq!((floored.ppm, floored.reason.as_str()), (700, "rebalance-cost"));
    assert_eq!(floored.factor("rebalance-cost-ppm"), Some(700.0));
    assert_eq!(node.quiet(costly(FlowClass::Balanced)).unwrap().ppm, 200);
}

#[test]
fn a_rate_outside_the_bounds_is_brought_in() {
    let mut node = Node::new(200);
    let raised = node.quiet(half().bounds_ppm(205, 5000)).unwrap();
    assert_eq!((raised.ppm, raised.factor("floor-ppm")), (205, Some(205.0)));
}

#[test]
fn without_updates_left_nothing_is_proposed() {
    let mut node = Node::new(200);
    let none = || half().htlcs(0, 483).local_share(0.0).with(|c| c.updates_left = 0);
    assert_eq!(node.quiet(none()), None);
    node.feerate = (90_000, 10_000);
    assert_eq!(node.quiet(none()), None);
}

#[test]
fn without_updates_left_a_rate_out_of_bounds_is_brought_back() {
    let mut node = Node::new(200);
    let none = || half().bounds_ppm(760, 5000).with(|c| c.updates_left = 0);
    assert_eq!(node.quiet(none()).unwrap().ppm, 760);
    assert_eq!(node.quiet(none()), None);
}

#[test]
fn in_a_rehearsal_every_channel_is_explained_and_nothing_else_differs() {
    let mut node = Node::new(200);
    assert_eq!(node.cycle(half(), 1800, 1800, 2), None);
    assert_eq!(node.quiet(half()), None);
    node.explain = true;
    let (state, before) = (node.state.clone(), node.fee_ppm);
    let told = node.quiet(half()).unwrap();
    assert_eq!((told.ppm, told.reason.as_str()), (200, "climb"));
    assert_eq!((told.factor("base-ppm"), told.factor("scarcity")), (Some(200.0), Some(1.0)));
    let left = told.factor("hold-hours-left").unwrap();
    assert!((0.0..=8.0).contains(&left), "{told:?}");
    assert_eq!((node.fee_ppm, node.state.len()), (before, state.len()));
}

#[test]
fn a_rehearsal_says_what_spares_a_channel_that_its_peer_opened() {
    let mut node = Node::new(200);
    node.explain = true;
    let remote = |forwards| {
        half().local_share(0.0).with(|c| (c.opener, c.forwards_out_total) = (Opener::Remote, forwards))
    };
    let spared = node.quiet(remote(1)).unwrap();
    assert_eq!((spared.ppm, spared.factor("amnesty-forwards-left")), (200, Some(2.0)));
    let broken_in = node.quiet(remote(3)).unwrap();
    assert_eq!((broken_in.ppm, broken_in.factor("amnesty-forwards-left")), (600, None));
}

#[test]
fn the_last_update_of_a_day_is_kept_for_congestion() {
    let mut node = Node::new(200);
    node.last_change_s = node.now_s - 4 * 3600;
    let last = || fifth().with(|c| c.updates_left = 1);
    assert_eq!(node.quiet(last()), None);
    assert_eq!(node.quiet(last().htlcs(0, 483)).unwrap().reason, "congestion");
}

#[test]
fn a_rate_that_was_declined_is_not_repeated_every_cycle() {
    for answer in [Verdict::Refused, Verdict::Suppressed] {
        let mut node = Node::new(200);
        node.answer = answer;
        let asked = (0..48).filter(|_| node.quiet(fifth()).is_some()).count();
        assert_eq!(asked, 6, "once in four hours");
    }
}

#[test]
fn a_rate_set_by_somebody_else_becomes_the_price() {
    let mut node = Node::new(200);
    assert_eq!(node.quiet(half()), None);
    node.fee_ppm = 777;
    for _ in 0..10 {
        assert_eq!(node.quiet(half()), None);
    }
    let scarce = node.quiet(half().local_share(0.0)).unwrap();
    assert_eq!(scarce.factor("base-ppm"), Some(777.0));
}

#[test]
fn a_suppressed_wish_gets_no_credit_for_what_happens_meanwhile() {
    // Nothing sells at 1000 ppm, and the host takes no change: the wish goes
    // down, the windows stay with the rate in force.
    let mut node = Node::new(1000);
    node.answer = Verdict::Suppressed;
    for _ in 0..48 * 10 {
        node.cycle(half(), 1800, 1800, 0);
    }
    assert_eq!(node.fee_ppm, 1000);
    // As soon as it is taken, a lower price is in force within hours.
    node.answer = Verdict::Published;
    for _ in 0..10 {
        node.quiet(half());
    }
    assert!(node.fee_ppm < 700, "{} ppm", node.fee_ppm);
}

#[test]
fn climbing_moves_pass_the_gossip_gate() {
    let mut node = Node::new(200);
    let mut fees = vec![node.fee_ppm];
    for cycle in 0..48 * 10 {
        if let Some(proposed) = node.cycle(half(), 1800, 1800, u32::from(cycle % 3 == 0)) {
            assert!(matches!(proposed.reason.as_str(), "climb" | "explore"), "{proposed:?}");
            assert!(proposed.factor("evidence-hours").unwrap() > 0.0);
            fees.push(node.fee_ppm);
        }
    }
    assert!(fees.len() > 2, "it moves");
    for pair in fees.windows(2) {
        let ratio = f64::from(pair[1].max(pair[0])) / f64::from(pair[1].min(pair[0]));
        assert!((1.15..2.2).contains(&ratio), "{pair:?}");
    }
}

#[test]
fn demand_that_does_not_mind_the_price_is_asked_more() {
    let mut node = Node::new(100);
    for _ in 0..48 * 45 {
        node.cycle(half(), 1800, 1800, 1);
    }
    assert!(node.fee_ppm > 1000, "{} ppm", node.fee_ppm);
}

#[test]
fn a_lost_state_starts_from_the_rate_in_force() {
    let mut node = Node::new(200);
    node.state = b"not a state at all".to_vec();
    node.node_state = vec![0xff; 40];
    assert_eq!(node.quiet(half()), None);
    assert_eq!(node.quiet(fifth()).unwrap().factor("base-ppm"), Some(200.0));
}

#[test]
fn a_rate_set_by_hand_after_a_limited_proposal_is_the_new_price() {
    let mut node = Node::new(200);
    node.answer = Verdict::Limited;
    assert_eq!(node.quiet(half().local_share(0.0)).unwrap().ppm, 600);
    // The host went half of the way: still the strategy's own price.
    (node.fee_ppm, node.last_change_s) = (400, node.now_s - 1800);
    assert_eq!(node.quiet(half()).unwrap().ppm, 200);
    // Somebody sets a rate later.
    (node.fee_ppm, node.last_change_s) = (1000, node.now_s - 60);
    assert_eq!(node.quiet(half()), None);
}

#[test]
fn a_rate_set_by_hand_holds_whatever_the_balance_was_before() {
    for (before, now) in [(0.0, 0.5), (0.5, 0.0)] {
        let mut node = Node::new(200);
        node.quiet(half().local_share(before));
        node.fee_ppm = 777;
        assert_eq!(node.quiet(half().local_share(now)), None, "{before} to {now}");
    }
}
