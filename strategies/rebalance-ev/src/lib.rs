//! The built-in evaluator `rebalance-ev`: liquidity is bought only where it is
//! expected to sell for more than it costs.
//!
//! # What a satoshi moved is worth
//!
//! A channel that nothing refills sells its stock at the net rate
//! `n = max(o w - i, 0)`, where `o` is what left per second in which it could
//! sell, `i` what came in per second (msat/s; the last 7 days count twice those
//! before), and `w` the share of the demand that counts. A sale after the time
//! `t` counts `exp(-t / P)` of one now, with the patience `P` (`patience-days`).
//! What lies there already sells first, so the part of a stock between `a` and
//! `b` msat is worth, at the price `f` ppm,
//!
//! ```text
//! V(a, b) = f / 10^6 * nP * (exp(-a / nP) - exp(-b / nP))   msat
//! ```
//!
//! A channel with the stock `S` gains `V(S, S + A)` by the amount `A`, at the
//! lower of the rate in force and the rate it earned; one with the stock `S'`
//! loses `V(S' - A, S')` by giving it, at the higher of both. So what does not
//! sell is worth nothing, and no channel without net demand is filled.
//!
//! # What it costs
//!
//! The rate at which a job finds a route is taken as log-logistic:
//! `F(x) = 1 / (1 + (c / x)^(1/s))`, with the median `c` ppm. It begins with an
//! assumption that weighs two attempts: the peer's rate and base fee for the
//! last hop plus `host.inbound-fee-estimate-ppm`, twice the estimate where the
//! peer's rate is not known (the factor `attempts` is 0 then). Own attempts
//! towards the peer move the mean of `ln x`: a success by what it paid, a
//! failure by the mean of what lies above its limit. One of 14 days ago counts
//! half, and so does one whose payments had half or twice the amount. `s` falls from 0.6 to 0.25
//! as they add up.
//!
//! # What is offered
//!
//! With `v` the gain less the loss, in ppm of the amount, offering `m` is
//! expected to leave
//!
//! ```text
//! E(m) = integral from 0 to m of (v - x) dF(x)
//!      = F(m) (v - E[cost | success at m])                  ppm of the amount
//! ```
//!
//! which rises up to `m = v`. Where the budget is scarce each msat reserved has
//! a price `k`, the lowest at which the best jobs fit: `E(m) - k m` is what
//! counts then, and offers fall. One that succeeds with a chance below
//! `least-success` is not made. The amounts tried are what the target leaves
//! room for, a half, a quarter and an eighth of it.
//!
//! # Who gets it
//!
//! Jobs take slots and budget in the order of expected value per satoshi
//! reserved. What a pair of channels is worth is the gain of one less the loss of
//! the other, so the best source of every destination is found without looking at
//! each pair. A job whose source a better one took is planned anew.
//!
//! | | |
//! |---|---|
//! | target | the host's share for the channel's flow, at most `cover-days` of net sales |
//! | velocity gate | a slow channel is brought to 15 % at most |
//! | grace | a new channel is judged by neither |
//! | reputation | `w` is the mean of `(settled + 1) / (settled + failed + 2)` over those who sent what left |
//! | Kelly | the amount times `fraction * (p - (1 - p) / b)`: `p = w (n + 1) / (n + 2)` after `n` forwards, `b` profit by cost |
//! | fleet | `host.hive-rebalance-tolerance-sats` counts as gained, so a job may lose that much and no more; such jobs come last |

mod allot;
mod cost;
mod demand;
mod plan;
mod settings;
mod source;

use crate::allot::{Job, allot};
use crate::demand::Reputation;
use crate::plan::{Destination, Refused};
use crate::settings::Settings;
use crate::source::Sources;
use revenue_strategy::Description;
use revenue_strategy::rebalance::{Decision, RebalanceEvaluator, RebalanceInput, Row};

pub use crate::settings::{FACTORS, REASONS, factor, reason};

/// The evaluator.
#[derive(Debug)]
pub struct RebalanceEv;

impl RebalanceEvaluator for RebalanceEv {
    fn describe() -> Description {
        settings::description()
    }

    fn decide(input: &RebalanceInput) -> Result<Decision<'_>, String> {
        let settings = Settings::of(input);
        let reputation = Reputation::of(input, settings.reputation);
        let budget = input.budget_left_msat as f64;
        let mut refused: Vec<(Row<'_>, Refused)> = Vec::new();
        let mut destinations: Vec<Destination<'_>> = Vec::new();
        for row in input.rows() {
            match Destination::of(row, input.now_s, budget, &reputation, &settings) {
                Ok(destination) => destinations.push(destination),
                Err(why) => refused.push((row, why)),
            }
        }
        let sources = Sources::of(input, &settings);
        let allotted = allot(&destinations, sources, &settings, input.slots_free as usize, budget);
        refused.extend(allotted.refused.into_iter().map(|(at, why)| (destinations[at].row, why)));
        refused.sort_by_key(|(row, _)| row.index);

        let mut decision = Decision::new(input);
        for job in &allotted.jobs {
            propose(&destinations[job.at], job, &mut decision);
        }
        for (row, why) in &refused {
            refuse(row, why, &mut decision);
        }
        Ok(decision)
    }
}

revenue_strategy::arena!();
revenue_strategy::export_evaluator!(RebalanceEv);

fn propose(destination: &Destination<'_>, job: &Job, decision: &mut Decision<'_>) {
    let Job { plan, offer, .. } = job;
    let cost_ppm = plan.worth() - offer.expected / offer.success;
    let value = plan.value(offer);
    let reason = if value > 0.0 { reason::SALE } else { reason::FLEET };
    let mut filling = decision
        .fill(&destination.row, &plan.picked.rows, plan.amount as u64, offer.ppm as u64, reason)
        .expects(value.floor() as i64, (cost_ppm.max(0.0) * plan.amount / 1e6).ceil() as u64, offer.success);
    for (name, number) in destination.numbers() {
        filling = filling.factor(name, number);
    }
    filling = filling
        .factor(factor::GAIN, plan.gain_ppm)
        .factor(factor::LOSS, plan.picked.loss_ppm)
        .factor(factor::ROUTE, plan.cost.median())
        .factor(factor::ATTEMPTS, plan.cost.attempts)
        .factor(factor::COST, cost_ppm)
        .factor(factor::SUCCESS, offer.success)
        .factor(factor::VALUE_PER_SAT, value / plan.reserve(offer).max(1.0));
    if let Some(stake) = plan.kelly {
        filling = filling.factor(factor::KELLY, stake);
    }
    if plan.tolerance_ppm > 0.0 {
        filling.factor(factor::TOLERANCE, plan.tolerance_ppm);
    }
}

fn refuse(row: &Row<'_>, why: &Refused, decision: &mut Decision<'_>) {
    let mut refusing = decision.refuse(row, why.reason);
    if why.numbers.is_empty() {
        refusing = refusing.factor(factor::LOCAL_SHARE, row.local_share());
    }
    for &(name, number) in &why.numbers {
        refusing = refusing.factor(name, number);
    }
}
