//! What a job must gain, and what the fleet may lose.

use super::*;

#[test]
fn force_skips_what_a_job_must_gain_and_not_what_may_be_lost() {
    for (strategy, value, expect) in
        [("dynamic", -1, "approved"), ("dynamic", -9_000_000, "approved"), ("hive", -9_000_000, "fleet_loss")]
    {
        let mut world = world();
        let strategy = strategy.parse().expect("a name");
        world.policies.insert(peer(1), Policy { strategy, ..Policy::default_for(peer(1)) });
        let proposal = RebalanceProposal { value: Some(SignedMsat(value)), ..by_forced_evaluator() };
        assert_eq!(code(&world.judge(proposal)), expect, "{value}");
    }
}

#[test]
fn only_what_gains_enough_is_bought_and_the_fleet_may_lose_a_little() {
    for (strategy, value, expect) in [
        ("dynamic", 10_000, "approved"),
        ("dynamic", 9_999, "not_worth_it"),
        ("dynamic", -1, "not_worth_it"),
        ("hive", 5, "approved"),
        ("hive", -50_000, "approved"),
        ("hive", -50_001, "fleet_loss"),
    ] {
        let mut world = world();
        let policy = Policy { strategy: strategy.parse().expect("a name"), ..Policy::default_for(peer(1)) };
        world.policies.insert(peer(1), policy);
        let verdict = world.judge(RebalanceProposal { value: Some(SignedMsat(value)), ..by_evaluator() });
        assert_eq!(code(&verdict), expect, "{strategy} {value}");
        if let Ok(approved) = &verdict.result {
            assert_eq!(approved.get().fleet, value < 0, "{strategy} {value}");
        }
    }
}

#[test]
fn what_a_smaller_amount_gains_or_loses_is_judged() {
    for (strategy, value, wanted, expect) in [
        // 1,000,000 sat are left of each amount.
        ("dynamic", 60_000, 10_000_000, "not_worth_it"),
        ("dynamic", 100_000, 10_000_000, "approved"),
        ("dynamic", 99_990, 10_000_000, "not_worth_it"),
        ("hive", -100_000, 2_000_000, "approved"),
        ("hive", -100_010, 2_000_000, "fleet_loss"),
    ] {
        let mut world = world();
        world.config.rebalance_max_amount = 1_000_000;
        let policy = Policy { strategy: strategy.parse().expect("a name"), ..Policy::default_for(peer(1)) };
        world.policies.insert(peer(1), policy);
        let (value, cost) = (Some(SignedMsat(value)), Some(Msat(500_000)));
        let amount = Msat::from_sats(wanted);
        let verdict = world.judge(RebalanceProposal { value, cost, amount, ..by_evaluator() });
        assert_eq!(code(&verdict), expect, "{strategy} {value:?}: {verdict:?}");
        let Ok(approved) = &verdict.result else {
            assert_eq!((verdict.amount(), verdict.value()), (amount, value), "as proposed");
            continue;
        };
        let part = value.map(|value| value.part(Msat::from_sats(1_000_000), amount));
        assert_eq!((verdict.amount().sats(), verdict.value()), (1_000_000, part), "{strategy}");
        assert_eq!(approved.get().value, part, "{strategy}");
        assert_eq!(verdict.cost(), Some(Msat(500_000 / (wanted / 1_000_000))), "as much less");
    }
}

#[test]
fn a_least_gain_in_ppm_counts_by_the_amount() {
    let mut world = world();
    world.config.rebalance_min_profit_ppm = 300;
    for (value, expect) in [(300_000, "approved"), (299_999, "not_worth_it")] {
        let verdict = world.judge(RebalanceProposal { value: Some(SignedMsat(value)), ..by_evaluator() });
        assert_eq!(code(&verdict), expect, "{value}");
    }
}
