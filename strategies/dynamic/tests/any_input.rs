//! Whatever the host says, the answer is one that the host can take.

use proptest::prelude::*;
use revenue_strategy::testing::{ChannelBuilder, InputBuilder, decide, interval};
use revenue_strategy::{
    Channel, FeeDecision, FeeInput, FeeInterval, FeeStrategy, FlowClass, Opener, ParamValue, Verdict,
};
use strategy_dynamic::Dynamic;

fn verdicts() -> impl Strategy<Value = Verdict> {
    prop::sample::select(vec![
        Verdict::None,
        Verdict::Published,
        Verdict::Limited,
        Verdict::Unchanged,
        Verdict::Suppressed,
        Verdict::RateLimited,
        Verdict::Refused,
        Verdict::DryRun,
    ])
}

fn numbers() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), 1..20_000u32, Just(u32::MAX)]
}

fn intervals() -> impl Strategy<Value = Vec<FeeInterval>> {
    let one = (any::<u32>(), any::<u32>(), numbers(), numbers(), numbers()).prop_map(
        |(start_s, length_s, fee_ppm, live_s, settled)| {
            let start_s = u64::from(start_s);
            let mut one = interval(start_s, start_s + u64::from(length_s), fee_ppm);
            one.live_s = live_s;
            one.settled = settled;
            one
        },
    );
    prop::collection::vec(one, 0..6)
}

prop_compose! {
    fn channels()(
        money in (0..1u64 << 53, 0..1u64 << 53),
        htlcs in (numbers(), numbers(), numbers()),
        fees in (numbers(), numbers(), numbers()),
        known in (prop::option::of(numbers()), verdicts(), prop::option::of(numbers())),
        remote: bool,
        source: bool,
        counts in (numbers(), 0..8u32, any::<u32>()),
    ) -> Channel {
        let edit = |c: &mut Channel| {
            (c.capacity_msat, c.local_msat) = money;
            (c.htlcs_in, c.htlcs_out, c.htlc_slots) = htlcs;
            (c.fee_ppm, c.min_fee_ppm, c.max_fee_ppm) = fees;
            (c.rebalance_cost_ppm, c.last_verdict, c.last_proposed_ppm) = known;
            c.opener = if remote { Opener::Remote } else { Opener::Local };
            c.flow = if source { FlowClass::Source } else { FlowClass::Sink };
            (c.forwards_out_total, c.updates_left) = (counts.0, counts.1);
            c.last_change_s = u64::from(counts.2);
        };
        ChannelBuilder::new().with(edit).channel()
    }
}

fn settings() -> impl Strategy<Value = Vec<(&'static str, f64)>> {
    let names = prop::sample::select(vec![
        "host.htlc-congestion-threshold",
        "host.vegas-decay",
        "host.scarcity-threshold",
        "host.gossip-gate",
        "prior-ppm",
        "hold-hours",
        "explore",
        "memory-days",
        "settle-hours",
        "amnesty-forwards",
    ]);
    let values = prop_oneof![-1.0..2.0f64, 0.0..1e9f64, Just(f64::NAN), Just(f64::INFINITY)];
    prop::collection::vec((names, values), 0..6)
}

prop_compose! {
    fn inputs()(
        rows in prop::collection::vec(
            (channels(), intervals(), prop::collection::vec(any::<u8>(), 0..120)), 0..5),
        now_s in prop_oneof![any::<u32>().prop_map(u64::from), Just(0), Just((1u64 << 53) - 1)],
        seed in 0..1u64 << 53,
        feerates in (numbers(), numbers()),
        node_state in prop::collection::vec(any::<u8>(), 0..24),
        settings in settings(),
    ) -> FeeInput {
        let mut builder = InputBuilder::new()
            .now_s(now_s)
            .seed(seed)
            .feerate(feerates.0, feerates.1)
            .node_state(&node_state);
        for (name, value) in settings {
            builder = builder.param(name, ParamValue::Number(value));
        }
        for (channel, intervals, state) in rows {
            let row = ChannelBuilder::new().with(|c| *c = channel).intervals(intervals).state(&state);
            builder = builder.channel(row);
        }
        builder.build()
    }
}

fn assert_sound(input: &FeeInput, decided: &FeeDecision) {
    let told = Dynamic::describe();
    let rows = input.channels.len();
    assert_eq!(decided.states.ends.len(), rows);
    assert!((0..rows).all(|row| decided.states.entry(row).len() <= 1024));
    assert!(decided.node_state.len() <= 65_536);
    assert!(decided.proposals.windows(2).all(|pair| pair[0].channel < pair[1].channel));
    let mut begin = 0;
    for proposal in &decided.proposals {
        let channel = &input.channels[proposal.channel as usize];
        let fee = channel.fee_ppm;
        let outside = fee < channel.min_fee_ppm || fee > channel.max_fee_ppm;
        assert!(channel.updates_left > 0 || outside);
        assert!(proposal.fee_ppm <= u64::from(channel.max_fee_ppm));
        assert!(proposal.fee_ppm >= u64::from(channel.min_fee_ppm.min(channel.max_fee_ppm)));
        assert!((proposal.reason as usize) < told.reasons.len());
        assert!((1..=16).contains(&(proposal.factors_end - begin)));
        begin = proposal.factors_end;
    }
    assert_eq!(begin as usize, decided.factors.len());
    let named = |name: u32| (name as usize) < told.factors.len();
    assert!(decided.factors.iter().all(|factor| named(factor.name) && factor.value.is_finite()));
}

/// The next cycle, with the states of the last one and every proposal in force.
fn follow(mut input: FeeInput, decided: &FeeDecision) -> FeeInput {
    input.states = decided.states.clone();
    input.node_state = decided.node_state.clone();
    input.now_s = (input.now_s + 1800).min((1 << 53) - 1);
    for proposal in &decided.proposals {
        let channel = &mut input.channels[proposal.channel as usize];
        channel.fee_ppm = u32::try_from(proposal.fee_ppm).expect("checked before");
        channel.last_verdict = Verdict::Published;
    }
    input
}

proptest! {
    #[test]
    fn the_answer_is_sound_and_repeats(input in inputs()) {
        let mut input = input;
        for _ in 0..3 {
            let decided = decide::<Dynamic>(&input).expect("an answer");
            assert_sound(&input, &decided);
            prop_assert_eq!(&decided, &decide::<Dynamic>(&input).expect("an answer"));
            input = follow(input, &decided);
        }
    }

    #[test]
    fn what_it_writes_it_reads(input in inputs()) {
        let first = decide::<Dynamic>(&input).expect("an answer");
        let then = follow(input, &first);
        let mut damaged = then.clone();
        for at in (0..damaged.states.bytes.len()).step_by(7) {
            damaged.states.bytes[at] ^= 0x5a;
        }
        assert_sound(&damaged, &decide::<Dynamic>(&damaged).expect("an answer"));
        // An unharmed state is not forgotten: the price it holds is proposed
        // again only when something asks for it.
        let second = decide::<Dynamic>(&then).expect("an answer");
        assert_sound(&then, &second);
        for row in 0..then.channels.len() {
            prop_assert!(!second.states.entry(row).is_empty());
        }
    }
}
