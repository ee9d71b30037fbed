//! What an operator sees: which channels are filled, from where, at what price,
//! and why the others are not.

mod common;

use common::{decided, factor, flag, idle, only, refusal, seller, value, with_sources};
use revenue_strategy::rebalance::testing::{ChannelBuilder, InputBuilder, attempt};
use revenue_strategy::{FlowClass, ParamValue};

const SAT: u64 = 1_000;

#[test]
fn a_channel_that_sells_is_filled_from_what_does_not() {
    let input = with_sources(seller()).budget_sat(100_000).build();
    let decision = decided(&input);
    let job = &decision.proposals[0];
    assert_eq!((decision.proposals.len(), job.to), (1, 0));
    assert_eq!(decision.sources, [1, 2, 3], "each of them loses nothing");
    assert_eq!(job.amount_msat % (500_000 * SAT), 0, "whole payments");
    assert!(job.amount_msat <= 2_400_000 * SAT, "up to the target of a half");
    let gain = factor(&decision, "gain-ppm").expect("a gain");
    assert!(gain < 2_000.0 && gain > 1_000.0, "a sale within days counts almost whole: {gain}");
    assert_eq!(factor(&decision, "loss-ppm"), Some(0.0));
    assert_eq!(job.max_ppm, gain as u64, "a route is worth taking up to what it brings");
    assert_eq!(factor(&decision, "attempts"), Some(0.0), "an assumption is labelled as one");
    let cost = factor(&decision, "cost-ppm").expect("a cost");
    assert!(cost < gain && job.success > 0.5, "{cost} {}", job.success);
}

#[test]
fn each_no_has_its_reason() {
    let cases: [(&str, ChannelBuilder); 8] = [
        ("stocked", seller().local_share(0.5)),
        ("barred", seller().with(|c| c.may_fill = false)),
        ("offline", seller().with(|c| c.connected = false)),
        ("no-demand", seller().sells_per_day_sat(0)),
        ("no-demand", seller().takes_per_day_sat(500_000)),
        ("slow", seller().local_share(0.16).sells_per_day_sat(10_000)),
        ("too-small", seller().with(|c| c.fill_most_msat = 49_999 * SAT)),
        ("no-budget", seller().with(|c| c.budget_left_msat = 0)),
    ];
    for (reason, destination) in cases {
        assert_eq!(refusal(&with_sources(destination.clone()).build(), 0), reason, "{destination:?}");
    }
    assert_eq!(refusal(&InputBuilder::new().channel(seller()).build(), 0), "no-source");
    let worthless = with_sources(seller().fee_ppm(0).sells_per_day_sat(200_000)).build();
    assert_eq!(refusal(&worthless, 0), "no-gain");
    let dear = with_sources(seller().fee_ppm(300).sells_per_day_sat(200_000).peer_fee_ppm(5_000)).build();
    assert_eq!(refusal(&dear, 0), "too-dear");
    assert_eq!(refusal(&with_sources(seller()).slots(0).build(), 0), "no-slot");
}

#[test]
fn what_is_worth_more_where_it_is_stays_there() {
    let busy = idle().fee_ppm(4_000).sells_per_day_sat(400_000);
    let input = InputBuilder::new().channel(seller()).channel(busy.clone()).build();
    assert_eq!(refusal(&input, 0), "no-gain");
    let input =
        InputBuilder::new().channel(seller()).channel(busy).channel(idle()).budget_sat(100_000).build();
    assert_eq!(decided(&input).sources, [2], "the quiet one alone");
}

#[test]
fn a_channel_to_the_same_peer_is_no_source() {
    let peer = |builder: ChannelBuilder| builder.with(|c| c.peer_pseudonym = 77);
    let input = InputBuilder::new().channel(peer(seller())).channel(peer(idle())).build();
    assert_eq!(refusal(&input, 0), "no-source");
}

#[test]
fn a_channel_that_was_empty_is_judged_by_the_time_in_which_it_could_sell() {
    // The same sales in a tenth of the time are ten times the demand.
    let always = seller().sells_per_day_sat(20_000).with(|c| c.age_s = 0);
    let seldom = always.clone().live_share(0.1);
    let gain = |channel: ChannelBuilder| {
        let decision = decided(&with_sources(channel).budget_sat(100_000).build());
        factor(&decision, "sells-sat-day").expect("demand")
    };
    assert!(gain(seldom) > 4.0 * gain(always));
}

