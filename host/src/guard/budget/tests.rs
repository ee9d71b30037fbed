use super::*;
use crate::model::job::{JobEnd, JobOrigin};
use crate::model::{Ppm, Scid, SteadyTime, UnixTime};

fn end(n: u8) -> JobEnd {
    JobEnd {
        channel_id: ChannelId([n; 32]),
        scid: Scid { block: u32::from(n), transaction: 1, output: 0 },
        peer_id: PeerId([n; 33]),
    }
}

/// A job of which the worst case is `worst` sat.
fn job(to: u8, from: u8, worst: u64) -> StartRebalance {
    StartRebalance {
        to: end(to),
        from: vec![end(from)],
        amount: Msat::from_sats(worst * 500),
        payment: Msat::from_sats(worst * 500),
        most_payments: 2,
        most_htlcs: 5,
        max_fee: Ppm(1_000),
        max_hops: 5,
        keep_share: 0.2,
        keep_most: Msat::ZERO,
        time_limit_s: 7_200,
        origin: JobOrigin::Operator { force: true },
        fleet: false,
        value: None,
        worth: None,
    }
}

fn config() -> Config {
    Config { enable_proportional_budget: false, daily_budget_sats: 1_000, ..Config::default() }
}

fn held(to: u8, from: u8, left: u64) -> Held {
    Held { left: Msat::from_sats(left), ..Held::by(&job(to, from, 1), Holder::Job(JobId(7))) }
}

fn spent(to: u8, fleet: bool, fee: u64) -> Spent {
    Spent { to: ChannelId([to; 32]), peer_id: PeerId([to; 33]), fleet, fee: Msat::from_sats(fee) }
}

fn code(start: &StartRebalance, config: &Config, ledger: &Ledger) -> &'static str {
    fits(start, config, ledger).map_or_else(|refusal| refusal.code(), |()| "fits")
}

#[test]
fn the_budget_is_the_fixed_one_or_a_share_of_what_was_earned() {
    let mut config = config();
    for (proportional, pct, earned, expect) in [
        (false, 0.3, 1_000_000, 1_000),
        (true, 0.3, 1_000, 1_000),
        (true, 0.3, 10_000, 3_000),
        (true, 0.0, 10_000, 1_000),
    ] {
        (config.enable_proportional_budget, config.proportional_budget_pct) = (proportional, pct);
        assert_eq!(budget(&config, Msat::from_sats(earned)), Msat::from_sats(expect));
    }
}

#[test]
fn spent_and_reserved_count_alike() {
    let full = |spent_sats, held_sats| Ledger {
        earned: Msat::ZERO,
        spent: vec![spent(8, false, spent_sats)],
        held: vec![held(5, 6, held_sats)],
    };
    for (spent, held, worst, expect) in
        [(0, 0, 400, "fits"), (300, 300, 400, "fits"), (300, 301, 400, "budget"), (601, 0, 400, "budget")]
    {
        assert_eq!(
            code(&job(1, 2, worst), &config(), &full(spent, held)),
            expect,
            "{spent} + {held} + {worst}"
        );
    }
}

#[test]
fn no_channel_or_peer_takes_it_all() {
    let config = config();
    let by_channel = Ledger { spent: vec![spent(1, false, 200)], ..Ledger::default() };
    assert_eq!(code(&job(1, 2, 300), &config, &by_channel), "fits");
    assert_eq!(code(&job(1, 2, 302), &config, &by_channel), "channel_budget");
    let mut other = spent(3, false, 500);
    other.peer_id = PeerId([1; 33]);
    let by_peer = Ledger { spent: vec![other], ..Ledger::default() };
    assert_eq!(code(&job(1, 2, 250), &config, &by_peer), "fits");
    assert_eq!(code(&job(1, 2, 252), &config, &by_peer), "peer_budget");
    let left = room_for(&ChannelId([1; 32]), &PeerId([1; 33]), &config, &by_peer);
    assert_eq!(left, Msat::from_sats(250));
}

#[test]
fn losses_for_the_fleet_have_a_budget_within_the_budget() {
    let config = Config { hive_rebalance_budget_sats: 100, ..config() };
    let mut fleet = job(1, 2, 60);
    fleet.fleet = true;
    assert_eq!(code(&fleet, &config, &Ledger::default()), "fits");
    let ledger = Ledger { spent: vec![spent(4, true, 41)], ..Ledger::default() };
    assert_eq!(code(&fleet, &config, &ledger), "fleet_budget");
    assert_eq!(code(&job(1, 2, 60), &config, &ledger), "fits");
}

#[test]
fn jobs_share_no_channel_on_either_side_and_slots_are_few() {
    let config = config();
    let ledger = Ledger { held: vec![held(1, 2, 1)], ..Ledger::default() };
    for (to, from, expect) in [(3, 4, "fits"), (1, 4, "busy"), (3, 2, "busy"), (2, 4, "busy"), (3, 1, "busy")]
    {
        assert_eq!(code(&job(to, from, 10), &config, &ledger), expect, "{from} -> {to}");
    }
    let full =
        Ledger { held: (0..5).map(|n| held(10 + 2 * n, 11 + 2 * n, 1)).collect(), ..Ledger::default() };
    assert_eq!(code(&job(1, 2, 10), &config, &full), "slots");
}

#[test]
fn nothing_is_so_large_that_it_wraps() {
    let mut start = job(1, 2, 1);
    (start.amount, start.payment, start.max_fee) = (Msat(u64::MAX), Msat(u64::MAX), Ppm(u32::MAX));
    assert_eq!(
        code(&start, &config(), &Ledger { spent: vec![spent(1, false, 1)], ..Ledger::default() }),
        "budget"
    );
}

/// Books that cannot be read, or not be written.
struct Broken {
    readable: bool,
}

impl Books for Broken {
    type Error = &'static str;
    fn ledger(&self, _: Moment) -> Result<Ledger, &'static str> {
        if self.readable { Ok(Ledger::default()) } else { Err("unreadable") }
    }
    fn open(&mut self, _: &StartRebalance, _: UnixTime) -> Result<JobId, &'static str> {
        Err("unwritable")
    }
}

#[test]
fn without_books_nothing_is_reserved() {
    for (readable, expect) in [(false, "unreadable"), (true, "unwritable")] {
        let approved = Approved(job(1, 2, 10));
        let at = Moment { now: UnixTime(1_000_000), steady: SteadyTime(7) };
        let result = reserve(&mut Broken { readable }, approved, &config(), at);
        assert_eq!(result.expect_err("closed"), expect);
    }
}
