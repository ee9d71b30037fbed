//! What holds for any node.

mod common;

use common::{decided, value, with_sources};
use proptest::prelude::*;
use revenue_strategy::FlowClass;
use revenue_strategy::ParamValue;
use revenue_strategy::rebalance::testing::{ChannelBuilder, InputBuilder, attempt};
use revenue_strategy::rebalance::{Attempt, RebalanceInput};

fn any_attempt() -> impl Strategy<Value = Attempt> {
    (0_u64..30, 50_000_u64..2_000_000, 0_u64..3_000, 1_u32..5_000)
        .prop_map(|(days, amount, fee, limit)| attempt(days, amount, fee, limit))
}

prop_compose! {
    /// A channel in any state of trade.
    fn any_channel()(
        capacity in 100_000_u64..20_000_000, share in 0.0..=1.0_f64, fee in 0_u32..5_000,
        peer_fee in prop::option::of(0_u32..3_000), sells in 0_u64..2_000_000, takes in 0_u64..2_000_000,
        live in 0.0..=1.0_f64, age_days in 0_u64..400, sent in (0.0..100.0_f64, 0.0..100.0_f64),
        flags in prop::array::uniform4(prop::bool::weighted(0.85)), flow in 0..3_u32,
        attempts in prop::collection::vec(any_attempt(), 0..4),
    ) -> ChannelBuilder {
        let channel = ChannelBuilder::new()
            .capacity_sat(capacity).local_share(share).fee_ppm(fee)
            .sells_per_day_sat(sells).takes_per_day_sat(takes).live_share(live).sent(sent.0, sent.1)
            .with(|c| {
                c.peer_fee_ppm = peer_fee;
                c.age_s = age_days * 86_400;
                [c.may_fill, c.may_drain, c.connected, c.fleet] = [flags[0], flags[1], flags[2], !flags[3]];
                c.flow = [FlowClass::Source, FlowClass::Sink, FlowClass::Balanced][flow as usize];
            });
        attempts.into_iter().fold(channel, ChannelBuilder::attempt)
    }
}

prop_compose! {
    fn any_input()(
        channels in prop::collection::vec(any_channel(), 0..24), budget in 0_u64..20_000, slots in 0_u32..6,
        kelly in any::<bool>(), reputation in any::<bool>(), gate in any::<bool>(), high in 0.1..=1.0_f64,
    ) -> RebalanceInput {
        let input = InputBuilder::new().budget_sat(budget).slots(slots)
            .param("host.high-liquidity-threshold", ParamValue::Number(high))
            .param("host.enable-kelly", ParamValue::Flag(kelly))
            .param("host.enable-reputation", ParamValue::Flag(reputation))
            .param("host.velocity-gate", ParamValue::Flag(gate));
        channels.into_iter().fold(input, InputBuilder::channel).build()
    }
}

fn worst_msat(amount_msat: u64, max_ppm: u64) -> u64 {
    (amount_msat * max_ppm).div_ceil(1_000_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_answer_keeps_the_contract_and_the_hosts_limits(input in any_input()) {
        let decision = decided(&input);
        let (mut begin, mut reserved) = (0, 0);
        for proposal in &decision.proposals {
            let to = &input.channels[proposal.to as usize];
            let sources = &decision.sources[begin..proposal.sources_end as usize];
            begin = proposal.sources_end as usize;
            prop_assert!(to.may_fill && to.connected);
            prop_assert!(proposal.amount_msat >= 50_000_000 && proposal.amount_msat <= to.fill_most_msat);
            prop_assert!(to.local_msat + proposal.amount_msat <= to.capacity_msat);
            let mut stock = 0;
            for &source in sources {
                let source = &input.channels[source as usize];
                prop_assert!(source.may_drain && source.connected);
                prop_assert!(source.peer_pseudonym != to.peer_pseudonym);
                stock += source.drain_most_msat;
            }
            prop_assert!(proposal.amount_msat <= stock);
            prop_assert!(proposal.max_ppm >= 1 && proposal.max_ppm <= 5_000);
            prop_assert!(proposal.success > 0.0 && proposal.success <= 1.0);
            let worst = worst_msat(proposal.amount_msat, proposal.max_ppm);
            prop_assert!(worst <= to.budget_left_msat);
            prop_assert!(proposal.cost_msat <= worst + proposal.amount_msat / 1_000_000);
            reserved += worst;
            let least = if to.fleet { -50_000 } else { 0 };
            prop_assert!(proposal.value_msat >= least, "{} for a fleet of {}", proposal.value_msat, to.fleet);
        }
        prop_assert!(reserved <= input.budget_left_msat);
        prop_assert!(decision.proposals.len() <= input.slots_free as usize);
        prop_assert_eq!(decision.proposals.len() + decision.refusals.len(), input.channels.len());
        prop_assert_eq!(&decision, &decided(&input), "the same input gives the same answer");
    }

    #[test]
    fn what_does_not_sell_is_never_filled(input in any_input()) {
        let mut input = input;
        for channel in input.channels.iter_mut().step_by(2) {
            channel.fleet = false;
            (channel.out_week_msat, channel.out_month_msat) = (0, 0);
        }
        let filled = decided(&input).proposals;
        prop_assert!(filled.iter().all(|proposal| proposal.to % 2 == 1), "{filled:?}");
    }

    #[test]
    fn a_higher_cost_never_raises_the_value(
        destination in any_channel(), peer_fee in 0_u32..3_000, dearer in 0_u32..3_000,
        paid in prop::collection::vec((0_u64..20, 100_000_u64..1_000_000, 1_u64..1_000), 0..4), more in 0_u64..1_000,
    ) {
        let with = |fee: u32, more: u64| {
            let channel = destination.clone().local_share(0.05).with(|c| {
                (c.may_fill, c.connected, c.fleet, c.peer_fee_ppm) = (true, true, false, Some(fee));
            });
            let past = paid.iter().fold(channel, |channel, &(days, amount, fee)| {
                channel.attempt(attempt(days, amount, fee + more, 5_000))
            });
            value(&with_sources(past).budget_sat(1_000_000).build())
        };
        let cheap = with(peer_fee, 0);
        prop_assert!(with(peer_fee + dearer, 0) <= cheap + 1, "a dearer last hop");
        prop_assert!(with(peer_fee, more) <= cheap + 1, "dearer attempts");
    }

    #[test]
    fn more_demand_never_lowers_the_value(
        destination in any_channel(), sells in 0_u64..1_000_000, more in 0_u64..1_000_000,
    ) {
        // The channel is new, so that its sales don't decide how much is wanted: the amounts that are
        // tried are the same.
        let with = |sells: u64| {
            let channel = destination.clone().local_share(0.05).fee_ppm(1_500).takes_per_day_sat(0)
                .sells_per_day_sat(sells).with(|c| {
                    (c.may_fill, c.connected, c.fleet, c.age_s) = (true, true, false, 0);
                });
            value(&with_sources(channel).budget_sat(1_000_000).build())
        };
        prop_assert!(with(sells + more) + 1 >= with(sells));
    }

    #[test]
    fn a_higher_price_never_lowers_the_value(destination in any_channel(), fee in 0_u32..4_000, more in 0_u32..1_000) {
        let with = |fee: u32| {
            let channel = destination.clone().local_share(0.05).fee_ppm(fee).sells_per_day_sat(150_000)
                .with(|c| (c.may_fill, c.connected, c.fleet) = (true, true, false));
            value(&with_sources(channel).budget_sat(1_000_000).build())
        };
        prop_assert!(with(fee + more) + 1 >= with(fee));
    }
}
