use super::*;
use crate::model::{ChannelState, Htlcs, NodeSnapshot, Opener, PeerId, StrategyName, Tick};
use proptest::prelude::*;

fn peer() -> PeerId {
    PeerId([2; 33])
}

pub(super) fn channel(fee: u32) -> Channel {
    Channel {
        channel_id: crate::model::ChannelId([7; 32]),
        scid: Some("700000x1x0".parse().expect("a scid")),
        alias_local: None,
        peer_id: peer(),
        peer_connected: true,
        state: ChannelState::Normal,
        opener: Opener::Local,
        private: false,
        total: Msat::from_sats(1_000_000),
        to_us: Msat::from_sats(500_000),
        spendable: Msat::from_sats(490_000),
        receivable: Msat::from_sats(490_000),
        fee_base: Msat::ZERO,
        fee_ppm: Ppm(fee),
        htlc_min: Msat(0),
        htlc_max: Msat::from_sats(990_000),
        peer_fee_ppm: None,
        htlcs: Htlcs { incoming: 0, outgoing: 0, slots: 30 },
        funding_txid: None,
    }
}

pub(super) fn snapshot() -> NodeSnapshot {
    NodeSnapshot {
        tick: Tick { now: UnixTime(1_800_000_000), seed: 1 },
        node_id: PeerId([3; 33]),
        network: "regtest".to_owned(),
        blockheight: 800_000,
        not_synced: None,
        feerate_perkb: Some(5_000),
        channels: Vec::new(),
    }
}

pub(super) fn policy(strategy: &str) -> Policy {
    Policy { strategy: strategy.parse().expect("a name"), ..Policy::default_for(peer()) }
}

pub(super) fn proposal(fee: u32, origin: Origin) -> FeeProposal {
    FeeProposal {
        channel_id: channel(0).channel_id,
        origin,
        fee: Ppm(fee),
        base_fee: None,
        htlc_max: None,
        reason: "test".to_owned(),
        factors: Vec::new(),
    }
}

pub(super) fn by_strategy() -> Origin {
    Origin::Strategy(StrategyName::dynamic())
}

/// Judges a strategy's proposal of `wanted` on a channel at `fee`, after `change` to the case.
fn verdict(
    fee: u32,
    wanted: u32,
    policy: &Policy,
    change: impl FnOnce(&mut Channel, &mut NodeSnapshot, &mut History),
) -> Verdict {
    let (mut channel, mut snapshot, mut history) = (channel(fee), snapshot(), History::default());
    change(&mut channel, &mut snapshot, &mut history);
    let config = Config::default();
    let case =
        Case { config: &config, policy, snapshot: &snapshot, channel: &channel, history, stands_in: false };
    check(proposal(wanted, by_strategy()), case)
}

fn set_to(verdict: &Verdict) -> Option<u32> {
    verdict.result.as_ref().ok().map(|approved| approved.get().fee.0)
}

pub(super) fn refusal(verdict: &Verdict) -> Option<&'static str> {
    verdict.result.as_ref().err().map(Refusal::code)
}

#[test]
fn strategies_are_moved_to_the_nearest_allowed_fee() {
    let dynamic = policy("dynamic");
    for (fee, wanted, expect, limits) in [
        (200, 300, 300, vec![]),
        (200, 1_000, 800, vec!["step_up"]),
        (200, 10, 50, vec!["step_down"]),
        (12, 1, 10, vec!["step_down", "min_fee"]),
        (4_000, 9_000, 5_000, vec!["max_fee"]),
        (0, 500, 40, vec!["step_up"]),
    ] {
        let verdict = verdict(fee, wanted, &dynamic, |_, _, _| {});
        assert_eq!(set_to(&verdict), Some(expect), "{fee} -> {wanted}: {verdict:?}");
        assert_eq!(
            verdict.limits.iter().map(|limit| limit.code()).collect::<Vec<_>>(),
            limits,
            "{fee} -> {wanted}"
        );
    }
}

