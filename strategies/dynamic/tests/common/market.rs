//! A market of one channel, to see what a fee strategy earns.
//!
//! The channel is held at half its capacity. Forwards are a Poisson stream
//! whose rate falls with the price and swings by half over the day; sizes are
//! lognormal with a squared coefficient of variation of 3. A change of the
//! rate reaches senders between 10 minutes and 4 hours later; until then they
//! pay, and decide by, the old one. The host shows the strategy what a real
//! one would: constant-rate intervals without their first hour, verdicts, and
//! a budget of updates per day.

#![allow(dead_code)] // each user takes what it needs

use revenue_strategy::testing::{ChannelBuilder, InputBuilder, decide};
use revenue_strategy::{FeeInterval, ParamValue, Rng, Verdict, terms};
use strategy_dynamic::Dynamic;

const CYCLE_S: u64 = 1800;
const DAY_S: u64 = 86_400;
const START_S: u64 = 1_760_000_000;
const UPDATES_PER_DAY: usize = 6;
const INTERVALS_SHOWN: usize = 24;
const MEAN_MSAT: f64 = 100_000_000.0;

/// How the share of senders that still pay falls with the rate, ppm.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// `exp(-f / scale)`.
    Exponential(f64),
    /// `1 / (1 + exp((f - middle) / width))`.
    Logistic(f64, f64),
    /// `1 / (1 + (f / scale)^power)`: a long tail.
    Tail(f64, f64),
}

impl Shape {
    fn share(self, ppm: f64) -> f64 {
        match self {
            Self::Exponential(scale) => (-ppm / scale).exp(),
            Self::Tail(scale, power) => 1.0 / (1.0 + (ppm / scale).powf(power)),
            Self::Logistic(middle, width) => 1.0 / (1.0 + ((ppm - middle) / width).exp()),
        }
    }

