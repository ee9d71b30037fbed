//! A thousand random schedules.

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Wish {
        to: u8,
        from: Vec<u8>,
        payments: u64,
        ppm: u32,
        handing: Handing,
    },
    Send {
        job: usize,
        source: usize,
        share: u64,
        known: bool,
        stale: bool,
    },
    End {
        payment: usize,
        settles: bool,
    },
    TimeOut {
        job: usize,
    },
    /// sling goes on with a job alone: payments one after another, most of which time out.
    Alone {
        job: usize,
        rounds: Vec<(usize, bool, bool)>,
    },
    Stop {
        job: usize,
    },
    SlingRestart,
    Kill,
    Start,
    Book,
    Learn {
        payment: usize,
    },
    Settle {
        assume: bool,
    },
    Wait {
        seconds: u64,
    },
    SetClock {
        by_s: i64,
    },
    BeginAnew,
    SetOption {
        htlcs: u64,
    },
    /// Others' payments through a channel that no job takes from.
    Traffic {
        channel: u8,
        share: f64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let often = proptest::bool::weighted(0.8);
    let from = proptest::collection::vec(1..=CHANNELS, 1..4);
    let handing = prop_oneof![
        7 => Just(Handing::Taken),
        1 => Just(Handing::Killed),
        2 => (0..HTLCS * 2).prop_map(Handing::Changed),
    ];
    let round = (0usize..4, proptest::bool::weighted(0.7), proptest::bool::ANY);
    prop_oneof![
        4 => (1..=CHANNELS, from, 1u64..8, 1u32..1_500, handing)
            .prop_map(|(to, from, payments, ppm, handing)| Step::Wish { to, from, payments, ppm, handing }),
        8 => (0usize..8, 0usize..4, 0u64..=100, often, proptest::bool::ANY)
            .prop_map(|(job, source, share, known, stale)| Step::Send { job, source, share, known, stale }),
        8 => (0usize..16, proptest::bool::weighted(0.7)).prop_map(|(payment, settles)| Step::End { payment, settles }),
        4 => (0usize..8).prop_map(|job| Step::TimeOut { job }),
        2 => (0usize..8, proptest::collection::vec(round, 1..24)).prop_map(|(job, rounds)| Step::Alone { job, rounds }),
        2 => (0usize..8).prop_map(|job| Step::Stop { job }),
        1 => Just(Step::SlingRestart),
        1 => Just(Step::Kill),
        2 => Just(Step::Start),
        4 => Just(Step::Book),
        2 => (0usize..8).prop_map(|payment| Step::Learn { payment }),
        4 => proptest::bool::weighted(0.2).prop_map(|assume| Step::Settle { assume }),
        3 => (1u64..20_000).prop_map(|seconds| Step::Wait { seconds }),
        2 => prop_oneof![-200_000i64..200_000, -5i64..=5].prop_map(|by_s| Step::SetClock { by_s }),
        1 => Just(Step::BeginAnew),
        1 => (0..HTLCS * 2).prop_map(|htlcs| Step::SetOption { htlcs }),
        2 => (1..=CHANNELS, 0.1f64..0.9).prop_map(|(channel, share)| Step::Traffic { channel, share }),
    ]
}

impl World {
    fn alive(&self, pick: usize) -> Option<JobId> {
        let alive: Vec<JobId> = self.jobs.iter().filter(|(_, job)| job.alive).map(|(id, _)| *id).collect();
        (!alive.is_empty()).then(|| alive[pick % alive.len()])
    }

    fn source(&self, id: JobId, pick: usize) -> u8 {
        let from = &self.jobs[&id].from;
        from[pick % from.len()]
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Wish { to, mut from, payments, ppm, handing } => {
                from.sort_unstable();
                from.dedup();
                self.wish(&Wish { to, from: &from, payments, ppm }, handing);
            }
            Step::Send { job, source, share, known, stale } => {
                if let Some(id) = self.alive(job) {
                    self.send(id, self.source(id, source), share, known, stale);
                }
            }
            Step::End { payment, settles } => self.end_one(payment, settles),
            Step::TimeOut { job } => {
                if let Some(id) = self.alive(job) {
                    self.time_out(id);
                }
            }
            Step::Alone { job, rounds } => {
                if let Some(id) = self.alive(job) {
                    self.alone(id, rounds);
                }
            }
            Step::Stop { job } => {
                if let Some(id) = self.alive(job).filter(|_| self.up) {
                    self.forget(id);
                }
            }
            Step::SlingRestart => {
                let all: Vec<JobId> = self.jobs.keys().copied().filter(|id| self.jobs[id].alive).collect();
                all.into_iter().for_each(|id| self.forget(id));
            }
            Step::Kill => self.up = false,
            Step::Start if !self.up => self.start(),
            Step::Book if self.up => self.book(),
            Step::Learn { payment } if self.up => self.learn_one(payment),
            Step::Settle { assume } if self.up => self.settle(assume),
            Step::Start | Step::Book | Step::Learn { .. } | Step::Settle { .. } => {}
            Step::Wait { seconds } => self.passed += seconds,
            Step::SetClock { by_s } => self.set_clock(by_s),
            Step::BeginAnew => self.begin_anew(),
            Step::SetOption { htlcs } => self.set_option(htlcs),
            Step::Traffic { channel, share } => self.traffic(channel, share),
        }
    }

    /// Each round a payment that times out or settles; one that timed out earlier may settle too.
    fn alone(&mut self, id: JobId, rounds: Vec<(usize, bool, bool)>) {
        for (source, late, settle_one) in rounds {
            if self.send(id, self.source(id, source), 100, true, true) {
                match late {
                    true => self.time_out(id),
                    false => self.end(self.sent.len() - 1, true),
                }
            }
            if let Some(n) = self.sent.iter().position(|s| s.fate == Fate::Late).filter(|_| settle_one) {
                self.end(n, true);
            }
        }
    }

    fn end_one(&mut self, pick: usize, settles: bool) {
        let open: Vec<usize> = (0..self.sent.len())
            .filter(|n| matches!(self.sent[*n].fate, Fate::Flying | Fate::Late))
            .collect();
        if !open.is_empty() {
            self.end(open[pick % open.len()], settles);
        }
    }

    fn learn_one(&mut self, pick: usize) {
        let unknown: Vec<usize> = (0..self.sent.len()).filter(|n| !self.sent[*n].known).collect();
        if unknown.is_empty() {
            return;
        }
        let sent = &mut self.sent[unknown[pick % unknown.len()]];
        sent.known = true;
        learn(&self.conn, sent.hash, (sent.from, self.jobs[&sent.job].to));
    }

    fn traffic(&mut self, channel: u8, share: f64) {
        let sending = |(id, job): (&JobId, &SlingJob)| {
            job.from.contains(&channel) && (job.alive || self.sent.iter().any(|s| s.job == *id && is_open(s)))
        };
        if !self.jobs.iter().any(sending) {
            self.balances.insert(channel, (CAPACITY as f64 * share) as u64);
        }
    }
}

fn is_open(sent: &Sent) -> bool {
    matches!(sent.fate, Fate::Flying | Fate::Late)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn spent_and_reserved_never_exceed_the_budget(
        steps in proptest::collection::vec(step(), 1..80),
        numbers in proptest::bool::weighted(0.7),
    ) {
        let mut world = World::new(numbers);
        for step in steps {
            world.apply(step);
            world.check()?;
        }
        world.wind_up()?;
    }
}