#[test]
fn small_changes_are_not_gossiped() {
    let dynamic = policy("dynamic");
    for (fee, wanted, expect) in [
        (200, 210, Some("suppressed")),
        (200, 211, None),
        (200, 190, Some("suppressed")),
        (200, 189, None),
        (200, 200, Some("unchanged")),
        (20_000, 20_100, None),
    ] {
        assert_eq!(refusal(&verdict(fee, wanted, &dynamic, |_, _, _| {})), expect, "{fee} -> {wanted}");
    }
}

#[test]
fn a_new_base_fee_passes_the_gate() {
    let verdict = verdict(200, 201, &policy("dynamic"), |channel, _, _| channel.fee_base = Msat(1));
    assert_eq!(set_to(&verdict), Some(201));
}

#[test]
fn the_daily_limit_holds_strategies_back() {
    let verdict = verdict(200, 300, &policy("dynamic"), |_, _, history| history.updates_today = 12);
    assert_eq!(refusal(&verdict), Some("rate_limited"));
}

#[test]
fn a_chain_floor_that_rises_sends_small_changes_within_the_daily_limit() {
    // 108,000 sat per kvB cost 101 ppm of what a channel forwards in its life.
    let below = |updates| {
        verdict(100, 50, &policy("dynamic"), move |_, snapshot, history| {
            snapshot.feerate_perkb = Some(108_000);
            history.updates_today = updates;
        })
    };
    assert_eq!(set_to(&below(11)), Some(101));
    assert_eq!(refusal(&below(12)), Some("rate_limited"));
    // The operator's own bound waits for nothing.
    let bound = verdict(5, 5, &policy("dynamic"), |_, _, history| history.updates_today = 12);
    assert_eq!(set_to(&bound), Some(10));
}

#[test]
fn congestion_may_jump_to_the_top_and_back() {
    let dynamic = policy("dynamic");
    let up = verdict(200, 5_000, &dynamic, |channel, _, _| channel.htlcs.incoming = 25);
    assert_eq!(set_to(&up), Some(5_000));
    let claimed = verdict(200, 5_000, &dynamic, |channel, _, _| channel.htlcs.incoming = 24);
    assert_eq!(set_to(&claimed), Some(800), "a strategy's word for congestion is not enough");
    let down = verdict(5_000, 200, &dynamic, |_, _, history| history.fee_from_congestion = true);
    assert_eq!(set_to(&down), Some(200));
}

/// Whether what is approved counts as raised by congestion.
fn is_from_congestion(verdict: &Verdict) -> bool {
    verdict.result.as_ref().expect("approved").get().from_congestion
}

#[test]
fn only_what_congestion_raised_beyond_a_step_may_come_down_at_once() {
    let dynamic = policy("dynamic");
    let rush = |channel: &mut Channel| channel.htlcs.incoming = 25;
    for (what, expect, verdict) in [
        ("beyond a step", true, verdict(200, 801, &dynamic, |channel, _, _| rush(channel))),
        ("a step, in a rush", false, verdict(200, 800, &dynamic, |channel, _, _| rush(channel))),
        ("a step, in calm", false, verdict(200, 5_000, &dynamic, |_, _, _| {})),
        (
            "raised before, and higher since",
            true,
            verdict(2_000, 2_200, &dynamic, |_, _, history| history.fee_from_congestion = true),
        ),
        (
            "raised before, and down since",
            false,
            verdict(2_000, 1_800, &dynamic, |_, _, history| history.fee_from_congestion = true),
        ),
        ("named by a policy", false, verdict(2_000, 0, &policy("hive"), |channel, _, _| rush(channel))),
    ] {
        assert_eq!(is_from_congestion(&verdict), expect, "{what}: {verdict:?}");
    }
}

