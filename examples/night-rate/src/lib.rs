//! Cheaper by night: between two hours of the day (UTC) a channel charges a share of its rate by day.

use revenue_strategy::state::{Reader, State, Writer};
use revenue_strategy::{Decision, Description, FeeInput, FeeStrategy, ParamSpec, terms};

/// The strategy.
#[derive(Debug)]
pub struct NightRate;

/// What is remembered of a channel: its rate by day, ppm.
#[derive(Debug, PartialEq)]
struct Daytime(u32);

impl State for Daytime {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u32(self.0);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.u32().map(Self)
    }
}

/// Positions among the reasons.
const NIGHT: u32 = 0;
const DAY: u32 = 1;
/// Positions among the factors.
const DAY_PPM: u32 = 0;
const SHARE: u32 = 1;

impl FeeStrategy for NightRate {
    fn describe() -> Description {
        Description::new("night-rate", env!("CARGO_PKG_VERSION"))
            .param(ParamSpec::integer("from-hour", "First hour of the night, UTC, 0 to 23.", 22, 0, 23))
            .param(ParamSpec::integer("until-hour", "First hour of the day, UTC, 0 to 23.", 6, 0, 23))
            .param(ParamSpec::number("share", "Rate by night as a share of that by day, 0 to 1.", 0.5, 0.0, 1.0))
            .reasons(["night", "day"])
            .factors(["day-ppm", "share"])
    }

    fn decide(input: &FeeInput) -> Result<Decision<'_>, String> {
        let night = is_night(input);
        let share = if night { input.param_f64("share").unwrap_or(0.5) } else { 1.0 };
        let mut decision = Decision::new(input);
        for row in input.rows() {
            // What a channel charges when it is first seen is its rate by day.
            let Daytime(day_ppm) = Daytime::decode(row.state).unwrap_or(Daytime(row.fee_ppm));
            let ppm = row.clamp_ppm((f64::from(day_ppm) * share).round() as u64);
            if terms::passes_gate(row.fee_ppm, ppm, 0.05) {
                let reason = if night { NIGHT } else { DAY };
                decision.set(&row, ppm, reason).factor(DAY_PPM, f64::from(day_ppm)).factor(SHARE, share);
            }
            decision.keep(&row, &Daytime(day_ppm).encode());
        }
        Ok(decision)
    }
}

revenue_strategy::export!(NightRate);

fn is_night(input: &FeeInput) -> bool {
    let hour = (input.now_s / 3600 % 24) as i64;
    let from = input.param_i64("from-hour").unwrap_or(22);
    let until = input.param_i64("until-hour").unwrap_or(6);
    if from <= until { (from..until).contains(&hour) } else { hour >= from || hour < until }
}

#[cfg(test)]
mod tests {
    use super::*;
    use revenue_strategy::testing::{ChannelBuilder, InputBuilder, decide};

    /// What a channel at 400 ppm, 600 by day, is asked to charge at an hour.
    fn at(hour: u64) -> Option<u64> {
        let channel = ChannelBuilder::new().fee_ppm(400).state_value(&Daytime(600));
        let input = InputBuilder::new().now_s(hour * 3600).channel(channel).build();
        let decided = decide::<NightRate>(&input).expect("it decides");
        decided.proposals.first().map(|proposal| proposal.fee_ppm)
    }

    #[test]
    fn the_night_goes_past_midnight() {
        assert_eq!([at(22), at(23), at(0), at(5)], [Some(300); 4]);
        assert_eq!([at(6), at(12), at(21)], [Some(600); 3]);
    }

    #[test]
    fn the_first_rate_seen_is_remembered_as_that_by_day() {
        let input = InputBuilder::new().now_s(0).channel(ChannelBuilder::new().fee_ppm(400)).build();
        let decided = decide::<NightRate>(&input).expect("it decides");
        assert_eq!(decided.proposals[0].fee_ppm, 200);
        assert_eq!(Daytime::decode(decided.states.entry(0)), Some(Daytime(400)));
    }
}
