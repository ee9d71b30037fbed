//! The best job for one channel: how much, from where, for how much.

use crate::cost::{Cost, Offer, Routes};
use crate::demand::{Demand, Reputation};
use crate::settings::{Settings, factor, reason};
use crate::source::{Picked, Sources};
use revenue_strategy::rebalance::Row;
use std::cell::Cell;

/// The share that a slow channel is brought to at most.
const SLOW_SHARE: f64 = 0.15;
/// Shares of what is wanted that are tried as amounts.
const SHARES: [f64; 4] = [1.0, 0.5, 0.25, 0.125];

/// A channel that could be filled.
#[derive(Debug)]
pub struct Destination<'a> {
    pub row: Row<'a>,
    demand: Demand,
    routes: Routes,
    /// What routes cost for the payments, msat, that were asked for last.
    known_cost: Cell<Option<(f64, Cost)>>,
    target_share: f64,
    /// What is wanted at most, msat.
    need: f64,
    /// Loss that is allowed, msat.
    tolerance: f64,
    /// What the job may cost at most, msat.
    budget: f64,
}

/// Why a channel is not filled.
#[derive(Debug)]
pub struct Refused {
    pub reason: u32,
    pub numbers: Vec<(u32, f64)>,
}

/// A job for a channel, with the rates that could be offered for it.
#[derive(Debug, Clone)]
pub struct Plan {
    pub amount: f64,
    pub picked: Picked,
    pub gain_ppm: f64,
    pub tolerance_ppm: f64,
    pub cost: Cost,
    /// The highest first; never empty.
    pub offers: Vec<Offer>,
    /// Share of the amount that the Kelly criterion stakes, if it was asked.
    pub kelly: Option<f64>,
}

