//! One market with one player: traffic, then a fee cycle with the plugin's guard, again and again.

use super::Entrant;
use super::book::{Book, LEAST_USABLE};
use super::market::Stage;
use crate::cli::strategy::tally::Tally;
use crate::config::Config;
use crate::econ::flow::Thresholds;
use crate::engine::Engine;
use crate::guard::fee::{Case, History, check};
use crate::model::fee::{FeeProposal, Origin};
use crate::model::strategy::StrategyProposal;
use crate::model::{Channel, Msat, NodeSnapshot, Policy, Ppm, States, StrategyName, UnixTime};
use anyhow::{Result, anyhow};
use lab::market::{self, Forward, Market};
use std::collections::BTreeMap;

pub(super) const START_S: u64 = 1_760_000_000;

/// Who sets the rates.
pub(super) enum Player<'a> {
    /// For each channel the constant rate that earns most from the demand at the start.
    BestConstant,
    /// The rates of the beginning.
    FirstRates,
    Strategy(&'a Entrant),
}

/// What came of it.
pub(super) struct Outcome {
    pub player: String,
    /// In the order of the stage's channels.
    pub channels: Vec<Path>,
    pub tally: Tally,
    pub faults: Vec<String>,
}

/// One channel's way through the simulation.
pub(super) struct Path {
    pub earned: Msat,
    pub forwards: u32,
    /// Seconds since the start, and the rate from then on, ppm.
    pub rates: Vec<(u64, u32)>,
    /// Earned by the end of each day, msat.
    pub days: Vec<u64>,
}

pub(super) struct World<'a> {
    pub(super) stage: &'a Stage,
    engine: &'a Engine,
    pub(super) market: Market,
    pub(super) config: Config,
    pub(super) books: Vec<Book>,
    pub(super) now: UnixTime,
    until: UnixTime,
    pub(super) seed: u64,
    /// The states of the stage's channels, and that of the node.
    pub(super) states: (States, Vec<u8>),
    /// The feerates seen, by the hour.
    pub(super) feerates: BTreeMap<u64, u32>,
    outcome: Outcome,
}

