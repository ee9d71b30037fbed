//! What a channel sells, and what a stock of liquidity in it is worth.

use revenue_strategy::rebalance::{RebalanceChannel, RebalanceInput, Row};

/// Weight of what happened before the last 7 days.
const OLDER: f64 = 0.5;
/// Seconds without a sale that every channel is taken to have seen, so that a
/// single forward in a short life is not yet a trade.
const DOUBT_S: f64 = 86_400.0;
const WEEK_S: u64 = 604_800;
const MONTH_S: u64 = 2_592_000;

/// A channel's trade.
#[derive(Debug, Clone, Copy)]
pub struct Demand {
    /// Sold per second of use, msat.
    pub out: f64,
    /// Coming in per second, msat.
    pub inward: f64,
    /// Share of the demand that counts, by its senders' records, 0 to 1.
    pub weight: f64,
    /// The lower and the higher of the rate in force and the rate earned, ppm.
    pub price: f64,
    pub price_high: f64,
}

impl Demand {
    /// The trade of the last 30 days, of which `weight` counts.
    pub fn of(row: &Row<'_>, weight: f64) -> Demand {
        let recent = |week: u64, month: u64| week as f64 + OLDER * month.saturating_sub(week) as f64;
        let live = recent(u64::from(row.live_week_s), u64::from(row.live_month_s));
        let known = recent(row.age_s.min(WEEK_S), row.age_s.min(MONTH_S));
        let fee = f64::from(row.fee_ppm);
        let earned = match row.out_month_msat {
            0 => fee,
            out => row.earned_month_msat as f64 / out as f64 * 1e6,
        };
        Demand {
            out: recent(row.out_week_msat, row.out_month_msat) / (live + DOUBT_S),
            inward: recent(row.in_week_msat, row.in_month_msat) / known.max(1.0),
            weight,
            price: fee.min(earned),
            price_high: fee.max(earned),
        }
    }

    /// What leaves beyond what comes back by itself, msat per second.
    pub fn net(&self) -> f64 {
        (self.out * self.weight - self.inward).max(0.0)
    }

    /// What goes through per day as a share of `capacity`, both in msat.
    pub fn turnover(&self, capacity: f64) -> f64 {
        if capacity > 0.0 { (self.out + self.inward) * 86_400.0 / capacity } else { 0.0 }
    }

    /// Expected sale of the part of the stock from `from` to `to`, msat, at
    /// `price` ppm: what lies below it sells first, and a sale after a time t
    /// counts exp(-t / `patience_s`) of one now. In msat.
    pub fn sale(&self, price: f64, from: f64, to: f64, patience_s: f64) -> f64 {
        // What sells within the patience, so that a sale of x takes x / reach of it.
        let reach = self.net() * patience_s;
        if reach <= 0.0 || to <= from {
            return 0.0;
        }
        let sold = reach * (-from / reach).exp() * -(-(to - from) / reach).exp_m1();
        price / 1e6 * sold
    }
}

/// Records of the peers as senders.
#[derive(Debug)]
pub struct Reputation {
    /// By row, 0 to 1; empty if nobody is doubted.
    scores: Vec<f64>,
    /// Their mean by what entered.
    mean: f64,
}

impl Reputation {
    /// Laplace's rule for each peer: (settled + 1) / (settled + failed + 2).
    pub fn of(input: &RebalanceInput, enabled: bool) -> Reputation {
        let any = |row: &RebalanceChannel| row.settled_sent + row.failed_sent > 0.0;
        // Without any record, as after an installation, nobody is doubted.
        if !enabled || !input.channels.iter().any(any) {
            return Reputation { scores: Vec::new(), mean: 1.0 };
        }
        let score = |row: Row<'_>| {
            let (settled, failed) = (row.settled_sent.max(0.0), row.failed_sent.max(0.0));
            (settled + 1.0) / (settled + failed + 2.0)
        };
        let scores: Vec<f64> = input.rows().map(score).collect();
        let weights = || input.channels.iter().map(|channel| channel.in_month_msat as f64);
        let whole: f64 = weights().sum();
        let weighed: f64 = weights().zip(&scores).map(|(weight, score)| weight * score).sum();
        Reputation { scores, mean: if whole > 0.0 { weighed / whole } else { 1.0 } }
    }

    /// How much of a channel's demand counts: its senders' scores by what they
    /// sent; those of all senders where they are not known.
    pub fn weight(&self, row: &Row<'_>) -> f64 {
        let score = |row: u32| self.scores.get(row as usize).copied().unwrap_or(1.0);
        let whole: f64 = row.senders.iter().map(|sender| sender.out_msat as f64).sum();
        if self.scores.is_empty() || whole <= 0.0 {
            return self.mean;
        }
        row.senders.iter().map(|sender| sender.out_msat as f64 * score(sender.channel)).sum::<f64>() / whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MONTH: f64 = 30.0 * 86_400.0;

    fn demand(out: f64, inward: f64) -> Demand {
        Demand { out, inward, weight: 1.0, price: 0.0, price_high: 0.0 }
    }

    #[test]
    fn a_sale_is_worth_its_fee_less_the_time_it_takes() {
        let quick = demand(1e9, 0.0);
        assert!(
            (quick.sale(1_000.0, 0.0, 1e9, MONTH) - 1e6).abs() < 1.0,
            "at once: 1,000 ppm of a million sat"
        );
        // A tenth of the patience for the stock before it, a tenth for itself.
        let slow = demand(1e9 / (MONTH / 10.0), 0.0);
        let later = slow.sale(1_000.0, 1e9, 2e9, MONTH);
        assert!(((-0.2_f64).exp()..(-0.1_f64).exp()).contains(&(later / 1e6)), "{later}");
    }

    #[test]
    fn what_comes_back_by_itself_needs_no_stock() {
        assert!(demand(5.0, 5.0).sale(1_000.0, 0.0, 1e9, MONTH).abs() < f64::EPSILON);
        assert!(demand(5.0, 9.0).net().abs() < f64::EPSILON);
    }

    proptest! {
        #[test]
        fn stock_is_worth_the_sum_of_its_parts_and_more_with_more_demand(
            net in 0.1..1e6_f64, more in 0.0..1e6_f64, price in 0.0..5_000.0_f64,
            a in 0.0..5e9_f64, b in 0.0..5e9_f64, c in 0.0..5e9_f64,
        ) {
            let worth = |net: f64, from: f64, to: f64| demand(net, 0.0).sale(price, from, to, MONTH);
            let whole = worth(net, a, a + b + c);
            prop_assert!((whole - worth(net, a, a + b) - worth(net, a + b, a + b + c)).abs() <= 1e-6 * (1.0 + whole));
            prop_assert!(worth(net + more, a, a + b) >= worth(net, a, a + b) * (1.0 - 1e-9));
            prop_assert!(whole <= price / 1e6 * (b + c) * (1.0 + 1e-9), "never more than its fee");
        }
    }
}