#[test]
fn own_attempts_teach_what_a_route_costs() {
    let paid = |sat| (0..6).fold(seller(), |row, days| row.attempt(attempt(days, 500_000, sat, 3_000)));
    let route = |channel: ChannelBuilder| {
        let decision = decided(&with_sources(channel).budget_sat(100_000).build());
        factor(&decision, "route-ppm").expect("a route")
    };
    let assumed = route(seller());
    assert!((assumed - 600.0).abs() < 1.0, "last hop and estimate: {assumed}");
    assert!(route(paid(50)) < 250.0, "100 ppm were paid: {}", route(paid(50)));
    assert!(route(paid(500)) > 750.0, "1,000 ppm were paid: {}", route(paid(500)));
    let failed = (0..6).fold(seller(), |row, days| row.attempt(attempt(days, 500_000, 0, 900)));
    assert!(route(failed) > 900.0, "nothing was found for 900 ppm");
    let other_size = (0..6).fold(seller(), |row, days| row.attempt(attempt(days, 60_000, 6, 3_000)));
    assert!(route(other_size) > route(paid(50)), "another amount teaches less");
    let unknown = route(seller().with(|c| c.peer_fee_ppm = None));
    assert!((unknown - 1_000.0).abs() < 1.0, "twice the estimate: {unknown}");
}

#[test]
fn slots_go_to_the_most_value_per_satoshi_reserved() {
    let better = seller().fee_ppm(4_000).sells_per_day_sat(200_000);
    let input = InputBuilder::new()
        .channel(seller())
        .channel(better)
        .channel(seller())
        .channel(idle())
        .channel(idle())
        .param("sources", ParamValue::Integer(1))
        .budget_sat(1_000_000)
        .slots(1)
        .build();
    let decision = decided(&input);
    assert_eq!(decision.proposals.iter().map(|job| job.to).collect::<Vec<_>>(), [1]);
    assert_eq!(refusal(&input, 0), "no-slot");
}

#[test]
fn two_jobs_share_no_channel() {
    let input = InputBuilder::new()
        .channel(seller())
        .channel(seller())
        .channel(idle())
        .channel(idle())
        .param("sources", ParamValue::Integer(1))
        .budget_sat(1_000_000)
        .build();
    let decision = decided(&input);
    assert_eq!((decision.proposals.len(), decision.sources.as_slice()), (2, &[2, 3][..]));
    let one_source =
        InputBuilder::new().channel(seller()).channel(seller()).channel(idle()).budget_sat(1_000_000).build();
    assert_eq!(decided(&one_source).proposals.len(), 1);
    assert_eq!(refusal(&one_source, 1), "no-source");
}

#[test]
fn a_scarce_budget_makes_offers_lower_rather_than_fewer() {
    let node = |budget| {
        let row = || idle().with(|c| c.drain_most_msat = 1_000_000 * SAT);
        let input = InputBuilder::new().budget_sat(budget).param("sources", ParamValue::Integer(3));
        let input = (0..3).fold(input, |input, _| input.channel(seller()));
        decided(&(0..9).fold(input, |input, _| input.channel(row())).build())
    };
    let (rich, poor) = (node(1_000_000), node(2_500));
    assert_eq!((rich.proposals.len(), poor.proposals.len()), (3, 3));
    let reserved: u64 = poor.proposals.iter().map(|job| job.amount_msat * job.max_ppm / 1_000_000).sum();
    assert!(reserved <= 2_500 * SAT, "{reserved}");
    assert!(poor.proposals[0].max_ppm < rich.proposals[0].max_ppm);
}

#[test]
fn stock_covers_days_of_sales_and_a_slow_channel_little() {
    // 30,000 sat a day for 14 days, less what is there.
    let job = only(
        &with_sources(
            seller().sells_per_day_sat(30_000).takes_per_day_sat(60_000).live_share(0.2).sent(1_000.0, 0.0),
        )
        .budget_sat(100_000)
        .build(),
    );
    assert!(job.amount_msat < 1_500_000 * SAT, "{job:?}");
    let gate = |on| {
        let slow = seller().sells_per_day_sat(30_000).local_share(0.01);
        let input = with_sources(slow)
            .param("host.velocity-gate", flag(on))
            .param("cover-days", ParamValue::Number(365.0));
        decided(&input.budget_sat(100_000).build())
    };
    assert!((factor(&gate(true), "target-share").expect("filled") - 0.15).abs() < 1e-9);
    assert!((factor(&gate(false), "target-share").expect("filled") - 0.5).abs() < 1e-9);
}