#[test]
fn a_policy_that_names_a_fee_gets_exactly_that() {
    let mut fixed = policy("static");
    fixed.fee_ppm_target = Some(Ppm(7));
    let config = Config::default();
    for (policy, wanted, expect) in
        [(&fixed, 7, 7), (&fixed, 500, 7), (&policy("hive"), 0, 0), (&policy("hive"), 10, 0)]
    {
        assert_eq!(set_to(&verdict(2_000, wanted, policy, |_, _, _| {})), Some(expect));
        let again = verdict(expect, wanted, policy, |_, _, _| {});
        assert_eq!(refusal(&again), Some("unchanged"), "no repetition once it is in force");
    }
    assert_eq!(bounds(&policy("hive"), &config, None, false).exact, Some(Ppm(0)));
    // A fleet's module in its place has the limits of any strategy.
    let fleet = bounds(&policy("hive"), &config, None, true);
    assert_eq!((fleet.exact, fleet.min, fleet.max), (None, Ppm(config.min_fee_ppm), Ppm(config.max_fee_ppm)));
}

#[test]
fn passive_means_hands_off_but_not_for_the_operator() {
    let passive = policy("passive");
    assert_eq!(refusal(&verdict(200, 300, &passive, |_, _, _| {})), Some("policy_passive"));
    let (config, snapshot, channel) = (Config::default(), snapshot(), channel(200));
    let case = Case {
        config: &config,
        policy: &passive,
        snapshot: &snapshot,
        channel: &channel,
        history: History::default(),
        stands_in: false,
    };
    assert_eq!(set_to(&check(proposal(201, Origin::Operator { force: false }), case)), Some(201));
}

#[test]
fn operators_are_bound_unless_they_force() {
    let (config, snapshot, channel, dynamic) =
        (Config::default(), snapshot(), channel(200), policy("dynamic"));
    let history = History { updates_today: 99, ..History::default() };
    let case = Case {
        config: &config,
        policy: &dynamic,
        snapshot: &snapshot,
        channel: &channel,
        history,
        stands_in: false,
    };
    for (fee, force, expect) in [
        (5_001, false, Err("out_of_bounds")),
        (9, false, Err("out_of_bounds")),
        (5_001, true, Ok(5_001)),
        (0, true, Ok(0)),
        (205, false, Ok(205)),
        (1_000_001, true, Err("absurd")),
        (200, false, Err("unchanged")),
    ] {
        let verdict = check(proposal(fee, Origin::Operator { force }), case);
        let seen = set_to(&verdict).ok_or_else(|| refusal(&verdict).expect("one or the other"));
        assert_eq!(seen, expect, "{fee} force={force}");
    }
}

#[test]
fn operators_are_bound_by_the_policy_too() {
    let (config, snapshot, channel) = (Config::default(), snapshot(), channel(200));
    let scaled = Policy { fee_multiplier_max: Some(0.1), ..policy("dynamic") };
    let exact = Policy { fee_ppm_target: Some(Ppm(7)), ..policy("static") };
    for (policy, fee, expect) in [
        (&scaled, 500, Ok(500)),
        (&scaled, 501, Err("out_of_bounds")),
        (&exact, 7, Ok(7)),
        (&exact, 8, Err("out_of_bounds")),
        (&exact, 300, Ok(300)),
        (&policy("hive"), 0, Ok(0)),
    ] {
        let history = History::default();
        let case = Case {
            config: &config,
            policy,
            snapshot: &snapshot,
            channel: &channel,
            history,
            stands_in: false,
        };
        let verdict = check(proposal(fee, Origin::Operator { force: false }), case);
        let seen = set_to(&verdict).ok_or_else(|| refusal(&verdict).expect("one or the other"));
        assert_eq!(seen, expect, "{fee} under {}", policy.strategy);
    }
}

#[test]
fn nothing_is_set_while_the_node_or_channel_is_not_ready() {
    let dynamic = policy("dynamic");
    let syncing =
        verdict(200, 300, &dynamic, |_, snapshot, _| snapshot.not_synced = Some("syncing".to_owned()));
    assert_eq!(refusal(&syncing), Some("node_syncing"));
    let closing = verdict(200, 300, &dynamic, |channel, _, _| {
        channel.state = ChannelState::Other("ONCHAIN".to_owned())
    });
    assert_eq!(refusal(&closing), Some("channel_not_open"));
    let unnamed = verdict(200, 300, &dynamic, |channel, _, _| channel.scid = None);
    assert_eq!(refusal(&unnamed), Some("channel_not_open"));
}

