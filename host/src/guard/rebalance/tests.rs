mod worth;

use super::*;
use crate::model::{ChannelState, Htlcs, Opener, RebalanceMode, Scid, StrategyName, Tick, UnixTime};
use proptest::prelude::*;

const NOW: UnixTime = UnixTime(1_800_000_000);

fn peer(n: u8) -> PeerId {
    PeerId([n; 33])
}

fn id(n: u8) -> ChannelId {
    ChannelId([n; 32])
}

/// Channel `n` of 2,000,000 sat with this much on our side.
pub(super) fn channel(n: u8, local_sats: u64) -> Channel {
    Channel {
        channel_id: id(n),
        scid: Some(Scid { block: 700_000 + u32::from(n), transaction: 1, output: 0 }),
        alias_local: None,
        peer_id: peer(n),
        peer_connected: true,
        state: ChannelState::Normal,
        opener: Opener::Local,
        private: false,
        total: Msat::from_sats(2_000_000),
        to_us: Msat::from_sats(local_sats),
        spendable: Msat::from_sats(local_sats.saturating_sub(20_000)),
        receivable: Msat::from_sats(1_980_000u64.saturating_sub(local_sats)),
        fee_base: Msat::ZERO,
        fee_ppm: Ppm(1_000),
        htlc_min: Msat(0),
        htlc_max: Msat::from_sats(1_980_000),
        peer_fee_ppm: Some(Ppm(10)),
        htlcs: Htlcs { incoming: 0, outgoing: 0, slots: 483 },
        funding_txid: None,
    }
}

/// What a case is made of; 1 is to be filled, 2 and 3 can give.
struct World {
    config: Config,
    snapshot: NodeSnapshot,
    policies: HashMap<PeerId, Policy>,
    past: HashMap<ChannelId, Past>,
    busy: HashMap<ChannelId, Holder>,
    most_htlcs: Result<u64, String>,
    payments_unread: Option<String>,
    wallet: Result<Msat, String>,
}

fn world() -> World {
    World {
        config: Config::default(),
        snapshot: NodeSnapshot {
            tick: Tick { now: NOW, seed: 1 },
            node_id: PeerId([9; 33]),
            network: "regtest".to_owned(),
            blockheight: 800_000,
            not_synced: None,
            feerate_perkb: None,
            channels: vec![channel(1, 100_000), channel(2, 1_800_000), channel(3, 1_700_000)],
        },
        policies: HashMap::new(),
        past: HashMap::new(),
        busy: HashMap::new(),
        most_htlcs: Ok(5),
        payments_unread: None,
        wallet: Ok(Msat::from_sats(2_000_000)),
    }
}

impl World {
    fn case(&self) -> Case<'_> {
        Case {
            config: &self.config,
            snapshot: &self.snapshot,
            policies: &self.policies,
            past: &self.past,
            busy: &self.busy,
            most_htlcs: self.most_htlcs.as_ref().map_err(String::as_str).copied(),
            payments_unread: self.payments_unread.as_deref(),
            wallet: &self.wallet,
        }
    }

    fn judge(&self, proposal: RebalanceProposal) -> Verdict {
        check(proposal, self.case())
    }

    fn mode(&mut self, n: u8, mode: RebalanceMode) {
        self.policies.insert(peer(n), Policy { rebalance_mode: mode, ..Policy::default_for(peer(n)) });
    }
}

fn wanted(origin: JobOrigin) -> RebalanceProposal {
    RebalanceProposal {
        to: id(1),
        from: vec![id(2), id(3)],
        amount: Msat::from_sats(1_000_000),
        max_fee: Ppm(500),
        origin,
        value: Some(SignedMsat(200_000)),
        cost: None,
        success: None,
        reason: "test".to_owned(),
        factors: Vec::new(),
    }
}

fn by_evaluator() -> RebalanceProposal {
    wanted(JobOrigin::Evaluator { name: StrategyName::rebalance_ev(), digest: None, force: false })
}

/// Somebody had it choose for one channel, with `force=true`.
fn by_forced_evaluator() -> RebalanceProposal {
    wanted(JobOrigin::Evaluator { name: StrategyName::rebalance_ev(), digest: None, force: true })
}

fn by_operator(force: bool) -> RebalanceProposal {
    RebalanceProposal { from: vec![id(2)], value: None, ..wanted(JobOrigin::Operator { force }) }
}

fn code(verdict: &Verdict) -> &'static str {
    verdict.result.as_ref().map_or_else(Refusal::code, |_| "approved")
}

#[test]
fn an_amount_is_cut_into_payments_that_every_source_can_give() {
    let world = world();
    let verdict = world.judge(by_evaluator());
    let start = verdict.result.expect("approved").get().clone();
    assert_eq!((start.amount.sats(), start.payment.sats()), (1_000_000, 125_000));
    assert_eq!(start.from.len(), 2);
    // Half as much again from two sources, and from each the payments that may be under way at once
    // and one unseen.
    assert_eq!(start.most_payments, 8 + 4 + 2 * (5 + 1));
    assert_eq!(start.worst_cost(), Msat(1_500_000), "500 ppm of 24 payments");
}