#[test]
fn a_new_channel_is_not_judged_by_its_volume() {
    let young = |days: u64| {
        let channel = seller().sells_per_day_sat(30_000).local_share(0.01).with(|c| {
            c.age_s = days * 86_400;
            (c.live_week_s, c.live_month_s) = (604_800, 604_800);
            c.out_month_msat = c.out_week_msat;
            c.earned_month_msat = c.earned_week_msat;
        });
        factor(&decided(&with_sources(channel).budget_sat(100_000).build()), "target-share").expect("filled")
    };
    assert!((young(6) - 0.5).abs() < 1e-9);
    assert!(young(8) < 0.2);
}

#[test]
fn targets_follow_the_flow() {
    let target = |flow| {
        let row = seller().sells_per_day_sat(2_000_000).with(|c| c.flow = flow);
        factor(&decided(&with_sources(row).budget_sat(1_000_000).build()), "target-share").expect("filled")
    };
    assert!((target(FlowClass::Source) - 0.65).abs() < 1e-9);
    assert!((target(FlowClass::Sink) - 0.35).abs() < 1e-9);
    assert!((target(FlowClass::Balanced) - 0.5).abs() < 1e-9);
}

#[test]
fn demand_counts_by_the_records_of_those_who_sent_it() {
    let node = |settled, failed, on| {
        with_sources(seller().sender(4, 100_000).with(|c| c.age_s = 0))
            .channel(ChannelBuilder::new().sent(settled, failed))
            .param("host.enable-reputation", flag(on))
            .budget_sat(1_000_000)
            .build()
    };
    let (good, bad) = (node(500.0, 0.0, true), node(10.0, 90.0, true));
    let weight = |input| factor(&decided(input), "reputation").expect("a weight");
    assert!(weight(&good) > 0.99 && (weight(&bad) - 11.0 / 102.0).abs() < 1e-9);
    assert!(value(&good) > value(&bad));
    assert_eq!(value(&node(10.0, 90.0, false)), value(&node(500.0, 0.0, false)), "switched off");
}

#[test]
fn kelly_makes_the_amount_smaller_not_the_price() {
    let node = |on, forwards| {
        let row = seller().fee_ppm(900).sells_per_day_sat(200_000).with(|c| c.forwards_out_month = forwards);
        with_sources(row).param("host.enable-kelly", flag(on)).budget_sat(1_000_000).build()
    };
    let (whole, staked) = (only(&node(false, 100)), only(&node(true, 100)));
    assert!(staked.amount_msat < whole.amount_msat && staked.amount_msat >= 50_000 * SAT);
    assert!(staked.max_ppm >= whole.max_ppm, "less of it sells sooner");
    assert_eq!(refusal(&node(true, 0), 0), "kelly", "one forward in two is not a bet to take");
}

#[test]
fn a_fleet_member_may_cost_what_the_operator_allows() {
    let member = ChannelBuilder::new().local_share(0.05).fee_ppm(0).peer_fee_ppm(0).with(|c| c.fleet = true);
    let near = with_sources(member.clone()).param("host.inbound-fee-estimate-ppm", ParamValue::Integer(50));
    let job = only(&near.clone().build());
    assert!(job.value_msat < 0 && job.value_msat >= -50_000, "{job:?}");
    assert!(job.amount_msat * job.max_ppm / 1_000_000 <= 50_000, "never more than 50 sat");
    assert!(job.success > 0.2, "within reach: {}", job.success);
    let none = near.param("host.hive-rebalance-tolerance-sats", ParamValue::Integer(0)).build();
    assert_eq!(refusal(&none, 0), "no-gain");
    let both =
        with_sources(member).channel(seller()).param("sources", ParamValue::Integer(1)).slots(1).build();
    assert_eq!(decided(&both).proposals[0].to, 4, "what pays comes first");
}

#[test]
fn a_least_profit_is_asked_of_a_success() {
    let node = |name, least| {
        with_sources(seller()).param(name, ParamValue::Integer(least)).budget_sat(1_000_000).build()
    };
    assert_eq!(refusal(&node("host.rebalance-min-profit-sats", 100_000), 0), "too-dear");
    assert_eq!(refusal(&node("host.rebalance-min-profit-ppm", 1_999), 0), "too-dear");
    let (free, asked) = (
        only(&node("host.rebalance-min-profit-sats", 0)),
        only(&node("host.rebalance-min-profit-ppm", 1_200)),
    );
    assert!(asked.max_ppm < free.max_ppm, "a higher profit is a lower offer");
}
