//! The worst that any strategy can do, in words.

use crate::config::Config;
use crate::guard::fee::bounds;
use crate::model::{Policy, Ppm};

pub(super) fn answer(config: &Config, policies: &[Policy]) -> Vec<String> {
    vec![
        fees(config, policies),
        format!(
            "base fees set by strategies are at most {} msat",
            config.max_base_fee_msat.max(config.base_fee_msat)
        ),
        "no strategy makes a channel's largest HTLC smaller than a typical forward (1 % of the capacity, within 10000 and \
         1000000 sat)"
            .to_owned(),
        format!("one step is at most a factor of {}", config.max_step_factor),
        format!(
            "at most {} changes per channel in 24 hours and none of 5 % or less, but to a fee that a policy names and back \
             within the bounds",
            config.max_updates_per_day
        ),
        rebalances(config),
        format!("no rebalance pays more than {} ppm", config.rebalance_max_ppm),
    ]
}

/// The lowest and the highest fee, with peers whose policy moves the bounds too.
fn fees(config: &Config, policies: &[Policy]) -> String {
    let general = (Ppm(config.min_fee_ppm), Ppm(config.max_fee_ppm));
    let of_policies = policies.iter().map(|policy| bounds(policy, config, None, true));
    let widest = of_policies
        .fold(general, |(lowest, highest), bounds| (lowest.min(bounds.min), highest.max(bounds.max)));
    let told = format!("fees set by strategies stay within {} and {} ppm", general.0.0, general.1.0);
    if widest == general {
        return told;
    }
    format!("{told}, with peers whose policy moves these bounds within {} and {} ppm", widest.0.0, widest.1.0)
}

fn rebalances(config: &Config) -> String {
    let fixed = config.daily_budget_sats;
    if !config.enable_proportional_budget {
        return format!("rebalances cost at most {fixed} sat in 24 hours, running ones at their worst");
    }
    format!(
        "rebalances cost at most {fixed} sat in 24 hours, or {} % of what was earned if that is more, running ones at \
         their worst",
        (config.proportional_budget_pct * 100.0).round()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PeerId;

    #[test]
    fn a_policy_that_moves_the_bounds_is_told() {
        let config = Config::default();
        let policy = |min, max| Policy {
            fee_multiplier_min: min,
            fee_multiplier_max: max,
            ..Policy::default_for(PeerId([2; 33]))
        };
        assert_eq!(fees(&config, &[]), "fees set by strategies stay within 10 and 5000 ppm");
        assert_eq!(fees(&config, &[policy(Some(2.0), Some(0.5))]), fees(&config, &[]));
        let wide = fees(&config, &[policy(Some(0.5), None), policy(None, Some(5.0))]);
        assert!(wide.contains("within 5 and 25000 ppm"), "{wide}");
    }
}
