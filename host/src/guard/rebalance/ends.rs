//! The two ends of a rebalance: which channels may be filled and drained, and how far.

use super::Case;
use super::drain::SPARE;
use crate::config::Config;
use crate::model::job::Past;
use crate::model::refusal::{End, RebalanceRefusal as Refusal};
use crate::model::{Channel, ChannelState, Msat, Ppm, RebalanceMode, UnixTime};

/// sling takes from a channel only while more than this is there besides the payment.
const LEAST_LEFT: Msat = Msat(SPARE.0 + 1_000);

/// What a source keeps at most, however large it is.
const MOST_KEPT: Msat = Msat::from_sats(2_000_000);

/// The pause after the first failure, seconds; it doubles with each further one.
const BACK_OFF_S: u64 = 600;

/// Failures after which the pause stays as it is.
const LONGEST_BACK_OFF: u32 = 4;

/// Failures in a row after which trying is futile, and for how long, seconds.
const FUTILE_FAILURES: u32 = 10;
const FUTILE_S: u64 = 48 * 3_600;

/// Whether liquidity may come to this channel; `force` passes pauses.
///
/// # Errors
/// Why not.
pub fn may_fill(channel: &Channel, force: bool, case: Case<'_>) -> Result<(), Refusal> {
    usable(channel, End::To, case)?;
    let mode = case.policy(channel.peer_id).rebalance_mode;
    if matches!(mode, RebalanceMode::Disabled | RebalanceMode::SourceOnly) {
        return Err(Refusal::Policy { end: End::To(channel.name()), mode });
    }
    let past = case.past.get(&channel.channel_id).copied().unwrap_or_default();
    match wait(past, case.config, case.snapshot.now()) {
        Some(refusal) if !force => Err(refusal),
        _ => Ok(()),
    }
}

/// Whether liquidity may go from this channel.
///
/// # Errors
/// Why not.
pub fn may_drain(channel: &Channel, case: Case<'_>) -> Result<(), Refusal> {
    usable(channel, End::From, case)?;
    let mode = case.policy(channel.peer_id).rebalance_mode;
    if matches!(mode, RebalanceMode::Disabled | RebalanceMode::SinkOnly) {
        return Err(Refusal::Policy { end: End::From(channel.name()), mode });
    }
    Ok(())
}

fn usable(channel: &Channel, end: fn(String) -> End, case: Case<'_>) -> Result<(), Refusal> {
    let end = || end(channel.name());
    let not_ready = |why: String| Err(Refusal::ChannelNotReady { end: end(), why });
    if channel.state != ChannelState::Normal {
        return not_ready(format!("its state is {}", channel.state.name()));
    }
    if channel.scid.is_none() {
        return not_ready("it has no short channel id yet, and sling knows channels by that".to_owned());
    }
    if !channel.peer_connected {
        return not_ready("its peer is not connected".to_owned());
    }
    match case.busy.get(&channel.channel_id) {
        Some(holder) => Err(Refusal::Busy { end: end(), holder: *holder }),
        None => Ok(()),
    }
}

/// The pause that a channel makes after earlier jobs, if one is left.
pub fn wait(past: Past, config: &Config, now: UnixTime) -> Option<Refusal> {
    let left = |since: UnixTime, pause: u64| pause.saturating_sub(now.since(since));
    let cooldown = past.last_success.map_or(0, |at| left(at, config.rebalance_cooldown_hours * 3_600));
    if cooldown > 0 {
        return Some(Refusal::Cooldown { seconds_left: cooldown });
    }
    let failures = past.failures;
    let failure = past.last_failure.filter(|_| failures > 0)?;
    if failures >= FUTILE_FAILURES && left(failure, FUTILE_S) > 0 {
        return Some(Refusal::Futile { failures, seconds_left: left(failure, FUTILE_S) });
    }
    let seconds_left = left(failure, BACK_OFF_S << (failures - 1).min(LONGEST_BACK_OFF));
    (seconds_left > 0).then_some(Refusal::BackOff { failures, seconds_left })
}

/// The most that may come to a channel in one job.
pub fn fill_most(channel: &Channel, config: &Config) -> Msat {
    channel.receivable.min(Msat::from_sats(config.rebalance_max_amount))
}

/// The most that may go from a channel in one job by an evaluator's wish.
pub fn drain_most(channel: &Channel, config: &Config) -> Msat {
    gives(channel, config.low_liquidity_threshold, config).min(Msat::from_sats(config.rebalance_max_amount))
}

/// What a channel can give that keeps a share of its capacity, what sling keeps by itself, and
/// the fees on top of what arrives.
pub(super) fn gives(channel: &Channel, keep_share: f64, config: &Config) -> Msat {
    let kept = keeps(channel.total, keep_share).max(LEAST_LEFT);
    let fees = Ppm(config.rebalance_max_ppm).fee(Msat::ZERO, channel.spendable);
    channel.to_us.saturating_sub(kept).min(channel.spendable.saturating_sub(fees))
}

/// What a channel keeps: a share of its capacity, but no more than [`MOST_KEPT`].
pub(super) fn keeps(capacity: Msat, share: f64) -> Msat {
    Msat((capacity.0 as f64 * share) as u64).min(MOST_KEPT)
}
