//! Flow analysis: where a channel's liquidity goes, how fast, and how sure that is.

use crate::model::flow::{FlowClass, FlowHour, FlowState};
use crate::model::{ChannelId, Msat, PeerId, UnixTime};

/// Flow that is this lopsided (share of the larger direction, 0 to 1) makes a
/// channel a source or a sink even below the thresholds, if there is enough of it.
const ONE_WAY_SHARE: f64 = 0.7;
/// Enough: weekly flow, both directions, as a share of the capacity.
const ENOUGH_PER_WEEK: f64 = 0.05;
/// Forwards in the window from which on their number no longer limits confidence.
const ENOUGH_FORWARDS: f64 = 20.0;
/// Days without a forward that halve confidence.
const HALF_LIFE_DAYS: f64 = 3.0;
/// Bounds of confidence.
const CONFIDENCE: (f64, f64) = (0.1, 1.0);
/// Decay while there is too little flow to tell steady from erratic: fewer days
/// with flow than this, or less per day.
const DEFAULT_DECAY: f64 = 0.8;
const FEWEST_DAYS: usize = 3;
const LEAST_PER_DAY: Msat = Msat::from_sats(1_000);
/// Decay of steady and of erratic flow, and the variations that count as such.
const STEADY: (f64, f64) = (0.1, 0.9);
const ERRATIC: (f64, f64) = (0.5, 0.6);
/// Velocity is not taken from analyses closer than this, hours, nor beyond this, per hour.
const LEAST_HOURS: f64 = 0.5;
const MOST_VELOCITY: f64 = 0.5;

/// Bounds of the flow multiplier, and the flow ratio from which on it says anything.
const MULTIPLIER: (f64, f64) = (0.5, 2.0);
const LEAST_RATIO: f64 = 0.1;

/// The analysis in one number for people: above 1 for channels that drain, below 1 for
/// those that fill, within 0.5 and 2. `1 + ratio * confidence / 2`; no decision reads it.
pub fn flow_multiplier(state: &FlowState) -> f64 {
    if state.flow_ratio.abs() < LEAST_RATIO {
        return 1.0;
    }
    (1.0 + 0.5 * state.flow_ratio * state.confidence).clamp(MULTIPLIER.0, MULTIPLIER.1)
}

/// What is known of one channel.
#[derive(Clone, Copy, Debug)]
pub struct ChannelFlow<'a> {
    pub channel_id: ChannelId,
    pub peer_id: PeerId,
    pub capacity: Msat,
    /// Settled flow, in any order; hours outside the window are left out.
    pub hours: &'a [FlowHour],
}

/// Flow ratios, in capacities per day, beyond which a channel is a source or a
/// sink whatever else is known.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// Above it: source.
    pub source: f64,
    /// Below it: sink.
    pub sink: f64,
}

/// One rolling day, counted back from now.
#[derive(Clone, Copy, Default)]
struct Day {
    inflow: Msat,
    outflow: Msat,
}

impl Day {
    fn net(&self) -> f64 {
        self.outflow.0 as f64 - self.inflow.0 as f64
    }

    fn volume(&self) -> f64 {
        (self.inflow + self.outflow).0 as f64
    }
}

/// Daily averages in msat, in which a day counts `decay` times the one after it.
struct Averages {
    inflow: f64,
    outflow: f64,
}

/// Analyses the last `window_days` days.
///
/// A channel is a source (sink) when its flow ratio is beyond the threshold, or
/// when at least 70 % of its average flow goes out (in) and that flow is at least
/// 5 % of the capacity per week. A channel without flow is balanced, with the
/// lowest confidence, wherever its liquidity happens to be: silence is no demand.
pub fn analyze(
    flow: &ChannelFlow<'_>,
    previous: Option<&FlowState>,
    thresholds: Thresholds,
    window_days: u32,
    now: UnixTime,
) -> FlowState {
    let window: Vec<&FlowHour> =
        flow.hours.iter().filter(|hour| day_of(hour, now) < u64::from(window_days)).collect();
    let days = days_of(&window, window_days, now);
    let ema_decay = decay(&days);
    let averages = average(&days, ema_decay);
    let flow_ratio = match flow.capacity.0 {
        0 => 0.0,
        capacity => (averages.outflow - averages.inflow) / capacity as f64,
    };
    let forward_count = window.iter().fold(0_u32, |sum, hour| sum.saturating_add(forwards_in(hour)));
    let last_forward =
        window.iter().filter(|hour| forwards_in(hour) > 0).map(|hour| hour.start.min(now)).max();
    FlowState {
        channel_id: flow.channel_id,
        peer_id: flow.peer_id,
        class: classify(&averages, flow_ratio, flow.capacity, thresholds),
        flow_ratio,
        window_in: days.iter().map(|day| day.inflow).sum(),
        window_out: days.iter().map(|day| day.outflow).sum(),
        window_days,
        capacity: flow.capacity,
        confidence: confidence(forward_count, last_forward, now),
        velocity: velocity(flow_ratio, previous, now),
        ema_decay,
        forward_count,
        last_forward,
        updated_at: now,
    }
}

