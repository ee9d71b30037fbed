//! The law of the budget, over random schedules and over the worst one: cycles and operators at
//! once, payments that take long, time out and settle late, several of one job, channels learned
//! late, kills and restarts, a plugin that is dead while sling goes on, clocks that are set, an option of
//! sling's that is changed, and a node that numbers its payments anew.
//!
//! The world plays sling as it is: it sends one payment of a job after another, as long as fewer
//! than all have settled before its eyes, the source holds more than it is to keep, and few
//! enough HTLCs are under way there. It stops for nobody but the plugin, and its view of
//! balances may be one payment old.

use super::*;
use crate::model::job::JobEnd;
use std::collections::BTreeMap;

mod numbers;
mod options;
mod random;
mod worst;

use options::Handing;

/// What the node's clock showed, and the seconds that had truly passed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Instant {
    shown: UnixTime,
    passed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// sling waits for it.
    Flying,
    /// sling has given up on it, but its money is with us: it settles in the end.
    Late,
    Settled(Instant),
    Failed,
}

#[derive(Clone, Debug)]
struct Sent {
    job: JobId,
    from: u8,
    hash: u8,
    fee: u64,
    /// lightningd's number for it.
    number: Option<u64>,
    fate: Fate,
    booked: bool,
    /// The node tells its channels: from the beginning, and by now.
    told: bool,
    known: bool,
}

struct SlingJob {
    to: u8,
    from: Vec<u8>,
    payments: u64,
    ppm: u32,
    /// What sling was told to leave in a source, msat.
    level: u64,
    counted: u64,
    alive: bool,
    /// The source and cost of the payment that sling saw settle last, if that was the last event.
    just_settled: Option<(u8, u64)>,
}

/// The world outside the books.
struct World {
    conn: Connection,
    /// Seconds since the beginning.
    passed: u64,
    /// By how many of them somebody has set the clock, the node's and the plugin's.
    set_by: i64,
    /// The steady time at the plugin's start, and what had passed by then.
    start: (SteadyTime, u64),
    /// lightningd numbers its payments, and the last number that it gave.
    numbers: bool,
    counter: u64,
    /// The plugin runs.
    up: bool,
    /// With more HTLCs than this sling leaves a channel alone.
    htlcs: u64,
    jobs: BTreeMap<JobId, SlingJob>,
    sent: Vec<Sent>,
    /// Our side of each channel, msat, without payments under way.
    balances: BTreeMap<u8, u64>,
}

const PAYMENT: u64 = 100_000_000;
const CAPACITY: u64 = 2_000_000_000;
/// What either side cannot send, msat.
const RESERVE: u64 = 100_000_000;

impl World {
    fn new(numbers: bool) -> World {
        let balances = (1..=CHANNELS).map(|n| (n, CAPACITY / 2)).collect();
        let mut conn = memory();
        let start = (in_tx(&mut conn, |tx| clock::resume(tx, NOW)), 0);
        let (jobs, sent) = (BTreeMap::new(), Vec::new());
        let htlcs = HTLCS;
        World {
            conn,
            passed: 0,
            set_by: 0,
            start,
            numbers,
            counter: 0,
            up: true,
            htlcs,
            jobs,
            sent,
            balances,
        }
    }

    fn now(&self) -> UnixTime {
        UnixTime(NOW.plus(self.passed).0.saturating_add_signed(self.set_by))
    }

    fn moment(&self) -> Moment {
        let (steady, passed) = self.start;
        Moment { now: self.now(), steady: steady.plus(self.passed - passed) }
    }

    /// Somebody sets the clock. A plugin that runs sees that; one that does not takes a clock that
    /// went forward for time that passed, so it is only set back then.
    fn set_clock(&mut self, by_s: i64) {
        if !self.up && by_s > 0 {
            return;
        }
        self.set_by += by_s;
        if self.up {
            let at = self.moment();
            in_tx(&mut self.conn, |tx| clock::note(tx, at, Some(ClockJump { at: at.now, by_s })));
        }
    }

    fn channels(&self) -> Vec<Channel> {
        let one = |(n, balance): (&u8, &u64)| Channel {
            to_us: Msat(*balance),
            spendable: Msat(balance.saturating_sub(RESERVE)),
            receivable: Msat((CAPACITY - balance).saturating_sub(RESERVE)),
            ..channel(*n)
        };
        self.balances.iter().map(one).collect()
    }