impl<'a> Destination<'a> {
    /// What `row` wants, or why it wants nothing.
    pub fn of(
        row: Row<'a>,
        now_s: u64,
        budget: f64,
        reputation: &Reputation,
        settings: &Settings,
    ) -> Result<Destination<'a>, Refused> {
        let plain = |reason| Err(Refused { reason, numbers: Vec::new() });
        if row.local_share() >= settings.low {
            return plain(reason::STOCKED);
        }
        if !row.may_fill {
            return plain(reason::BARRED);
        }
        if !row.connected {
            return plain(reason::OFFLINE);
        }
        let demand = Demand::of(&row, reputation.weight(&row));
        let mut destination = Destination {
            routes: Routes::of(&row, now_s, settings),
            known_cost: Cell::new(None),
            target_share: settings.target_share(row.flow),
            need: 0.0,
            tolerance: if row.fleet { settings.tolerance } else { 0.0 },
            budget: budget.min(row.budget_left_msat as f64),
            row,
            demand,
        };
        match destination.size(settings) {
            Ok(()) => Ok(destination),
            Err(reason) => Err(destination.refused(reason)),
        }
    }

    /// Sets target and need.
    fn size(&mut self, settings: &Settings) -> Result<(), u32> {
        let row = &self.row;
        let capacity = row.capacity_msat as f64;
        let mut small = reason::TOO_SMALL;
        if !row.fleet {
            if self.demand.net() <= 0.0 {
                return Err(reason::NO_DEMAND);
            }
            let judged = row.age_s as f64 >= settings.grace_s;
            if judged && settings.velocity_gate && self.demand.turnover(capacity) < settings.min_velocity {
                self.target_share = self.target_share.min(SLOW_SHARE);
                small = reason::SLOW;
            }
            if judged {
                let cover = self.demand.net() * settings.cover_s;
                self.target_share = self.target_share.min(cover / capacity);
            }
        }
        let missing = capacity * self.target_share - row.local_msat as f64;
        self.need = missing.min(row.fill_most_msat as f64).min(settings.max_amount);
        if self.need < settings.min_amount { Err(small) } else { Ok(()) }
    }

    /// The refusal with the numbers behind it.
    pub fn refused(&self, reason: u32) -> Refused {
        Refused { reason, numbers: self.numbers().to_vec() }
    }

    /// What is known before a job is thought of.
    pub fn numbers(&self) -> [(u32, f64); 5] {
        [
            (factor::LOCAL_SHARE, self.row.local_share()),
            (factor::TARGET_SHARE, self.target_share),
            (factor::SELLS, self.demand.net() * 86_400.0 / 1000.0),
            (factor::PRICE, self.demand.price),
            (factor::REPUTATION, self.demand.weight),
        ]
    }

    /// The job that is expected to be worth most, or why there is none.
    pub fn plan(&self, sources: &Sources, settings: &Settings) -> Result<Plan, Refused> {
        let mut found: Option<Plan> = None;
        // Reasons rise with how far a job came.
        let mut furthest = reason::NO_SOURCE;
        let mut tried = f64::NAN;
        for share in SHARES {
            let amount = settings.round(self.need * share);
            if amount < settings.min_amount || amount == tried {
                continue;
            }
            tried = amount;
            match self.job(amount, sources, settings) {
                Ok(plan) if found.as_ref().is_none_or(|found| plan.score() > found.score()) => {
                    found = Some(plan);
                }
                Ok(_) => {}
                Err(reason) => furthest = furthest.max(reason),
            }
        }
        let Some(plan) = found else { return Err(self.refused(furthest)) };
        if settings.kelly && !self.row.fleet { self.staked(plan, sources, settings) } else { Ok(plan) }
    }

    /// The job with other sources: of the same amount if they have it.
    pub fn plan_again(&self, plan: &Plan, sources: &Sources, settings: &Settings) -> Result<Plan, Refused> {
        match self.job(plan.amount, sources, settings) {
            Ok(same) => Ok(Plan { kelly: plan.kelly, ..same }),
            Err(_) => self.plan(sources, settings),
        }
    }

    /// The job of an amount, or why it is not worth its cost.
    fn job(&self, amount: f64, sources: &Sources, settings: &Settings) -> Result<Plan, u32> {
        let stock = self.row.spendable_msat as f64;
        let sold = self.demand.sale(self.demand.price, stock, stock + amount, settings.patience_s);
        let gain_ppm = sold / amount * 1e6;
        let picked = sources.pick(self.row.peer_pseudonym, amount, gain_ppm).ok_or(reason::NO_SOURCE)?;
        let tolerance_ppm = self.tolerance / amount * 1e6;
        let worth = gain_ppm - picked.loss_ppm + tolerance_ppm;
        if worth < 1.0 {
            return Err(reason::NO_GAIN);
        }
        let affordable = self.budget / amount * 1e6;
        if affordable < 1.0 {
            return Err(reason::NO_BUDGET);
        }
        let cost = self.cost(amount, settings);
        let mut offers = cost.offers(worth, settings.max_ppm.min(affordable));
        offers.retain(|offer| offer.success >= settings.least_success);
        if self.tolerance <= 0.0 {
            let least = settings.least_profit_ppm(amount);
            offers.retain(|offer| offer.expected > 0.0 && offer.expected >= least * offer.success);
        }
        if offers.is_empty() {
            return Err(reason::TOO_DEAR);
        }
        Ok(Plan { amount, picked, gain_ppm, tolerance_ppm, cost, offers, kelly: None })
    }

    /// What routes cost for the payments of a job; remembered for the next job
    /// with the same payments.
    fn cost(&self, amount: f64, settings: &Settings) -> Cost {
        let payment = amount.min(settings.chunk);
        match self.known_cost.get() {
            Some((known, cost)) if known == payment => cost,
            _ => {
                let cost = self.routes.cost(payment, settings);
                self.known_cost.set(Some((payment, cost)));
                cost
            }
        }
    }

    /// The job with the amount that the Kelly criterion stakes. What is staked is
    /// the cost; it is lost unless what was moved sells.
    fn staked(&self, plan: Plan, sources: &Sources, settings: &Settings) -> Result<Plan, Refused> {
        let best = plan.offers[0];
        let profit = best.expected / best.success;
        let cost = plan.worth() - profit;
        let forwards = f64::from(self.row.forwards_out_month);
        let sells = self.demand.weight * (forwards + 1.0) / (forwards + 2.0);
        let stake = settings.kelly_fraction * (sells - (1.0 - sells) * cost / profit);
        let stake = stake.clamp(0.0, 1.0);
        let refused = |reason| {
            let mut refused = self.refused(reason);
            refused.numbers.push((factor::KELLY, stake));
            refused
        };
        let amount = settings.round(plan.amount * stake);
        if amount < settings.min_amount {
            return Err(refused(reason::KELLY));
        }
        let smaller = self.job(amount, sources, settings).map_err(refused)?;
        Ok(Plan { kelly: Some(stake), ..smaller })
    }
}

impl Settings {
    /// An amount that can be paid in equal payments, msat.
    fn round(&self, amount: f64) -> f64 {
        let unit = if amount > self.chunk { self.chunk } else { 1000.0 };
        (amount / unit).floor() * unit
    }

    /// Least profit of a success, ppm of `amount`.
    fn least_profit_ppm(&self, amount: f64) -> f64 {
        if self.min_profit_ppm > 0.0 { self.min_profit_ppm } else { self.min_profit / amount * 1e6 }
    }
}

impl Plan {
    /// What it is worth to have the amount moved, allowed loss included, ppm.
    pub fn worth(&self) -> f64 {
        self.gain_ppm - self.picked.loss_ppm + self.tolerance_ppm
    }

    /// What the highest offer is expected to leave, allowed loss included, msat.
    fn score(&self) -> f64 {
        self.left(&self.offers[0])
    }

    /// What an offer is expected to leave, allowed loss included, msat.
    pub fn left(&self, offer: &Offer) -> f64 {
        offer.expected * self.amount / 1e6
    }

    /// What an offer is expected to be worth, msat; below zero where an allowed
    /// loss is made use of.
    pub fn value(&self, offer: &Offer) -> f64 {
        (offer.expected - offer.success * self.tolerance_ppm) * self.amount / 1e6
    }

    /// What an offer could cost at most, msat.
    pub fn reserve(&self, offer: &Offer) -> f64 {
        (offer.ppm.floor() * self.amount / 1e6).ceil()
    }
}