impl<'a> World<'a> {
    pub fn new(stage: &'a Stage, seed: u64, days: u32, engine: &'a Engine) -> World<'a> {
        let (now, market) = (UnixTime(START_S), Market::new(stage.spec.clone(), seed, START_S as f64));
        let books: Vec<Book> =
            market.channels().iter().map(|channel| Book::new(now, Ppm(channel.fee().ppm))).collect();
        let channels = stage.channels.iter().map(|(index, _)| Path {
            earned: Msat::ZERO,
            forwards: 0,
            rates: vec![(0, market.channel(*index).fee().ppm)],
            days: vec![],
        });
        let outcome = Outcome {
            player: String::new(),
            channels: channels.collect(),
            tally: Tally::default(),
            faults: vec![],
        };
        World {
            stage,
            engine,
            config: Config::default(),
            books,
            now,
            until: now.plus(u64::from(days) * UnixTime::DAY),
            seed,
            states: (States::empty(stage.channels.len()), vec![]),
            feerates: BTreeMap::new(),
            outcome,
            market,
        }
    }

    /// Plays to the end.
    pub fn play(mut self, player: &Player<'_>) -> Result<Outcome> {
        self.outcome.player = match player {
            Player::BestConstant => "best constant".to_owned(),
            Player::FirstRates => "first rates".to_owned(),
            Player::Strategy(entrant) => entrant.label.clone(),
        };
        if matches!(player, Player::BestConstant) {
            for (row, (index, _)) in self.stage.channels.iter().enumerate() {
                let best = self.market.oracle_ppm(*index);
                self.outcome.channels[row].rates = vec![(0, best)];
                // Before anybody heard of another rate.
                let day_before = self.market.now_unix_s() - 86_400.0;
                self.set_fee(*index, Ppm(best), None, day_before);
            }
        }
        while self.now < self.until {
            self.trade();
            if let Player::Strategy(entrant) = player {
                self.decide(entrant)?;
            }
        }
        for (path, (index, _)) in self.outcome.channels.iter_mut().zip(&self.stage.channels) {
            (path.earned, path.forwards) = (self.books[*index].earned, self.books[*index].forwards_out);
        }
        Ok(self.outcome)
    }

    /// One cycle of traffic.
    fn trade(&mut self) {
        let before = self.now;
        self.now = self.now.plus(self.config.fee_interval);
        let forwards: Vec<Forward> = self.market.advance(self.now.0 as f64);
        for forward in forwards.iter().filter(|forward| forward.resolved_us.is_some()) {
            self.books[forward.out_channel].left(forward);
            self.books[forward.in_channel].entered(forward);
        }
        let thresholds =
            Thresholds { source: self.config.source_threshold, sink: self.config.sink_threshold };
        let window = u32::try_from(self.config.flow_window_days).unwrap_or(u32::MAX);
        for (book, channel) in self.books.iter_mut().zip(self.market.channels()) {
            let usable = channel.usable && channel.spendable_msat() >= LEAST_USABLE.0;
            book.look(self.now, usable, Msat(channel.capacity_msat), thresholds, window);
        }
        if before.0 / UnixTime::DAY < self.now.0 / UnixTime::DAY {
            for (path, (index, _)) in self.outcome.channels.iter_mut().zip(&self.stage.channels) {
                path.days.push(self.books[*index].earned.0);
            }
        }
    }

    /// One fee cycle.
    fn decide(&mut self, entrant: &Entrant) -> Result<()> {
        let snapshot = self.snapshot()?;
        let policy_name: StrategyName = "backtest".parse().map_err(|why: String| anyhow!(why))?;
        let policies: Vec<Policy> = snapshot
            .channels
            .iter()
            .map(|channel| Policy { strategy: policy_name.clone(), ..Policy::default_for(channel.peer_id) })
            .collect();
        let input = self.input(entrant, &snapshot, &policies);
        self.feerates.insert(self.now.0 / UnixTime::HOUR, self.feerate());
        let decision = match self.engine.decide_fees(&entrant.module, &input) {
            Ok(decision) => decision,
            Err(fault) => {
                self.outcome.faults.push(fault.to_string());
                return Ok(());
            }
        };
        for proposal in &decision.proposals {
            let (channel, policy) = (&snapshot.channels[proposal.row], &policies[proposal.row]);
            self.judge(proposal, channel, policy, &snapshot, &policy_name);
        }
        self.states = (decision.states, decision.node_state);
        Ok(())
    }

    /// The plugin's guard, and what the node makes of its word.
    fn judge(
        &mut self,
        wanted: &StrategyProposal,
        channel: &Channel,
        policy: &Policy,
        snapshot: &NodeSnapshot,
        name: &StrategyName,
    ) {
        let (row, index) = (wanted.row, self.stage.channels[wanted.row].0);
        let proposal = FeeProposal {
            channel_id: channel.channel_id,
            origin: Origin::Strategy(name.clone()),
            fee: wanted.fee,
            base_fee: wanted.base_fee,
            htlc_max: wanted.htlc_max,
            reason: wanted.reason.clone(),
            factors: vec![],
        };
        let history = History {
            updates_today: self.books[index].updates_today(self.now),
            fee_from_congestion: self.books[index].from_congestion,
            last_change: self.books[index].changes.last().copied(),
            ..History::default()
        };
        let verdict = check(
            proposal,
            Case { config: &self.config, policy, snapshot, channel, history, stands_in: false },
        );
        self.outcome.tally.count(&verdict);
        let book = &mut self.books[index];
        (book.verdict, book.proposed) = (verdict.told(), Some(wanted.fee));
        if let Ok(approved) = verdict.result {
            let set = approved.get();
            if set.fee != channel.fee_ppm {
                book.change(self.now, set.fee, set.from_congestion);
                self.outcome.channels[row].rates.push((self.now.0 - START_S, set.fee.0));
            } else {
                book.changes.push(self.now);
            }
            let (fee, base, most) = (set.fee, set.base_fee, set.htlc_max);
            self.set_fee(index, fee, Some((base, most)), self.now.0 as f64);
        }
    }

    fn set_fee(&mut self, index: usize, fee: Ppm, more: Option<(Msat, Option<Msat>)>, at_s: f64) {
        let old = self.market.channel(index).fee();
        let (base, most) = more.map_or((Msat(old.base_msat), None), |more| more);
        let new = market::Fee {
            ppm: fee.0,
            base_msat: base.0,
            htlc_max_msat: most.map_or(old.htlc_max_msat, |most| most.0),
            ..old
        };
        self.market.set_fee(index, new, at_s);
    }
}
