//! Fills empty channels from the fullest one, for at most a tenth of what they sell for.

use revenue_strategy::Description;
use revenue_strategy::rebalance::{Decision, RebalanceEvaluator, RebalanceInput};

/// The evaluator.
#[derive(Debug)]
pub struct Evaluator;

/// Positions among the reasons.
const CHEAP: u32 = 0;
const NO_SOURCE: u32 = 1;

impl RebalanceEvaluator for Evaluator {
    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).reasons(["cheap", "no-source"])
    }

    fn decide(input: &RebalanceInput) -> Result<Decision<'_>, String> {
        let most_ppm = input.param_i64("host.max-ppm").map_or(5_000, i64::unsigned_abs);
        let mut decision = Decision::new(input);
        let full = input.rows().filter(|row| row.may_drain).max_by_key(|row| row.drain_most_msat);
        for row in input.rows().filter(|row| row.may_fill && row.local_share() < 0.2) {
            let source = full.filter(|full| full.index != row.index && !decision.names(full.index));
            match source.map(|full| (full.index, row.fill_most_msat.min(full.drain_most_msat))) {
                Some((from, amount)) if amount > 0 => {
                    let max_ppm = u64::from(row.fee_ppm / 10).min(most_ppm);
                    decision.fill(&row, &[from], amount, max_ppm, CHEAP);
                }
                _ => drop(decision.refuse(&row, NO_SOURCE)),
            }
        }
        Ok(decision)
    }
}

revenue_strategy::export_evaluator!(Evaluator);

#[cfg(test)]
mod tests {
    use super::*;
    use revenue_strategy::rebalance::testing::{ChannelBuilder, InputBuilder, decide};

    #[test]
    fn an_empty_channel_is_filled_from_a_full_one() {
        let input = InputBuilder::new()
            .channel(ChannelBuilder::new().local_share(0.1).fee_ppm(1_000))
            .channel(ChannelBuilder::new().local_share(0.9))
            .build();
        let decided = decide::<Evaluator>(&input).expect("it decides");
        assert_eq!((decided.proposals[0].to, decided.proposals[0].max_ppm), (0, 100));
        assert_eq!(decided.sources, [1]);
    }
}
