//! From the base price to the rate that is wanted: the terms in their order.

use revenue_strategy::{Channel, FlowClass, Opener, Row, terms};

use crate::memory::{Cause, Memory};
use crate::settings::{Settings, reason};
use crate::vegas::Vegas;

/// Smallest change of the scarcity term worth following, as an exponent of 3:
/// a change of the rate by 12 %.
const DEPTH_BAND: f64 = 0.105;

/// Change of the scarcity term that is followed at once.
const DEPTH_JUMP: f64 = 0.3;

/// Time over which the balance is smoothed, seconds.
const SMOOTHING_S: f64 = 2.0 * 3600.0;

/// Time between smaller changes for the sake of scarcity, seconds.
const DEPTH_PAUSE_S: u64 = 2 * 3600;

/// Congestion is over when this share of the threshold is left.
const EASED: f64 = 0.875;

/// A rate and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// The rate, ppm, within what the host accepts.
    pub ppm: u64,
    /// Position in [`crate::settings::REASONS`].
    pub reason: u32,
    /// The rate that the reflex asks at least, ppm; 0 when it is down.
    pub vegas_floor_ppm: u64,
    /// The rate that refilling asks at least, ppm; 0 when unknown or not due.
    pub cost_floor_ppm: u64,
}

/// Notes whether the HTLC slots of one direction are used up. What follows
/// congestion lasts until the price for it is no longer in force.
pub fn note_congestion(memory: &mut Memory<'_>, channel: &Channel, settings: &Settings) {
    let threshold = settings.congestion_threshold;
    let limit = if memory.congested { threshold * EASED } else { threshold };
    let congested = terms::congestion(channel) > limit;
    memory.easing =
        !congested && (memory.congested || memory.easing) && channel.fee_ppm == channel.max_fee_ppm;
    memory.congested = congested;
}

/// Brings the scarcity term up to date when it has moved far enough: the
/// ordinary noise of a balance is not worth a message to the whole network.
pub fn note_scarcity(memory: &mut Memory<'_>, row: &Row<'_>, settings: &Settings, now_s: u64) {
    let exact = depth(row, settings);
    let passed_s = now_s.saturating_sub(memory.cycle_s) as f64;
    memory.cycle_s = now_s;
    let smooth = f64::from(memory.smooth);
    let smooth = smooth + (exact - smooth) * passed_s / (passed_s + SMOOTHING_S);
    memory.smooth = smooth as f32;
    let depth = f64::from(memory.depth);
    let rested = now_s >= row.last_change_s.saturating_add(DEPTH_PAUSE_S);
    let moved = (smooth - depth).abs() > DEPTH_BAND || (smooth < DEPTH_BAND / 4.0 && depth > 0.0);
    if (exact - depth).abs() > DEPTH_JUMP || (rested && moved) {
        memory.depth = exact as f32;
        memory.smooth = exact as f32;
        memory.cause = Cause::Scarcity;
    }
}

/// How scarce our liquidity is, 0 to 1. A channel that its peer opened and
/// that has hardly forwarded yet is spared: nobody could fill it before.
fn depth(row: &Row<'_>, settings: &Settings) -> f64 {
    if !settings.scarcity || amnesty_left(row, settings) > 0 {
        return 0.0;
    }
    terms::scarcity_depth(row.local_share(), settings.scarcity_threshold)
}

/// Forwards out until a channel that its peer opened is broken in.
pub fn amnesty_left(row: &Row<'_>, settings: &Settings) -> u32 {
    match row.opener {
        Opener::Remote => settings.amnesty_forwards.saturating_sub(row.forwards_out_total),
        Opener::Local => 0,
    }
}

/// What scarcity multiplies the base price with: 1 to 3.
pub fn scarcity(memory: &Memory<'_>) -> f64 {
    3f64.powf(f64::from(memory.depth))
}

/// Base price with scarcity, ppm.
pub fn priced(memory: &Memory<'_>) -> u32 {
    (f64::from(memory.base_ppm) * scarcity(memory)).round() as u32
}

/// The rate wanted now.
pub fn wanted(memory: &Memory<'_>, row: &Row<'_>, vegas: Vegas, feerate_perkb: u32) -> Wanted {
    let vegas_floor_ppm = vegas.floor_ppm(row, feerate_perkb);
    let cost_floor_ppm = match row.rebalance_cost_ppm {
        Some(cost) if row.flow == FlowClass::Source => u64::from(cost),
        _ => 0,
    };
    let priced = u64::from(memory.priced_ppm);
    let floored = priced.max(vegas_floor_ppm).max(cost_floor_ppm);
    let ppm = row.clamp_ppm(floored);
    let reason = if priced >= vegas_floor_ppm.max(cost_floor_ppm) {
        if ppm == floored { cause(memory) } else { reason::BOUNDS }
    } else if vegas_floor_ppm >= cost_floor_ppm {
        reason::VEGAS
    } else {
        reason::REBALANCE_COST
    };
    let wanted = Wanted { ppm, reason, vegas_floor_ppm, cost_floor_ppm };
    if memory.congested {
        Wanted { ppm: u64::from(row.max_fee_ppm), reason: reason::CONGESTION, ..wanted }
    } else if memory.easing {
        Wanted { reason: reason::CONGESTION_OVER, ..wanted }
    } else if memory.spiked && ppm < u64::from(row.fee_ppm) && reason != reason::VEGAS {
        Wanted { reason: reason::VEGAS_OVER, ..wanted }
    } else {
        wanted
    }
}

fn cause(memory: &Memory<'_>) -> u32 {
    match memory.cause {
        Cause::Climb => reason::CLIMB,
        Cause::Explore => reason::EXPLORE,
        Cause::Scarcity => reason::SCARCITY,
    }
}