    /// Reserves, and hands the job to sling unless something comes in between.
    fn wish(&mut self, wish: &Wish<'_>, handing: Handing) -> Option<JobId> {
        let at = self.moment();
        let approved = judged(self.channels(), wish, self.htlcs, at.now).filter(|_| self.up)?;
        self.look_at_list();
        let id = reserve_for(&mut self.conn, approved, at)?;
        let start = jobs::get(&self.conn, id).expect("books").expect("there").start;
        let number = |end: &JobEnd| (1..=CHANNELS).find(|n| channel_id(*n) == end.channel_id).expect("ours");
        let job = SlingJob {
            to: wish.to,
            from: start.from.iter().map(number).collect(),
            payments: start.amount.0 / PAYMENT,
            ppm: wish.ppm,
            level: start.keep_most.0,
            counted: 0,
            alive: self.is_taken(&start, handing),
            just_settled: None,
        };
        self.jobs.insert(id, job);
        self.after(id, handing);
        Some(id)
    }

    fn flying(&self, job: JobId) -> bool {
        self.sent.iter().any(|sent| sent.job == job && sent.fate == Fate::Flying)
    }

    fn under_way(&self, from: u8) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(move |s| s.from == from && matches!(s.fate, Fate::Flying | Fate::Late))
    }

    /// sling sends one payment of a job from a source, if it would. With `stale` it has not seen
    /// yet what settled last.
    fn send(&mut self, id: JobId, from: u8, share: u64, known: bool, stale: bool) -> bool {
        let job = &self.jobs[&id];
        let fee = PAYMENT * u64::from(job.ppm) / 1_000_000 * share / 100;
        let unseen =
            job.just_settled.filter(|(source, _)| stale && *source == from).map_or(0, |(_, cost)| cost);
        let kept = ((0.999_999 * CAPACITY as f64) as u64).min(job.level).max(PAYMENT + 10_000_000);
        let (balance, pending) = (self.balances[&from], self.under_way(from).count() as u64);
        let spendable =
            balance.saturating_sub(RESERVE + self.under_way(from).map(|s| PAYMENT + s.fee).sum::<u64>());
        let room = (CAPACITY - self.balances[&job.to]).saturating_sub(RESERVE);
        let sends = job.alive
            && job.counted < job.payments
            && !self.flying(id)
            && balance + unseen > kept
            && pending <= self.htlcs
            && spendable >= PAYMENT + fee
            && room >= PAYMENT
            && self.sent.len() < 250;
        if sends {
            let hash = u8::try_from(self.sent.len()).expect("few");
            let (fate, booked) = (Fate::Flying, false);
            let number = self.next_number();
            self.sent.push(Sent { job: id, from, hash, fee, number, fate, booked, told: known, known });
            self.jobs.get_mut(&id).expect("its job").just_settled = None;
        }
        sends
    }

    /// sling loses patience: its money has come in, it counts nothing, and goes on.
    fn time_out(&mut self, id: JobId) {
        let to = self.jobs[&id].to;
        for sent in self.sent.iter_mut().filter(|sent| sent.job == id && sent.fate == Fate::Flying) {
            sent.fate = Fate::Late;
            *self.balances.get_mut(&to).expect("ours") += PAYMENT;
        }
    }

    /// A payment under way ends.
    fn end(&mut self, n: usize, settles: bool) {
        let at = Instant { shown: self.now(), passed: self.passed };
        let sent = &mut self.sent[n];
        let (late, cost) = (sent.fate == Fate::Late, PAYMENT + sent.fee);
        let settles = settles || late;
        sent.fate = if settles { Fate::Settled(at) } else { Fate::Failed };
        let job = self.jobs.get_mut(&sent.job).expect("its job");
        if settles {
            *self.balances.get_mut(&sent.from).expect("ours") -= cost;
        }
        if settles && !late {
            job.counted += 1;
            job.just_settled = Some((sent.from, cost));
            *self.balances.get_mut(&job.to).expect("ours") += PAYMENT;
        }
    }

    /// sling forgets a job; a payment under way outlasts that.
    fn forget(&mut self, id: JobId) {
        self.time_out(id);
        self.jobs.get_mut(&id).expect("its job").alive = false;
        if self.up {
            let at = self.moment();
            stop(&mut self.conn, id, at);
        }
    }

    /// The plugin starts: what sling still works on, or may, is ended.
    fn start(&mut self) {
        if !self.up {
            let now = self.now();
            self.start = (in_tx(&mut self.conn, |tx| clock::resume(tx, now)), self.passed);
        }
        self.up = true;
        for job in jobs::live(&self.conn).expect("books") {
            if job.state != JobState::Stopped {
                self.forget(job.id);
            }
        }
    }

    fn book(&mut self) {
        self.look_at_list();
        let steady = self.moment().steady;
        for n in 0..self.sent.len() {
            let sent = &self.sent[n];
            let Fate::Settled(Instant { shown: at, .. }) = sent.fate else { continue };
            if sent.booked {
                continue;
            }
            let ends = sent.known.then_some((sent.from, self.jobs[&sent.job].to));
            let (index, fee) = (sent.number, sent.fee);
            book_at(&self.conn, &Payment { hash: sent.hash, amount: PAYMENT, fee, at, index, ends }, steady);
            self.sent[n].booked = true;
        }
        if self.numbers {
            told(&mut self.conn, self.counter);
        }
        in_tx(&mut self.conn, assign);
    }

    /// As the cycle does: payments under way first, then the completed ones.
    fn settle(&mut self, assume: bool) {
        let is_pending = |n: &usize| matches!(self.sent[*n].fate, Fate::Flying | Fate::Late);
        let pending: Vec<usize> = (0..self.sent.len()).filter(is_pending).collect();
        self.book();
        for job in jobs::live(&self.conn).expect("books") {
            let is_older =
                |n: &usize| self.sent[*n].number.zip(job.after_index).is_some_and(|(n, after)| n <= after);
            if job.state == JobState::Stopped && pending.iter().all(is_older) {
                let now = self.now();
                in_tx(&mut self.conn, |tx| settle(tx, job.id, assume, now));
            }
        }
    }

    /// Spent within a day that truly passed, by the world's own account.
    fn truly_spent(&self) -> u64 {
        let since = self.passed.saturating_sub(UnixTime::DAY);
        let recent = |sent: &&Sent| matches!(sent.fate, Fate::Settled(at) if at.passed >= since);
        self.sent.iter().filter(recent).map(|sent| sent.fee).sum()
    }

    /// The job that each booked payment was given to.
    fn given(&self) -> BTreeMap<u8, JobId> {
        self.conn
            .prepare_cached("SELECT payment_hash, job_id FROM rebalances WHERE job_id IS NOT NULL")
            .and_then(|mut select| {
                select.query_map([], |row| Ok((row.get::<_, [u8; 32]>(0)?[0], row.get(1)?)))?.collect()
            })
            .expect("books")
    }

    /// What settled in the world and is in nobody's books yet.
    fn unbooked(&self, id: JobId) -> u64 {
        let given = self.given();
        let mine = |sent: &&Sent| {
            sent.job == id && matches!(sent.fate, Fate::Settled(_)) && !given.contains_key(&sent.hash)
        };
        self.sent.iter().filter(mine).map(|sent| sent.fee).sum()
    }

    fn check(&self) -> std::result::Result<(), TestCaseError> {
        let limit = 1_000_000;
        let ledger = ledger(&self.conn, self.moment()).expect("books");
        let overall = budget::overall(&config(), &ledger);
        prop_assert!(overall.spent.0 + overall.reserved.0 <= limit, "{overall:?}");
        for (hash, job) in self.given() {
            let sent = &self.sent[usize::from(hash)];
            prop_assert!(!sent.told || sent.job == job, "payment {hash} is not job {job}'s");
        }
        let mut held = 0;
        for job in jobs::live(&self.conn).expect("books") {
            let unbooked = self.unbooked(job.id);
            prop_assert!(unbooked <= job.held().0, "job {} spends more than it holds", job.id);
            held += job.held().0 - unbooked;
        }
        prop_assert!(self.truly_spent() + held <= limit, "{} + {held}", self.truly_spent());
        Ok(())
    }

    /// Everything comes to an end, and the books hold what the node paid.
    fn wind_up(&mut self) -> std::result::Result<(), TestCaseError> {
        self.start();
        for n in 0..self.sent.len() {
            if matches!(self.sent[n].fate, Fate::Flying | Fate::Late) {
                self.end(n, n % 2 == 0);
            }
        }
        self.passed += 5 * UnixTime::HOUR;
        self.settle(true);
        self.check()?;
        prop_assert!(jobs::live(&self.conn).expect("books").is_empty(), "every job is settled in the end");
        let ours: u64 = self.sent.iter().filter(|s| matches!(s.fate, Fate::Settled(_))).map(|s| s.fee).sum();
        let booked: Msat = self
            .conn
            .query_row(
                "SELECT coalesce(sum(fee_msat), 0) FROM rebalances WHERE job_id IS NOT NULL",
                [],
                |row| row.get(0),
            )
            .expect("books");
        prop_assert_eq!(booked, Msat(ours), "the ledger is the sum of the payments that were ours");
        Ok(())
    }
}
