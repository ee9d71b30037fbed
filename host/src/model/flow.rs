//! What the flow of the last days says about a channel.

use super::{ChannelId, Msat, PeerId, UnixTime};
use serde::{Deserialize, Serialize};

/// Where a channel's liquidity goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlowClass {
    /// More leaves than enters: our side drains.
    Source,
    /// More enters than leaves: our side fills.
    Sink,
    #[default]
    Balanced,
}

impl FlowClass {
    /// The word used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            FlowClass::Source => "source",
            FlowClass::Sink => "sink",
            FlowClass::Balanced => "balanced",
        }
    }

    /// Reads the word used in answers.
    pub fn from_name(name: &str) -> Option<FlowClass> {
        [Self::Source, Self::Sink, Self::Balanced].into_iter().find(|class| class.name() == name)
    }
}

/// Settled forwards of one channel in one UTC hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowHour {
    /// Start of the hour.
    pub start: UnixTime,
    pub in_msat: Msat,
    pub out_msat: Msat,
    pub in_count: u32,
    pub out_count: u32,
    /// Fees of forwards that left here.
    pub earned: Msat,
    /// Fees, earned elsewhere, of forwards that entered here.
    pub sourced: Msat,
}

/// The result of flow analysis for one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowState {
    pub channel_id: ChannelId,
    pub peer_id: PeerId,
    pub class: FlowClass,
    /// Net outflow per day as a share of the capacity; negative: inflow.
    pub flow_ratio: f64,
    /// Sums over the analysis window.
    pub window_in: Msat,
    pub window_out: Msat,
    pub window_days: u32,
    pub capacity: Msat,
    /// 0 to 1: enough forwards, and recent ones.
    pub confidence: f64,
    /// Change of the flow ratio, per hour.
    pub velocity: f64,
    /// Weight of a day against the one after it in the average, 0 to 1.
    pub ema_decay: f64,
    /// Settled forwards in the window, both directions.
    pub forward_count: u32,
    pub last_forward: Option<UnixTime>,
    pub updated_at: UnixTime,
}
