//! The built-in strategy `hive`: one rate for all members of the fleet, no
//! base fee. The rate is the host's option, and 0 is a rate like any other.

use revenue_strategy::{Decision, Description, FeeInput, FeeStrategy};

/// The strategy.
#[derive(Debug)]
pub struct Hive;

const FLEET: u32 = 0;
const RATE: &str = "host.hive-fee-ppm";

impl FeeStrategy for Hive {
    fn describe() -> Description {
        Description::new("hive", env!("CARGO_PKG_VERSION")).reasons(["fleet"]).factors(["fleet-ppm"])
    }

    fn decide(input: &FeeInput) -> Result<Decision<'_>, String> {
        let rate = input.param_i64(RATE).ok_or(format!("the host gave no {RATE}"))?;
        let rate = u64::try_from(rate).map_err(|_| format!("{RATE} is {rate}, below 0"))?;
        let mut decision = Decision::new(input);
        for row in input.rows() {
            decision.set(&row, rate, FLEET).factor(FLEET, rate as f64).base_fee_msat(0);
        }
        Ok(decision)
    }
}

revenue_strategy::arena!();
revenue_strategy::export!(Hive);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use revenue_strategy::ParamValue;
    use revenue_strategy::testing::{ChannelBuilder, InputBuilder, decide};

    fn with_rate(rate: i64) -> FeeInput {
        InputBuilder::new()
            .param(RATE, ParamValue::Integer(rate))
            .channel(ChannelBuilder::new().bounds_ppm(10, 5000))
            .channel(ChannelBuilder::new().fee_ppm(0))
            .build()
    }

    #[test]
    fn proposes_exactly_the_fleet_rate_without_a_base_fee() {
        for rate in [0, 1, 77] {
            let decided = decide::<Hive>(&with_rate(rate)).unwrap();
            assert_eq!(decided.proposals.len(), 2);
            for proposal in decided.proposals {
                assert_eq!(proposal.fee_ppm, rate as u64);
                assert_eq!(proposal.base_fee_msat, Some(0));
                assert_eq!(proposal.reason, FLEET);
            }
        }
    }

    #[test]
    fn says_so_when_the_rate_makes_no_sense() {
        assert!(decide::<Hive>(&with_rate(-1)).unwrap_err().contains("-1"));
        let mut input = with_rate(0);
        input.params.clear();
        assert!(decide::<Hive>(&input).unwrap_err().contains(RATE));
    }
}
