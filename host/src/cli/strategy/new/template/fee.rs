//! Dearer where little is left to sell, and never by a step that is not worth gossiping.

use revenue_strategy::{Decision, Description, FeeInput, FeeStrategy, ParamSpec, terms};

/// The strategy.
#[derive(Debug)]
pub struct Strategy;

/// Position among the reasons, and among the factors.
const SCARCITY: u32 = 0;

impl FeeStrategy for Strategy {
    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .param(ParamSpec::integer("base-ppm", "Rate of a full channel, ppm.", 200, 1, 5_000))
            .reasons(["scarcity"])
            .factors(["scarcity"])
    }

    fn decide(input: &FeeInput) -> Result<Decision<'_>, String> {
        let base = input.param_f64("base-ppm").unwrap_or(200.0);
        let mut decision = Decision::new(input);
        for row in input.rows() {
            let scarcity = terms::scarcity(row.local_share(), 0.35);
            let ppm = row.clamp_ppm((base * scarcity).round() as u64);
            if terms::passes_gate(row.fee_ppm, ppm, 0.05) {
                decision.set(&row, ppm, SCARCITY).factor(SCARCITY, scarcity);
            }
        }
        Ok(decision)
    }
}

revenue_strategy::export!(Strategy);

#[cfg(test)]
mod tests {
    use super::*;
    use revenue_strategy::testing::{ChannelBuilder, InputBuilder, decide};

    #[test]
    fn an_empty_channel_is_three_times_as_dear_as_a_full_one() {
        let input = InputBuilder::new()
            .channel(ChannelBuilder::new().local_share(0.0).fee_ppm(100))
            .channel(ChannelBuilder::new().local_share(1.0).fee_ppm(100))
            .build();
        let decided = decide::<Strategy>(&input).expect("it decides");
        let wanted: Vec<u64> = decided.proposals.iter().map(|proposal| proposal.fee_ppm).collect();
        assert_eq!(wanted, [600, 200]);
    }

    #[test]
    fn a_change_too_small_to_gossip_is_not_proposed() {
        let input = InputBuilder::new().channel(ChannelBuilder::new().fee_ppm(205)).build();
        assert!(decide::<Strategy>(&input).expect("it decides").proposals.is_empty());
    }
}
