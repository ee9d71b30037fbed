//! Forwards as the node records them.

use super::{Msat, Scid};

/// How a forward ended, if it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardStatus {
    Offered,
    Settled,
    /// Failed further down the route.
    Failed,
    /// Failed at this node: no balance, no slot, fee too low, no such channel.
    LocalFailed,
}

impl ForwardStatus {
    /// lightningd's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            ForwardStatus::Offered => "offered",
            ForwardStatus::Settled => "settled",
            ForwardStatus::Failed => "failed",
            ForwardStatus::LocalFailed => "local_failed",
        }
    }

    /// Reads lightningd's word.
    pub fn from_name(name: &str) -> Option<ForwardStatus> {
        [Self::Offered, Self::Settled, Self::Failed, Self::LocalFailed]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// One forward. Its identity is `(in_channel, in_htlc_id)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Forward {
    pub in_channel: Scid,
    pub in_htlc_id: u64,
    /// Absent when it failed before a channel was chosen.
    pub out_channel: Option<Scid>,
    pub in_msat: Msat,
    /// Zero when the onion could not be read so far.
    pub out_msat: Msat,
    pub fee_msat: Msat,
    pub status: ForwardStatus,
    /// Milliseconds since 1970 UTC.
    pub received_ms: u64,
    /// Milliseconds since 1970 UTC, when it settled or failed.
    pub resolved_ms: Option<u64>,
    /// BOLT 4 failure code of a forward that failed here.
    pub failcode: Option<u32>,
    /// The node's counter of forwards, from v23.11 on.
    pub created_index: Option<u64>,
    /// The node's counter of changes, from v23.11 on.
    pub updated_index: Option<u64>,
}
