//! Plain types that every layer shares: no I/O, no clock, no SQL, no JSON values.

pub mod amount;
pub mod channel;
pub mod fee;
pub mod flow;
pub mod forward;
pub mod ids;
pub mod job;
pub mod ledger;
pub mod life;
pub mod list;
pub mod manifest;
pub mod module;
pub mod policy;
mod quote;
pub mod rebalance;
pub mod refusal;
pub mod states;
pub mod strategy;
pub mod time;
pub mod transcript;
pub mod upload;

pub use amount::{Msat, Ppm};
pub use channel::{Channel, ChannelName, ChannelState, Htlcs, NodeSnapshot, Opener};
pub use ids::{ChannelId, Digest, ParseIdError, PeerId, Scid, Txid};
pub use ledger::SignedMsat;
pub use module::WorkerMode;
pub use policy::{Policy, RebalanceMode, StrategyName};
pub use quote::quote;
pub use states::States;
pub use time::{ClockJump, Moment, SteadyTime, Tick, UnixTime};
pub use transcript::{Answer, CycleKind, Told, Transcript};