    /// The most that rate times share can be.
    fn oracle(self) -> f64 {
        (1..5000).map(|ppm| f64::from(ppm) * self.share(f64::from(ppm))).fold(0.0, f64::max)
    }
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Market {
    pub name: &'static str,
    pub shape: Shape,
    /// Forwards per day at a rate of nothing.
    pub per_day: f64,
    /// The rate in force at the beginning, ppm.
    pub start_ppm: u32,
    /// Forwards that come together on average.
    pub burst: f64,
    /// Halfway, all prices that senders would pay are divided by this.
    pub shift: f64,
}

/// The table of demand shapes on which controllers are compared.
pub const TABLE: [Market; 6] = [
    market("exp 500, 40/d, from 100", Shape::Exponential(500.0), 40.0, 100),
    market("exp 500, 6/d, from 100", Shape::Exponential(500.0), 6.0, 100),
    market("exp 200, 40/d, from 800", Shape::Exponential(200.0), 40.0, 800),
    market("logit 800+-80, 40/d, from 100", Shape::Logistic(800.0, 80.0), 40.0, 100),
    market("logit 300+-40, 6/d, from 1000", Shape::Logistic(300.0, 40.0), 6.0, 1000),
    market("logit 150+-20, 120/d, from 600", Shape::Logistic(150.0, 20.0), 120.0, 600),
];

/// Shapes outside the table: a long tail, cheap and dear cliffs, few forwards.
pub const MORE: [Market; 5] = [
    market("tail 300^2.5, 20/d, from 1500", Shape::Tail(300.0, 2.5), 20.0, 1500),
    market("exp 60, 20/d, from 400", Shape::Exponential(60.0), 20.0, 400),
    market("exp 1500, 10/d, from 10", Shape::Exponential(1500.0), 10.0, 10),
    market("logit 2000+-150, 3/d, from 100", Shape::Logistic(2000.0, 150.0), 3.0, 100),
    market("exp 250, 1/d, from 500", Shape::Exponential(250.0), 1.0, 500),
];

const fn market(name: &'static str, shape: Shape, per_day: f64, start_ppm: u32) -> Market {
    Market { name, shape, per_day, start_ppm, burst: 1.0, shift: 1.0 }
}

/// Who sets the rate.
#[derive(Debug, Clone)]
pub enum Contestant {
    /// A rate that never moves, ppm; none: the one of the beginning.
    Constant(Option<u32>),
    /// The strategy with some of its parameters.
    Dynamic(Vec<(&'static str, f64)>),
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Revenue as a share of that of the best constant rate.
    pub share: f64,
    pub updates_per_day: f64,
    pub last_ppm: u32,
}

/// Runs one contestant on one market.
pub fn run(market: &Market, contestant: &Contestant, seed: u64, days: u64) -> Outcome {
    let mut world = World::new(*market, seed, days);
    if let Contestant::Constant(Some(ppm)) = contestant {
        world.fee_ppm = *ppm;
        world.old_ppm = *ppm;
        world.intervals[0].fee_ppm = *ppm;
    }
    for _ in 0..days * DAY_S / CYCLE_S {
        world.trade();
        if let Contestant::Dynamic(params) = contestant {
            world.decide(params);
        }
    }
    let oracle =
        market.shape.oracle() * (0.5 + 0.5 / market.shift) * market.per_day * days as f64 * MEAN_MSAT / 1e6;
    Outcome {
        share: world.earned_msat / oracle,
        updates_per_day: world.changes.len() as f64 / days as f64,
        last_ppm: world.fee_ppm,
    }
}

struct World {
    market: Market,
    rng: Rng,
    seed: u64,
    now_s: u64,
    shift_s: u64,
    fee_ppm: u32,
    old_ppm: u32,
    changes: Vec<u64>,
    intervals: Vec<FeeInterval>,
    forwards: u32,
    earned_msat: f64,
    state: Vec<u8>,
    node_state: Vec<u8>,
    verdict: (Verdict, Option<u32>),
}

impl World {
    fn new(market: Market, seed: u64, days: u64) -> Self {
        Self {
            market,
            rng: Rng::new(seed, 0x6d61726b6574),
            seed,
            now_s: START_S,
            shift_s: START_S + days * DAY_S / 2,
            fee_ppm: market.start_ppm,
            old_ppm: market.start_ppm,
            changes: Vec::new(),
            intervals: vec![running(START_S, market.start_ppm)],
            forwards: 0,
            earned_msat: 0.0,
            state: Vec::new(),
            node_state: Vec::new(),
            verdict: (Verdict::None, None),
        }
    }

    fn changed_s(&self) -> u64 {
        self.changes.last().copied().unwrap_or(0)
    }

    /// One cycle of traffic.
    fn trade(&mut self) {
        let age_s = self.now_s + CYCLE_S / 2 - self.changed_s();
        let known = ((age_s as f64 - 600.0) / (4.0 * 3600.0 - 600.0)).clamp(0.0, 1.0);
        self.trade_at(self.fee_ppm, known);
        self.trade_at(self.old_ppm, 1.0 - known);
        self.now_s += CYCLE_S;
        let now_s = self.now_s;
        if let Some(last) = self.intervals.last_mut() {
            last.end_s = now_s;
            last.live_s = now_s.saturating_sub(last.start_s + 3600) as u32;
        }
    }

    fn trade_at(&mut self, ppm: u32, weight: f64) {
        let hour = (self.now_s % DAY_S) as f64 / DAY_S as f64 * std::f64::consts::TAU;
        let rate = self.market.per_day * CYCLE_S as f64 / DAY_S as f64 * (1.0 + 0.5 * hour.sin());
        let mean = rate * weight * self.share(ppm);
        for _ in 0..self.arrivals(mean) {
            let spread = 4f64.ln();
            let size = MEAN_MSAT * (spread.sqrt() * self.rng.normal() - spread / 2.0).exp();
            let fee_msat = size * f64::from(ppm) / 1e6;
            self.earned_msat += fee_msat;
            self.forwards += 1;
            let now_s = self.now_s;
            if let Some(last) = self.intervals.last_mut().filter(|i| now_s >= i.start_s + 3600) {
                last.settled += 1;
                last.out_msat += size as u64;
                last.fee_msat += fee_msat as u64;
            }
        }
    }

    /// Forwards of a cycle: bursts of geometric length, `mean` in all.
    fn arrivals(&mut self, mean: f64) -> u32 {
        let more = 1.0 - 1.0 / self.market.burst;
        let mut count = self.poisson(mean / self.market.burst);
        let mut last = count;
        while more > 0.0 && last > 0 {
            last = (0..last).map(|_| u32::from(self.rng.chance(more))).sum();
            count += last;
        }
        count
    }

    /// Share of senders that pay a rate now.
    fn share(&self, ppm: u32) -> f64 {
        let shift = if self.now_s < self.shift_s { 1.0 } else { self.market.shift };
        self.market.shape.share(f64::from(ppm) * shift)
    }

    fn poisson(&mut self, mean: f64) -> u32 {
        let limit = (-mean).exp();
        let mut product = self.rng.unit();
        let mut count = 0;
        while product > limit {
            product *= self.rng.unit();
            count += 1;
        }
        count
    }

    /// One fee cycle, and the host's part in it.
    fn decide(&mut self, params: &[(&'static str, f64)]) {
        let day_ago = self.now_s.saturating_sub(DAY_S);
        let today = self.changes.iter().filter(|at_s| **at_s > day_ago).count();
        let left = UPDATES_PER_DAY.saturating_sub(today) as u32;
        let shown = self.intervals.len().saturating_sub(INTERVALS_SHOWN);
        let channel = ChannelBuilder::new()
            .fee_ppm(self.fee_ppm)
            .intervals(self.intervals[shown..].iter().cloned())
            .state(&self.state)
            .verdict(self.verdict.0, self.verdict.1)
            .with(|c| {
                c.updates_left = left;
                c.last_change_s = self.changed_s();
                c.forwards_out_total = self.forwards;
                c.pseudonym = self.seed + 1;
            });
        let mut builder = InputBuilder::new()
            .now_s(self.now_s)
            .seed(self.seed ^ self.now_s)
            .node_state(&self.node_state)
            .channel(channel);
        for (name, value) in params {
            builder = builder.param(name, ParamValue::Number(*value));
        }
        let decided = decide::<Dynamic>(&builder.build()).expect("the strategy decides");
        self.state = decided.states.entry(0).to_vec();
        self.node_state = decided.node_state;
        if let Some(proposal) = decided.proposals.first() {
            self.judge(proposal.fee_ppm, left);
        }
    }

    fn judge(&mut self, ppm: u64, left: u32) {
        let wanted = u32::try_from(ppm).expect("a sane rate");
        let verdict = if left == 0 {
            Verdict::RateLimited
        } else if !terms::passes_gate(self.fee_ppm, ppm, 0.05) {
            Verdict::Suppressed
        } else {
            self.old_ppm = self.fee_ppm;
            self.fee_ppm = wanted;
            self.changes.push(self.now_s);
            self.intervals.push(running(self.now_s, wanted));
            Verdict::Published
        };
        self.verdict = (verdict, Some(wanted));
    }
}

fn running(start_s: u64, fee_ppm: u32) -> FeeInterval {
    revenue_strategy::testing::interval(start_s, start_s, fee_ppm)
}