#[test]
fn each_limit_has_its_word() {
    type Change = fn(&mut World);
    let cases: [(Change, &str); 15] = [
        (|_| {}, "approved"),
        (|world| world.most_htlcs = Err("sling is not there".to_owned()), "no_rebalancer"),
        (|world| world.payments_unread = Some("it began anew".to_owned()), "unreadable"),
        (|world| world.snapshot.not_synced = Some("syncing".to_owned()), "node_syncing"),
        (|world| world.wallet = Err("listfunds".to_owned()), "unreadable"),
        (|world| world.wallet = Ok(Msat::from_sats(999_999)), "wallet_reserve"),
        (|world| world.snapshot.channels[0].peer_connected = false, "channel_not_ready"),
        (|world| world.snapshot.channels[0].state = ChannelState::AwaitingSplice, "channel_not_ready"),
        (|world| world.snapshot.channels[0].scid = None, "channel_not_ready"),
        (|world| world.mode(1, RebalanceMode::Disabled), "policy"),
        (|world| world.mode(1, RebalanceMode::SourceOnly), "policy"),
        (|world| world.mode(1, RebalanceMode::SinkOnly), "approved"),
        (
            |world| {
                world.busy.insert(id(1), Holder::OperatorsSlingJob);
            },
            "busy",
        ),
        (|world| world.snapshot.channels[0].receivable = Msat::from_sats(30_000), "too_small"),
        (
            |world| {
                for channel in &mut world.snapshot.channels[1..] {
                    channel.to_us = Msat::from_sats(420_000);
                }
            },
            "source_lacks",
        ),
    ];
    for (change, expect) in cases {
        let mut world = world();
        change(&mut world);
        let verdict = world.judge(by_evaluator());
        assert_eq!(code(&verdict), expect, "{verdict:?}");
    }
}

#[test]
fn sources_that_must_not_give_are_left_out_and_named() {
    let mut world = world();
    world.mode(2, RebalanceMode::SinkOnly);
    let verdict = world.judge(by_evaluator());
    let start = verdict.result.as_ref().expect("the other source gives").get();
    assert_eq!(start.from.iter().map(|end| end.channel_id).collect::<Vec<_>>(), [id(3)]);
    assert!(verdict.limits[0].contains("rebalance=sink_only"), "{:?}", verdict.limits);
    world.mode(3, RebalanceMode::Disabled);
    assert_eq!(code(&world.judge(by_evaluator())), "policy");
}

#[test]
fn pauses_hold_evaluators_and_people_but_not_force() {
    let past = |failures, failed_ago: u64, filled_ago: Option<u64>| Past {
        failures,
        last_failure: (failures > 0).then(|| NOW.minus(failed_ago)),
        last_success: filled_ago.map(|ago| NOW.minus(ago)),
    };
    for (past, expect) in [
        (past(0, 0, Some(86_399)), "cooldown"),
        (past(0, 0, Some(86_400)), "approved"),
        (past(1, 599, None), "back_off"),
        (past(1, 600, None), "approved"),
        (past(3, 2_399, None), "back_off"),
        (past(9, 9_599, None), "back_off"),
        (past(9, 9_600, None), "approved"),
        (past(10, 172_799, None), "futile"),
        (past(10, 172_800, None), "approved"),
    ] {
        let mut world = world();
        world.past.insert(id(1), past);
        assert_eq!(code(&world.judge(by_evaluator())), expect, "{past:?}");
        assert_eq!(code(&world.judge(by_operator(false))), expect, "{past:?}");
        for forced in [by_operator(true), by_forced_evaluator()] {
            assert_eq!(code(&world.judge(forced)), "approved", "{past:?}");
        }
        if let Err(refusal) = world.judge(by_operator(false)).result {
            assert!(refusal.yields_to_force(), "{refusal:?}");
        }
    }
}

#[test]
fn people_get_exactly_what_they_ask_for_or_nothing() {
    let world = world();
    for (amount, max_fee, expect) in [
        (1_000_000, 500, Ok((1_000_000, 500_000))),
        (750_000, 500, Ok((750_000, 375_000))),
        (1, 500, Ok((1, 1))),
        (1_900_000, 500, Err("too_large")),
        (100_000, 2_501, Err("max_fee")),
    ] {
        let proposal =
            RebalanceProposal { amount: Msat::from_sats(amount), max_fee: Ppm(max_fee), ..by_operator(true) };
        let verdict = world.judge(proposal);
        let seen = verdict.result.as_ref().map(|approved| {
            let start = approved.get();
            (start.amount.sats(), start.payment.sats())
        });
        assert_eq!(seen.map_err(Refusal::code), expect, "{amount} at {max_fee}");
    }
}

