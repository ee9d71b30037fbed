//! Evaluate rebalances.
//!
//! An evaluator gets one row per channel ([`RebalanceInput`]) and answers with
//! the rebalances that are worth their cost, best first, and with why it left
//! the other channels as they are ([`Decision`]). Budget, pauses, policies and
//! the number of jobs are the host's: what it would allow stands in the rows.
//!
//! ```
//! use revenue_strategy::Description;
//! use revenue_strategy::rebalance::{Decision, RebalanceEvaluator, RebalanceInput};
//!
//! /// Fills empty channels from the fullest one, at a tenth of what they sell for.
//! struct Tenth;
//!
//! const CHEAP: u32 = 0; // positions among the reasons
//! const NO_SOURCE: u32 = 1;
//!
//! impl RebalanceEvaluator for Tenth {
//!     fn describe() -> Description {
//!         Description::new("tenth", "1.0.0").reasons(["cheap", "no-source"])
//!     }
//!
//!     fn decide(input: &RebalanceInput) -> Result<Decision<'_>, String> {
//!         let mut decision = Decision::new(input);
//!         let most_ppm = input.param_i64("host.max-ppm").map_or(5_000, i64::unsigned_abs);
//!         let full = input.rows().filter(|row| row.may_drain).max_by_key(|row| row.drain_most_msat);
//!         for row in input.rows().filter(|row| row.may_fill && row.local_share() < 0.2) {
//!             match full {
//!                 Some(full)
//!                     if !decision.names(full.index)
//!                         && full.index != row.index
//!                         && row.fill_most_msat.min(full.drain_most_msat) > 0 =>
//!                 {
//!                     let amount = row.fill_most_msat.min(full.drain_most_msat);
//!                     let ppm = u64::from(row.fee_ppm / 10).min(most_ppm);
//!                     decision.fill(&row, &[full.index], amount, ppm, CHEAP);
//!                 }
//!                 _ => {
//!                     decision.refuse(&row, NO_SOURCE);
//!                 }
//!             }
//!         }
//!         Ok(decision)
//!     }
//! }
//!
//! revenue_strategy::export_evaluator!(Tenth);
//!
//! use revenue_strategy::rebalance::testing::{ChannelBuilder, InputBuilder, decide};
//! let input = InputBuilder::new()
//!     .channel(ChannelBuilder::new().local_share(0.1).fee_ppm(1000))
//!     .channel(ChannelBuilder::new().local_share(0.9))
//!     .build();
//! let decided = decide::<Tenth>(&input).unwrap();
//! assert_eq!((decided.proposals[0].max_ppm, decided.sources.as_slice()), (100, &[1][..]));
//! ```

mod decision;
mod input;
pub mod testing;

pub use decision::{Decision, Filling, Refusing};
pub use input::{Row, Rows};

use crate::Description;

/// What `wit/v1` becomes in Rust. Authors use the re-exports of this module.
#[doc(hidden)]
#[allow(missing_docs, unsafe_op_in_unsafe_fn, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "rebalance-strategy",
        pub_export_macro: true,
        default_bindings_module: "revenue_strategy::rebalance::bindings",
        additional_derives: [PartialEq],
        with: { "revenue-ops:strategy/types@1.0.0": crate::bindings::revenue_ops::strategy::types },
    });
}

pub use bindings::revenue_ops::strategy::rebalance_types::{
    Attempt, RebalanceChannel, RebalanceDecision, RebalanceInput, RebalanceProposal, RebalanceRefusal, Sender,
};

/// A strategy that evaluates rebalances.
pub trait RebalanceEvaluator {
    /// What the component says of itself. The host calls it once, when it
    /// loads the component; the answer is constant.
    fn describe() -> Description;

    /// Evaluates all channels of one cycle.
    ///
    /// # Errors
    ///
    /// An error (at most 400 bytes are kept) counts as a fault of the
    /// evaluator: nothing moves, no state changes, and after several in a row
    /// the host stops calling it.
    fn decide(input: &RebalanceInput) -> Result<Decision<'_>, String>;
}

/// Makes a type that implements [`RebalanceEvaluator`](crate::rebalance::RebalanceEvaluator)
/// the export of the component.
///
/// Once per crate. Expands to nothing unless the target is `wasm32`.
#[macro_export]
macro_rules! export_evaluator {
    ($evaluator:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;

            impl $crate::rebalance::bindings::exports::revenue_ops::strategy::rebalance::Guest for Component {
                fn describe() -> $crate::Description {
                    <$evaluator as $crate::rebalance::RebalanceEvaluator>::describe()
                }

                fn decide(
                    input: $crate::rebalance::RebalanceInput,
                ) -> Result<$crate::rebalance::RebalanceDecision, String> {
                    <$evaluator as $crate::rebalance::RebalanceEvaluator>::decide(&input)?.finish()
                }
            }

    $crate::rebalance::bindings::export!(Component with_types_in $crate::rebalance::bindings);
        };
    };
}