/// Days back from `now` to the hour's start; the last 24 hours are day 0.
fn day_of(hour: &FlowHour, now: UnixTime) -> u64 {
    now.since(hour.start) / UnixTime::DAY
}

fn forwards_in(hour: &FlowHour) -> u32 {
    hour.in_count.saturating_add(hour.out_count)
}

/// The window's days, the latest first, days without flow included.
fn days_of(window: &[&FlowHour], window_days: u32, now: UnixTime) -> Vec<Day> {
    let mut days = vec![Day::default(); window_days as usize];
    for hour in window {
        // `window` holds hours of these days only.
        let day = &mut days[day_of(hour, now) as usize];
        day.inflow += hour.in_msat;
        day.outflow += hour.out_msat;
    }
    days
}

/// Steady flow is averaged over long, erratic flow over short. Erratic means that
/// daily net flow varies much against the daily volume.
fn decay(days: &[Day]) -> f64 {
    let count = days.len().max(1) as f64;
    let active = days.iter().filter(|day| day.volume() > 0.0).count();
    let mean_volume = days.iter().map(Day::volume).sum::<f64>() / count;
    if active < FEWEST_DAYS || mean_volume < LEAST_PER_DAY.0 as f64 {
        return DEFAULT_DECAY;
    }
    let mean_net = days.iter().map(Day::net).sum::<f64>() / count;
    let variance = days.iter().map(|day| (day.net() - mean_net).powi(2)).sum::<f64>() / count;
    let variation = (variance.sqrt() / mean_volume).clamp(STEADY.0, ERRATIC.0);
    let share = (variation - STEADY.0) / (ERRATIC.0 - STEADY.0);
    STEADY.1 + share * (ERRATIC.1 - STEADY.1)
}

fn average(days: &[Day], decay: f64) -> Averages {
    let (mut weight, mut weights) = (1.0, 0.0);
    let mut sums = Averages { inflow: 0.0, outflow: 0.0 };
    for day in days {
        sums.inflow += weight * day.inflow.0 as f64;
        sums.outflow += weight * day.outflow.0 as f64;
        weights += weight;
        weight *= decay;
    }
    if weights > 0.0 {
        sums.inflow /= weights;
        sums.outflow /= weights;
    }
    sums
}

fn classify(averages: &Averages, flow_ratio: f64, capacity: Msat, thresholds: Thresholds) -> FlowClass {
    let volume = averages.inflow + averages.outflow;
    let enough = volume > 0.0 && 7.0 * volume >= ENOUGH_PER_WEEK * capacity.0 as f64;
    if flow_ratio > thresholds.source || enough && averages.outflow >= ONE_WAY_SHARE * volume {
        FlowClass::Source
    } else if flow_ratio < thresholds.sink || enough && averages.inflow >= ONE_WAY_SHARE * volume {
        FlowClass::Sink
    } else {
        FlowClass::Balanced
    }
}

fn confidence(forwards: u32, last: Option<UnixTime>, now: UnixTime) -> f64 {
    let (least, most) = CONFIDENCE;
    let by_count = (least + (most - least) * f64::from(forwards) / ENOUGH_FORWARDS).min(most);
    let by_age = last.map_or(0.0, |last| {
        let idle_days = now.since(last) as f64 / UnixTime::DAY as f64;
        0.5_f64.powf(idle_days / HALF_LIFE_DAYS)
    });
    (by_count * by_age).clamp(least, most)
}

/// Change of the flow ratio per hour since the previous analysis; that one's
/// velocity when it is too recent to compare with.
fn velocity(flow_ratio: f64, previous: Option<&FlowState>, now: UnixTime) -> f64 {
    previous.map_or(0.0, |previous| {
        let hours = now.since(previous.updated_at) as f64 / UnixTime::HOUR as f64;
        if hours < LEAST_HOURS {
            previous.velocity
        } else {
            ((flow_ratio - previous.flow_ratio) / hours).clamp(-MOST_VELOCITY, MOST_VELOCITY)
        }
    })
}

#[cfg(test)]
mod tests;
