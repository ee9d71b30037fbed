//! The limits: pure functions that turn a wish into an [`Approved`] one or a refusal.
//!
//! [`Approved`] has no public constructor. What writes to the node accepts nothing else, so
//! nothing reaches the node that this module has not passed.

pub mod admission;
pub mod budget;
pub mod fee;
pub mod params;
pub mod policy;
pub mod rebalance;
pub mod signature;
pub mod upload;

/// Proof that a proposal passed every limit. Only this module makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    /// What was approved.
    pub fn get(&self) -> &T {
        &self.0
    }
}
