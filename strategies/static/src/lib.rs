//! The built-in strategy `static`: the rate that the peer's policy names.
//!
//! A channel whose policy names no rate keeps the one it has.

use revenue_strategy::{Decision, Description, FeeInput, FeeStrategy};

/// The strategy.
#[derive(Debug)]
pub struct Static;

const TARGET: u32 = 0;

impl FeeStrategy for Static {
    fn describe() -> Description {
        Description::new("static", env!("CARGO_PKG_VERSION")).reasons(["target"]).factors(["target-ppm"])
    }

    fn decide(input: &FeeInput) -> Result<Decision<'_>, String> {
        let mut decision = Decision::new(input);
        for row in input.rows() {
            if let Some(target) = row.target_ppm {
                decision.set(&row, u64::from(target), TARGET).factor(TARGET, f64::from(target));
            }
        }
        Ok(decision)
    }
}

revenue_strategy::arena!();
revenue_strategy::export!(Static);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use revenue_strategy::testing::{ChannelBuilder, InputBuilder, decide};

    #[test]
    fn proposes_the_target_exactly_and_holds_the_rest() {
        let input = InputBuilder::new()
            .channel(ChannelBuilder::new().fee_ppm(100))
            .channel(ChannelBuilder::new().fee_ppm(100).target_ppm(0))
            .channel(ChannelBuilder::new().fee_ppm(321).target_ppm(321))
            .channel(ChannelBuilder::new().bounds_ppm(10, 50).target_ppm(9000))
            .build();
        let decided = decide::<Static>(&input).unwrap();
        let wanted: Vec<_> = decided.proposals.iter().map(|p| (p.channel, p.fee_ppm)).collect();
        assert_eq!(wanted, [(1, 0), (2, 321), (3, 9000)]);
        assert!(decided.proposals.iter().all(|p| p.reason == TARGET && p.base_fee_msat.is_none()));
        assert_eq!(Static::describe().reasons, ["target"]);
    }
}
