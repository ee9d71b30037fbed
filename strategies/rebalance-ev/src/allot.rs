//! Which jobs get the slots and the budget: those with the most value per
//! satoshi reserved.

use crate::cost::Offer;
use crate::plan::{Destination, Plan, Refused};
use crate::settings::{Settings, reason};
use crate::source::Sources;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Halvings of the interval in which the price of budget is looked for.
const ROUNDS: u32 = 12;

/// A job that is to be started.
#[derive(Debug)]
pub struct Job {
    /// Position among the destinations.
    pub at: usize,
    pub plan: Plan,
    pub offer: Offer,
}

/// What became of the destinations.
#[derive(Debug)]
pub struct Allotted {
    /// Best first.
    pub jobs: Vec<Job>,
    /// The others, by position.
    pub refused: Vec<(usize, Refused)>,
}

/// A job that waits for its turn.
struct Bid {
    at: usize,
    plan: Plan,
    offer: Offer,
    /// Expected value per msat reserved.
    ratio: f64,
}

impl Bid {
    /// With the offer that is best at a price of budget.
    fn of(at: usize, plan: Plan, price: f64, destination: &Destination<'_>) -> Result<Bid, Refused> {
        let offer = choose(&plan, price).ok_or_else(|| destination.refused(reason::NO_BUDGET))?;
        let ratio = plan.value(&offer) / plan.reserve(&offer).max(1.0);
        Ok(Bid { at, plan, offer, ratio })
    }
}

impl Ord for Bid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.ratio.total_cmp(&other.ratio).then(other.at.cmp(&self.at))
    }
}

impl PartialOrd for Bid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Bid {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Bid {}

/// The offer that leaves most when each msat reserved costs `price` msat.
fn choose(plan: &Plan, price: f64) -> Option<Offer> {
    let surplus = |offer: &Offer| plan.left(offer) - price * plan.reserve(offer);
    let best = plan.offers.iter().max_by(|a, b| surplus(a).total_cmp(&surplus(b)))?;
    (surplus(best) > 0.0).then_some(*best)
}

/// The lowest price of budget at which the best jobs for the slots fit into it:
/// where it is scarce, each of them offers less and more of them are started.
fn price(plans: &[(usize, Plan)], slots: usize, budget: f64) -> f64 {
    let fits = |price: f64| {
        let mut bids: Vec<(f64, f64)> = plans
            .iter()
            .filter_map(|(_, plan)| {
                let offer = choose(plan, price)?;
                let reserve = plan.reserve(&offer);
                Some((plan.value(&offer) / reserve.max(1.0), reserve))
            })
            .collect();
        if slots < bids.len() {
            bids.select_nth_unstable_by(slots, |a, b| b.0.total_cmp(&a.0));
        }
        bids.iter().take(slots).map(|(_, reserve)| reserve).sum::<f64>() <= budget
    };
    if fits(0.0) {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while !fits(high) {
        high *= 2.0;
    }
    for _ in 0..ROUNDS {
        let middle = (low + high) / 2.0;
        if fits(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// Shares out `slots` and `budget` msat.
pub fn allot(
    destinations: &[Destination<'_>],
    mut sources: Sources,
    settings: &Settings,
    slots: usize,
    mut budget: f64,
) -> Allotted {
    let mut allotted = Allotted { jobs: Vec::new(), refused: Vec::new() };
    let mut plans = Vec::new();
    for (at, destination) in destinations.iter().enumerate() {
        match destination.plan(&sources, settings) {
            Ok(plan) => plans.push((at, plan)),
            Err(refused) => allotted.refused.push((at, refused)),
        }
    }
    let price = price(&plans, slots, budget);
    let mut bids = BinaryHeap::with_capacity(plans.len());
    for (at, plan) in plans {
        match Bid::of(at, plan, price, &destinations[at]) {
            Ok(bid) => bids.push(bid),
            Err(refused) => allotted.refused.push((at, refused)),
        }
    }
    while let Some(bid) = bids.pop() {
        let destination = &destinations[bid.at];
        if allotted.jobs.len() == slots {
            allotted.refused.push((bid.at, destination.refused(reason::NO_SLOT)));
        } else if !sources.are_free(&bid.plan.picked.rows) {
            // A better job took one of its sources: it waits again with what others are worth.
            let again = destination.plan_again(&bid.plan, &sources, settings);
            match again.and_then(|plan| Bid::of(bid.at, plan, price, destination)) {
                Ok(bid) => bids.push(bid),
                Err(refused) => allotted.refused.push((bid.at, refused)),
            }
        } else if let Some(offer) = affordable(&bid, budget) {
            budget -= bid.plan.reserve(&offer);
            sources.take(&bid.plan.picked.rows);
            allotted.jobs.push(Job { at: bid.at, plan: bid.plan, offer });
        } else {
            allotted.refused.push((bid.at, destination.refused(reason::NO_BUDGET)));
        }
    }
    allotted
}

/// The bid's offer, or the best of the lower ones that the budget still pays.
fn affordable(bid: &Bid, budget: f64) -> Option<Offer> {
    let fits = |offer: &&Offer| offer.ppm <= bid.offer.ppm && bid.plan.reserve(offer) <= budget;
    let offers = bid.plan.offers.iter().filter(fits);
    offers.max_by(|a, b| bid.plan.left(a).total_cmp(&bid.plan.left(b))).copied()
}
