//! Channels that have something to spare, and what they lose by giving it.

use crate::demand::Demand;
use crate::settings::Settings;
use revenue_strategy::rebalance::{RebalanceInput, Row};

/// A job may take from as much as its amount so many times, so that it need not
/// fail with one channel.
const COVER: f64 = 3.0;
/// Loss by which a source may be dearer than the best one, as a share of what
/// the destination gains.
const SLACK: f64 = 0.05;
/// Sources that are looked at for one job.
const LOOKED_AT: usize = 256;

/// A channel to take from.
#[derive(Debug)]
struct Source {
    row: u32,
    peer: u64,
    /// What it may give, msat.
    spare: f64,
    /// What it has to sell, msat.
    stock: f64,
    demand: Demand,
    /// What its last satoshi is expected to sell for, ppm.
    last_ppm: f64,
}

/// All sources, those that lose least first.
#[derive(Debug)]
pub struct Sources {
    sorted: Vec<Source>,
    /// By row: taken by a job of this cycle.
    taken: Vec<bool>,
    patience_s: f64,
    most: usize,
    chunk: f64,
}

/// Channels for one job.
#[derive(Debug, Clone, PartialEq)]
pub struct Picked {
    /// Rows, those that lose least first.
    pub rows: Vec<u32>,
    /// What the one that loses most would have sold it for, ppm.
    pub loss_ppm: f64,
}

impl Source {
    fn of(row: &Row<'_>, settings: &Settings) -> Option<Source> {
        if !(row.may_drain && row.connected && row.local_share() > settings.high) {
            return None;
        }
        let capacity = row.capacity_msat as f64;
        let beyond_target = row.local_msat as f64 - capacity * settings.target_share(row.flow);
        let spare = beyond_target.min(row.drain_most_msat as f64);
        // Its senders are not doubted: what it might have sold is not to be put too low.
        let demand = Demand::of(row, 1.0);
        let stock = row.spendable_msat as f64;
        let last_ppm = demand.sale(demand.price_high, stock - 1000.0, stock, settings.patience_s) * 1000.0;
        (spare >= settings.min_amount).then_some(Source {
            row: row.index,
            peer: row.peer_pseudonym,
            spare,
            stock,
            demand,
            last_ppm,
        })
    }
}

impl Sources {
    /// The channels of a node from which something may be taken.
    pub fn of(input: &RebalanceInput, settings: &Settings) -> Sources {
        let mut sorted: Vec<Source> = input.rows().filter_map(|row| Source::of(&row, settings)).collect();
        sorted.sort_by(|a, b| a.last_ppm.total_cmp(&b.last_ppm).then(a.row.cmp(&b.row)));
        Sources {
            sorted,
            taken: vec![false; input.channels.len()],
            patience_s: settings.patience_s,
            most: settings.sources,
            chunk: settings.chunk,
        }
    }

    /// Channels that can give `amount` msat to a destination of another peer,
    /// which gains `gain_ppm` by it: the one that loses least, and others that
    /// lose little more. What a pair is worth is the gain of one side less the
    /// loss of the other, so this finds the best of all pairs.
    pub fn pick(&self, peer: u64, amount: f64, gain_ppm: f64) -> Option<Picked> {
        let payment = amount.min(self.chunk);
        let free = |source: &&Source| {
            !self.taken[source.row as usize] && source.peer != peer && source.spare >= payment
        };
        let mut picked = Picked { rows: Vec::new(), loss_ppm: 0.0 };
        let (mut spare, mut best) = (0.0, f64::INFINITY);
        for source in self.sorted.iter().take(LOOKED_AT).filter(free) {
            let given = amount.min(source.spare);
            let lost = source.demand.sale(
                source.demand.price_high,
                source.stock - given,
                source.stock,
                self.patience_s,
            );
            let loss_ppm = lost / given * 1e6;
            best = best.min(loss_ppm);
            let enough = spare >= amount;
            if enough && loss_ppm > best + SLACK * gain_ppm {
                break;
            }
            spare += source.spare;
            picked.rows.push(source.row);
            picked.loss_ppm = picked.loss_ppm.max(loss_ppm);
            if spare >= COVER * amount || picked.rows.len() == self.most {
                break;
            }
        }
        (spare >= amount && !picked.rows.is_empty()).then_some(picked)
    }

    /// Keeps channels out of further jobs.
    pub fn take(&mut self, rows: &[u32]) {
        for &row in rows {
            self.taken[row as usize] = true;
        }
    }

    /// Whether none of the channels is taken.
    pub fn are_free(&self, rows: &[u32]) -> bool {
        rows.iter().all(|&row| !self.taken[row as usize])
    }
}
