//! The law of the budget, over random schedules: cycles and operators at once, payments that take
//! long, settle late or fail, channels learned late, kills and restarts.

use super::*;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Flying,
    /// sling has given up on it; it may settle all the same.
    Late,
    Settled(UnixTime),
    Failed,
}

#[derive(Clone, Debug)]
struct Sent {
    job: JobId,
    hash: u8,
    fee: u64,
    at: UnixTime,
    fate: Fate,
    booked: bool,
    known: bool,
}

struct SlingJob {
    to: u8,
    from: u8,
    payments: u64,
    ppm: u32,
    counted: u64,
    alive: bool,
}

/// The world outside the books.
struct World {
    conn: Connection,
    now: UnixTime,
    jobs: BTreeMap<JobId, SlingJob>,
    sent: Vec<Sent>,
}

#[derive(Clone, Debug)]
enum Step {
    Wish { to: u8, from: u8, payments: u64, ppm: u32, killed: bool },
    Send { job: usize, share: u64, known: bool },
    End { payment: usize, settles: bool },
    TimeOut { job: usize },
    Stop { job: usize },
    SlingRestart,
    Book,
    Learn { payment: usize },
    Settle { assume: bool },
    Wait { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..=CHANNELS, 1..=CHANNELS, 1u64..8, 1u32..2_500, proptest::bool::weighted(0.1))
            .prop_map(|(to, from, payments, ppm, killed)| Step::Wish { to, from, payments, ppm, killed }),
        8 => (0usize..8, 0u64..=100, proptest::bool::weighted(0.8))
            .prop_map(|(job, share, known)| Step::Send { job, share, known }),
        8 => (0usize..8, proptest::bool::weighted(0.7)).prop_map(|(payment, settles)| Step::End { payment, settles }),
        1 => (0usize..8).prop_map(|job| Step::TimeOut { job }),
        2 => (0usize..8).prop_map(|job| Step::Stop { job }),
        1 => Just(Step::SlingRestart),
        4 => Just(Step::Book),
        2 => (0usize..8).prop_map(|payment| Step::Learn { payment }),
        4 => proptest::bool::weighted(0.2).prop_map(|assume| Step::Settle { assume }),
        3 => (1u64..20_000).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

const PAYMENT: u64 = 100_000_000;

impl World {
    fn new() -> World {
        World { conn: memory(), now: NOW, jobs: BTreeMap::new(), sent: Vec::new() }
    }

    fn alive(&self, pick: usize) -> Option<JobId> {
        let alive: Vec<JobId> = self.jobs.iter().filter(|(_, job)| job.alive).map(|(id, _)| *id).collect();
        (!alive.is_empty()).then(|| alive[pick % alive.len()])
    }

    fn flying(&self, job: JobId) -> bool {
        self.sent.iter().any(|sent| sent.job == job && sent.fate == Fate::Flying)
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Wish { to, from, payments, ppm, killed } if to != from => {
                let Some(id) = try_reserve(&mut self.conn, to, from, payments, ppm, self.now) else { return };
                self.jobs.insert(id, SlingJob { to, from, payments, ppm, counted: 0, alive: !killed });
                if killed {
                    stop(&mut self.conn, id, self.now);
                }
            }
            Step::Wish { .. } => {}
            Step::Send { job, share, known } => self.send(job, share, known),
            Step::End { payment, settles } => self.end(payment, settles),
            // The host ends a job before sling gives up on its payment.
            Step::TimeOut { job } | Step::Stop { job } => {
                if let Some(id) = self.alive(job) {
                    self.forget(id);
                }
            }
            Step::SlingRestart => {
                let all: Vec<JobId> =
                    self.jobs.iter().filter(|(_, job)| job.alive).map(|(id, _)| *id).collect();
                all.into_iter().for_each(|id| self.forget(id));
            }
            Step::Book => self.book(),
            Step::Learn { payment } => self.learn(payment),
            Step::Settle { assume } => self.settle(assume),
            Step::Wait { seconds } => self.now = self.now.plus(seconds),
        }
    }

    /// sling sends one payment at a time, until what it counts is all of the job.
    fn send(&mut self, pick: usize, share: u64, known: bool) {
        let Some(id) = self.alive(pick) else { return };
        let job = &self.jobs[&id];
        if self.flying(id) || job.counted == job.payments || self.sent.len() == 250 {
            return;
        }
        let fee = PAYMENT * u64::from(job.ppm) / 1_000_000 * share / 100;
        let hash = u8::try_from(self.sent.len()).expect("few");
        self.sent.push(Sent { job: id, hash, fee, at: self.now, fate: Fate::Flying, booked: false, known });
    }

    fn end(&mut self, pick: usize, settles: bool) {
        let open: Vec<usize> = (0..self.sent.len())
            .filter(|n| matches!(self.sent[*n].fate, Fate::Flying | Fate::Late))
            .collect();
        if open.is_empty() {
            return;
        }
        let sent = &mut self.sent[open[pick % open.len()]];
        let counted = sent.fate == Fate::Flying && settles;
        sent.fate = if settles { Fate::Settled(self.now) } else { Fate::Failed };
        let job = sent.job;
        if counted {
            self.jobs.get_mut(&job).expect("its job").counted += 1;
        }
    }

