//! Write strategies for cl-revenue-ops: for fees, and, in [`rebalance`], for
//! rebalances.
//!
//! A strategy is a WebAssembly component that imports nothing. Once per cycle
//! it gets a snapshot of the node as plain data ([`FeeInput`]) and answers with
//! the rates it wants ([`Decision`]). The host decides what happens: every
//! proposal passes its limits, and what became of it stands in the next
//! snapshot ([`Verdict`]).
//!
//! An author implements [`FeeStrategy`] and names the type in [`export!`]. The
//! macro does nothing on other targets than `wasm32`, so `cargo test` of a
//! strategy needs no WebAssembly tools; [`testing`] builds snapshots for it.
//!
//! ```
//! use revenue_strategy::{Decision, Description, FeeInput, FeeStrategy, ParamSpec, terms};
//!
//! /// Dearer where little is left to sell.
//! struct Scarce;
//!
//! const SCARCITY: u32 = 0; // position among the reasons, and among the factors
//!
//! impl FeeStrategy for Scarce {
//!     fn describe() -> Description {
//!         Description::new("scarce", "1.0.0")
//!             .param(ParamSpec::integer("base", "Rate of a full channel, ppm.", 200, 1, 5000))
//!             .reasons(["scarcity"])
//!             .factors(["scarcity"])
//!     }
//!
//!     fn decide(input: &FeeInput) -> Result<Decision<'_>, String> {
//!         let base = input.param_f64("base").unwrap_or(200.0);
//!         let mut decision = Decision::new(input);
//!         for row in input.rows() {
//!             let factor = terms::scarcity(row.local_share(), 0.35);
//!             let ppm = row.clamp_ppm((base * factor).round() as u64);
//!             if terms::passes_gate(row.fee_ppm, ppm, 0.05) {
//!                 decision.set(&row, ppm, SCARCITY).factor(SCARCITY, factor);
//!             }
//!         }
//!         Ok(decision)
//!     }
//! }
//!
//! revenue_strategy::export!(Scarce);
//!
//! use revenue_strategy::testing::{ChannelBuilder, InputBuilder, decide};
//! let empty = ChannelBuilder::new().capacity_sat(1_000_000).local_sat(0).fee_ppm(200);
//! let input = InputBuilder::new().channel(empty).build();
//! assert_eq!(decide::<Scarce>(&input).unwrap().proposals[0].fee_ppm, 600);
//! ```
//!
//! # Building a component
//!
//! The crate is a `cdylib` (and an `rlib`, for its tests). The linker ships
//! with rustup:
//!
//! ```text
//! CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-component-ld \
//!     cargo build --release --target wasm32-unknown-unknown
//! ```
//!
//! # Rules that the host checks
//!
//! - The same input gives the same output. There is no clock but
//!   [`FeeInput::now_s`] and no randomness but [`FeeInput::seed`] ([`Rng`]).
//! - Nothing survives a call but the states that it returns ([`state`]).
//! - Rows of proposals rise, numbers are finite, a state is at most 1024 bytes.

#![warn(missing_docs)]

pub mod arena;
mod decision;
mod describe;
mod input;
pub mod rebalance;
mod rng;
pub mod state;
pub mod terms;
pub mod testing;

pub use decision::{Decision, Proposing};
pub use input::{Row, Rows, Signals};
pub use rng::Rng;

/// What `wit/v1` becomes in Rust. Authors use the re-exports of the crate root.
#[doc(hidden)]
#[allow(missing_docs, unsafe_op_in_unsafe_fn, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "fee-strategy",
        pub_export_macro: true,
        default_bindings_module: "revenue_strategy::bindings",
        additional_derives: [PartialEq],
    });
}

pub use bindings::revenue_ops::strategy::types::{
    Blobs, Channel, Description, Factor, FeeDecision, FeeInput, FeeInterval, FlowClass, Opener, Param,
    ParamSpec, ParamValue, Proposal, Signal, Verdict,
};

/// A strategy that sets fees.
pub trait FeeStrategy {
    /// What the component says of itself. The host calls it once, when it
    /// loads the component; the answer is constant.
    fn describe() -> Description;

    /// Decides for all channels of one cycle.
    ///
    /// # Errors
    ///
    /// An error (at most 400 bytes are kept) counts as a fault of the
    /// strategy: no fee moves, no state changes, and after several in a row
    /// the host stops calling it.
    fn decide(input: &FeeInput) -> Result<Decision<'_>, String>;
}

/// Makes a type that implements [`FeeStrategy`] the export of the component.
///
/// Once per crate. Expands to nothing unless the target is `wasm32`.
#[macro_export]
macro_rules! export {
    ($strategy:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;

            impl $crate::bindings::exports::revenue_ops::strategy::fee::Guest for Component {
                fn describe() -> $crate::Description {
                    <$strategy as $crate::FeeStrategy>::describe()
                }

                fn decide(input: $crate::FeeInput) -> Result<$crate::FeeDecision, String> {
                    <$strategy as $crate::FeeStrategy>::decide(&input)?.finish()
                }
            }

    $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
}