#[test]
fn the_chain_sets_a_floor() {
    assert_eq!(chain_cost_ppm(5_000), Ppm(5));
    assert_eq!(chain_cost_ppm(253), Ppm(1));
    assert_eq!(chain_cost_ppm(100_000), Ppm(94));
    let verdict =
        verdict(150, 80, &policy("dynamic"), |_, snapshot, _| snapshot.feerate_perkb = Some(100_000));
    assert_eq!(set_to(&verdict), Some(94));
    assert_eq!(verdict.limits, [Limit::ChainCost(Ppm(94))]);
}

#[test]
fn policy_multipliers_scale_the_bounds() {
    let mut narrow = policy("dynamic");
    (narrow.fee_multiplier_min, narrow.fee_multiplier_max) = (Some(5.0), Some(0.1));
    let bounds = bounds(&narrow, &Config::default(), None, false);
    assert_eq!((bounds.min, bounds.max), (Ppm(50), Ppm(500)));
}

proptest! {
    /// Whatever a strategy wants, what is approved is within bounds, differs from what is
    /// in force, and is no larger a step than allowed unless bounds force it.
    #[test]
    fn approved_fees_keep_every_limit(
        fee in 0u32..200_000, wanted: u32, min in 0u32..1_000, span in 0u32..100_000,
        low in proptest::option::of(0.1f64..5.0), high in proptest::option::of(0.1f64..5.0),
        feerate in proptest::option::of(253u32..2_000_000), updates in 0u32..20, slots_used in 0u32..31,
        from_congestion: bool,
    ) {
        let config = Config { min_fee_ppm: min, max_fee_ppm: (min + span).clamp(1, 100_000), ..Config::default() };
        let mut policy = policy("dynamic");
        (policy.fee_multiplier_min, policy.fee_multiplier_max) = (low, high);
        let mut channel = channel(fee);
        channel.htlcs.outgoing = slots_used;
        let snapshot = NodeSnapshot { feerate_perkb: feerate, ..snapshot() };
        let history = History { updates_today: updates, fee_from_congestion: from_congestion, ..History::default() };
        let case = Case { config: &config, policy: &policy, snapshot: &snapshot, channel: &channel, history, stands_in: false };
        let bounds = bounds(&policy, &config, feerate, false);
        prop_assert!(bounds.min <= bounds.max && bounds.chain_floor <= bounds.max);
        let verdict = check(proposal(wanted, by_strategy()), case);
        if let Ok(approved) = &verdict.result {
            let set = approved.get().fee;
            prop_assert!((bounds.min..=bounds.max).contains(&set));
            prop_assert_ne!(set, channel.fee_ppm);
            let within = (bounds.min..=bounds.max).contains(&channel.fee_ppm);
            if within {
                prop_assert!(updates < config.max_updates_per_day);
                let congested = channel.htlcs.utilization() > 0.8;
                let most = (f64::from(fee.max(1)) * 4.0).max(f64::from(fee) + 10.0) + 1.0;
                prop_assert!(congested || f64::from(set.0) <= most.max(f64::from(bounds.min.0)));
            }
        }
    }

    /// Bounds never stop a static or hive policy's own fee.
    #[test]
    fn exact_policies_reach_their_fee(fee in 0u32..100_000, target in 0u32..=100_000, wanted: u32) {
        let mut fixed = policy("static");
        fixed.fee_ppm_target = Some(Ppm(target));
        let verdict = verdict(fee, wanted % 1_000_000, &fixed, |_, _, history| history.updates_today = 1_000);
        match set_to(&verdict) {
            Some(set) => prop_assert_eq!(set, target),
            None => prop_assert_eq!(fee, target),
        }
    }
}