    /// sling forgets a job; a payment under way outlasts that.
    fn forget(&mut self, id: JobId) {
        for sent in self.sent.iter_mut().filter(|sent| sent.job == id && sent.fate == Fate::Flying) {
            sent.fate = Fate::Late;
        }
        self.jobs.get_mut(&id).expect("its job").alive = false;
        stop(&mut self.conn, id, self.now);
    }

    fn book(&mut self) {
        for sent in self.sent.iter_mut().filter(|sent| !sent.booked) {
            let Fate::Settled(at) = sent.fate else { continue };
            let job = &self.jobs[&sent.job];
            let ends = sent.known.then_some((job.from, job.to));
            book(&self.conn, &Payment { hash: sent.hash, amount: PAYMENT, fee: sent.fee, at, ends });
            sent.booked = true;
        }
        let now = self.now;
        in_tx(&mut self.conn, |tx| assign(tx, now));
    }

    fn learn(&mut self, pick: usize) {
        let unknown: Vec<usize> = (0..self.sent.len()).filter(|n| !self.sent[*n].known).collect();
        if unknown.is_empty() {
            return;
        }
        let sent = &mut self.sent[unknown[pick % unknown.len()]];
        sent.known = true;
        let job = &self.jobs[&sent.job];
        self.conn
            .execute(
                "UPDATE rebalances SET out_channel = ?1, in_channel = ?2 WHERE payment_hash = ?3",
                params![channel_id(job.from), channel_id(job.to), [sent.hash; 32]],
            )
            .expect("learned");
    }

    /// As the cycle does: payments under way first, then the completed ones.
    fn settle(&mut self, assume: bool) {
        let pending: Vec<UnixTime> = self
            .sent
            .iter()
            .filter(|sent| matches!(sent.fate, Fate::Flying | Fate::Late))
            .map(|sent| sent.at)
            .collect();
        self.book();
        for job in jobs::live(&self.conn).expect("books") {
            if job.state == JobState::Stopped && !pending.iter().any(|at| at.plus(1) >= job.reserved_at) {
                let now = self.now;
                in_tx(&mut self.conn, |tx| settle(tx, job.id, assume, now));
            }
        }
    }

    /// Spent within a day by the world's own account.
    fn truly_spent(&self) -> u64 {
        let since = self.now.minus(UnixTime::DAY);
        let recent = |sent: &&Sent| matches!(sent.fate, Fate::Settled(at) if at >= since);
        self.sent.iter().filter(recent).map(|sent| sent.fee).sum()
    }

    /// What settled in the world and is in nobody's books yet.
    fn unbooked(&self, id: JobId) -> u64 {
        let booked: std::collections::HashSet<u8> = self
            .conn
            .prepare("SELECT payment_hash FROM rebalances WHERE job_id IS NOT NULL")
            .and_then(|mut select| {
                select.query_map([], |row| row.get::<_, [u8; 32]>(0).map(|hash| hash[0]))?.collect()
            })
            .expect("books");
        let mine = |sent: &&Sent| {
            sent.job == id && matches!(sent.fate, Fate::Settled(_)) && !booked.contains(&sent.hash)
        };
        self.sent.iter().filter(mine).map(|sent| sent.fee).sum()
    }

    fn check(&self) -> std::result::Result<(), TestCaseError> {
        let limit = 1_000_000;
        let ledger = ledger(&self.conn, self.now.minus(UnixTime::DAY)).expect("books");
        let overall = budget::overall(&config(), &ledger);
        prop_assert!(overall.spent.0 + overall.reserved.0 <= limit, "{overall:?}");
        let mut held = 0;
        for job in jobs::live(&self.conn).expect("books") {
            let unbooked = self.unbooked(job.id);
            prop_assert!(unbooked <= job.held().0, "job {} spends more than it holds", job.id);
            held += job.held().0 - unbooked;
        }
        prop_assert!(self.truly_spent() + held <= limit, "{} + {held}", self.truly_spent());
        Ok(())
    }

    /// Everything comes to an end.
    fn wind_up(&mut self) {
        self.apply(Step::SlingRestart);
        for n in 0..self.sent.len() {
            self.end(0, n % 2 == 0);
        }
        self.now = self.now.plus(5 * UnixTime::HOUR);
        self.settle(true);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn spent_and_reserved_never_exceed_the_budget(steps in proptest::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for step in steps {
            world.apply(step);
            world.check()?;
        }
        world.wind_up();
        world.check()?;
        prop_assert!(jobs::live(&world.conn).expect("books").is_empty(), "every job is settled in the end");
        let ours: u64 = world.sent.iter().filter(|s| matches!(s.fate, Fate::Settled(_))).map(|s| s.fee).sum();
        let booked: Msat = world
            .conn
            .query_row("SELECT coalesce(sum(fee_msat), 0) FROM rebalances WHERE job_id IS NOT NULL", [], |row| row.get(0))
            .expect("books");
        prop_assert_eq!(booked, Msat(ours), "the ledger is the sum of the payments that were ours");
    }
}
