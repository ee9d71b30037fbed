//! The built-in strategy `passive`: the operator sets these fees, nobody else.

use revenue_strategy::{Decision, Description, FeeInput, FeeStrategy};

/// The strategy.
#[derive(Debug)]
pub struct Passive;

impl FeeStrategy for Passive {
    fn describe() -> Description {
        Description::new("passive", env!("CARGO_PKG_VERSION"))
    }

    fn decide(input: &FeeInput) -> Result<Decision<'_>, String> {
        Ok(Decision::new(input))
    }
}

revenue_strategy::arena!();
revenue_strategy::export!(Passive);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use revenue_strategy::testing::{ChannelBuilder, InputBuilder, decide};

    #[test]
    fn never_proposes() {
        let input = InputBuilder::new()
            .channel(ChannelBuilder::new().target_ppm(7).local_share(0.0).htlcs(483, 483))
            .channel(ChannelBuilder::new().fee_ppm(9).bounds_ppm(10, 20).state(b"kept"))
            .feerate(90_000, 10_000)
            .build();
        let decided = decide::<Passive>(&input).unwrap();
        assert!(decided.proposals.is_empty() && decided.factors.is_empty());
        assert_eq!(decided.states, input.states);
    }
}