#[test]
fn an_amount_that_is_too_large_names_the_limit() {
    type Change = fn(&mut World);
    let cases: [(Change, &str); 3] = [
        (
            |world| world.snapshot.channels[1].to_us = Msat::from_sats(400_000),
            "channel 700002x1x0 (to take from) can give 389999 sat, and 1000000 sat are wanted",
        ),
        (
            |world| world.snapshot.channels[0].receivable = Msat::from_sats(300_000),
            "channel 700001x1x0 (to fill) can take 300000 sat, and 1000000 sat are wanted",
        ),
        (
            |world| world.config.rebalance_max_amount = 200_000,
            "rebalance_max_amount allows 200000 sat, and 1000000 sat are wanted",
        ),
    ];
    for (change, expect) in cases {
        let mut world = world();
        change(&mut world);
        let refusal = world.judge(by_operator(true)).result.expect_err(expect);
        assert_eq!((refusal.code(), refusal.to_string().as_str()), ("too_large", expect));
    }
}

#[test]
fn force_never_passes_reserve_policies_or_the_highest_rate() {
    for change in [
        (|world: &mut World| world.wallet = Ok(Msat::ZERO)) as fn(&mut World),
        |world| world.mode(1, RebalanceMode::Disabled),
        |world| world.mode(2, RebalanceMode::SinkOnly),
        |world| world.config.rebalance_max_ppm = 499,
        |world| {
            world.busy.insert(id(2), Holder::OperatorsSlingJob);
        },
    ] {
        let mut world = world();
        change(&mut world);
        let verdict = world.judge(by_operator(true));
        let refusal = verdict.result.expect_err("force is no key to this");
        assert!(!refusal.yields_to_force(), "{refusal:?}");
    }
    let mut world = world();
    world.wallet = Ok(Msat::ZERO);
    assert_eq!(code(&world.judge(by_forced_evaluator())), "wallet_reserve");
    world.mode(1, RebalanceMode::SourceOnly);
    world.wallet = Ok(Msat::from_sats(2_000_000));
    assert_eq!(code(&world.judge(by_forced_evaluator())), "policy");
}

#[test]
fn strangers_and_itself_are_no_ends() {
    let world = world();
    for (to, from, expect) in [
        (id(8), vec![id(2)], "unknown_channel"),
        (id(1), vec![id(8)], "unknown_channel"),
        (id(1), vec![id(2), id(1)], "same_channel"),
        (id(1), vec![], "no_source"),
    ] {
        let verdict = world.judge(RebalanceProposal { to, from, ..by_evaluator() });
        assert_eq!(code(&verdict), expect, "{verdict:?}");
    }
}

proptest! {
    /// Whatever is wanted, what is approved takes no more than the sources can give and the
    /// destination can hold, in equal payments of whole satoshis, at no more than the highest rate.
    #[test]
    fn approved_jobs_keep_every_limit(
        amount in 0u64..6_000_000_000, max_fee: u32, value: i64, local in proptest::collection::vec(0u64..1_990_000, 3),
        chunk in 1u64..2_000_000, least in 1u64..500_000, operator: bool, force: bool,
    ) {
        let mut world = world();
        world.snapshot.channels = (1..=3).zip(&local).map(|(n, local)| channel(n, *local)).collect();
        world.config.sling_chunk_size_sats = chunk;
        world.config.rebalance_min_amount = least;
        let base = if operator { by_operator(force) } else { by_evaluator() };
        let proposal =
            RebalanceProposal { amount: Msat(amount), max_fee: Ppm(max_fee), value: Some(SignedMsat(value)), ..base };
        if let Ok(approved) = world.judge(proposal).result {
            let start = approved.get();
            prop_assert!(start.payment.0 > 0 && start.payment.0 % 1_000 == 0);
            prop_assert_eq!(start.amount.0 % start.payment.0, 0);
            prop_assert!(start.amount.0 <= amount && start.amount <= world.snapshot.channels[0].receivable);
            prop_assert!(start.payment.sats() <= chunk);
            prop_assert!(start.max_fee.0 <= world.config.rebalance_max_ppm && start.max_fee.0 <= max_fee);
            prop_assert!(!start.from.is_empty());
            let most = |n: &JobEnd| world.snapshot.channels.iter().find(|c| c.channel_id == n.channel_id)
                .expect("a source of ours").spendable;
            let together: Msat = start.from.iter().map(most).sum();
            prop_assert!(start.amount <= together);
            let per_payment = Ppm(start.max_fee.0).fee(Msat::ZERO, start.payment);
            prop_assert!(start.most_payments > start.amount.0 / start.payment.0 + 5);
            prop_assert!(start.worst_cost().0 >= per_payment.0 * start.most_payments);
            prop_assert_eq!(start.keep_most.0 % 1_000, 0, "sling takes whole satoshis");
        }
    }
}
