//! Changes of policies: what may be asked for, and what comes of it.
//!
//! A policy in the store may be past its time; [`in_force`] is what really holds. Every
//! change starts from that.

mod limiter;
mod suggest;
#[cfg(test)]
mod tests;

pub use limiter::{MAX_CHANGES, RateLimiter, TooManyChanges, WINDOW_S};
pub use suggest::{PeerFacts, Severity, Suggestion, TRIAL_DAYS, WINDOW_DAYS, suggest};

use crate::model::policy::{MAX_EXPIRY_HOURS, MAX_FEE_TARGET_PPM, MAX_TAG_LEN, MAX_TAGS, MULTIPLIER_BOUNDS};
use crate::model::{PeerId, Policy, Ppm, RebalanceMode, StrategyName, UnixTime, quote};

/// The most policies that one batch may change.
pub const MAX_BATCH: usize = 100;

/// The tag of peers that `revenue-ignore` leaves alone; another tag beside it says why.
pub const IGNORED: &str = "ignored";

/// Whether a policy leaves its peer alone, however it came about.
pub fn is_ignored(policy: &Policy) -> bool {
    policy.strategy == StrategyName::passive() && policy.rebalance_mode == RebalanceMode::Disabled
}

/// What a change does to a field that may be empty.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Edit<T> {
    /// Leaves it as it is.
    #[default]
    Keep,
    /// Empties it.
    Clear,
    /// Fills it.
    To(T),
}

impl<T> Edit<T> {
    fn applied(self, old: Option<T>) -> Option<T> {
        match self {
            Edit::Keep => old,
            Edit::Clear => None,
            Edit::To(new) => Some(new),
        }
    }
}

/// A wanted change of one policy; what it does not name stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyUpdate {
    pub strategy: Option<StrategyName>,
    pub rebalance_mode: Option<RebalanceMode>,
    pub rebalance_strategy: Edit<StrategyName>,
    pub fee_ppm_target: Edit<Ppm>,
    /// Replaces all tags.
    pub tags: Option<Vec<String>>,
    pub fee_multiplier_min: Edit<f64>,
    pub fee_multiplier_max: Edit<f64>,
    /// Hours from now; zero or less means without end.
    pub expires_in_hours: Edit<f64>,
    /// The end itself, as answers show it; zero means without end. Hours count before it.
    pub expires_at: Edit<UnixTime>,
}

/// The policy that holds for a peer now, given what is stored for it.
pub fn in_force(stored: Option<Policy>, peer_id: PeerId, now: UnixTime) -> Policy {
    stored.filter(|policy| !policy.is_expired(now)).unwrap_or_else(|| Policy::default_for(peer_id))
}

/// The policy that `update` makes of `old`, or a sentence that says what is not allowed.
pub fn apply(old: &Policy, update: &PolicyUpdate, now: UnixTime) -> Result<Policy, String> {
    let base = in_force(Some(old.clone()), old.peer_id, now);
    let update = update.clone();
    let new = Policy {
        peer_id: base.peer_id,
        strategy: update.strategy.unwrap_or(base.strategy),
        rebalance_mode: update.rebalance_mode.unwrap_or(base.rebalance_mode),
        rebalance_strategy: update.rebalance_strategy.applied(base.rebalance_strategy),
        fee_ppm_target: update.fee_ppm_target.applied(base.fee_ppm_target),
        tags: update.tags.map_or(Ok(base.tags), checked_tags)?,
        updated_at: now,
        fee_multiplier_min: update.fee_multiplier_min.applied(base.fee_multiplier_min),
        fee_multiplier_max: update.fee_multiplier_max.applied(base.fee_multiplier_max),
        expires_at: match update.expires_in_hours {
            Edit::Keep => end(update.expires_at, base.expires_at, now)?,
            hours => expiry(hours, base.expires_at, now)?,
        },
    };
    check_target(&new)?;
    check_multipliers(&new)?;
    Ok(new)
}

/// Whether `new` says nothing that `old` does not say. The order of tags says nothing.
pub fn is_noop(old: &Policy, new: &Policy) -> bool {
    let sorted = |policy: &Policy| {
        let mut tags = policy.tags.clone();
        tags.sort_unstable();
        tags
    };
    let alike = Policy { updated_at: old.updated_at, tags: old.tags.clone(), ..new.clone() };
    alike == *old && sorted(old) == sorted(new)
}

/// A fact about a valid policy that its author may not expect; `is_authors`: an author's module decides for
/// its strategy, and is told of the policy's `fee_ppm`.
pub fn warning(policy: &Policy, is_authors: bool) -> Option<&'static str> {
    match policy.fee_ppm_target {
        None if policy.strategy.is_static() => Some(
            "strategy static has no fee_ppm, so the peer's channels keep the fees they have: set fee_ppm",
        ),
        Some(_) if !policy.strategy.is_static() && !is_authors => {
            Some("fee_ppm is kept, but has no effect with this strategy: set strategy=static")
        }
        _ => None,
    }
}

/// `policy`'s tags and one more.
pub fn with_tag(policy: &Policy, tag: &str) -> Result<PolicyUpdate, String> {
    let mut tags = policy.tags.clone();
    tags.push(checked_tag(tag)?);
    Ok(retagged(tags))
}

/// `policy`'s tags without one of them.
pub fn without_tag(policy: &Policy, tag: &str) -> PolicyUpdate {
    let mut tags = policy.tags.clone();
    tags.retain(|own| own != tag.trim());
    retagged(tags)
}

fn retagged(tags: Vec<String>) -> PolicyUpdate {
    PolicyUpdate { tags: Some(tags), ..PolicyUpdate::default() }
}

fn expiry(wanted: Edit<f64>, old: Option<UnixTime>, now: UnixTime) -> Result<Option<UnixTime>, String> {
    match wanted {
        Edit::Keep => Ok(old),
        Edit::Clear => Ok(None),
        Edit::To(hours) if hours <= 0.0 => Ok(None),
        Edit::To(hours) if hours <= f64::from(MAX_EXPIRY_HOURS) => {
            // At least one second, so that a policy never ends as it begins.
            let seconds = (hours * UnixTime::HOUR as f64).ceil() as u64;
            Ok(Some(now.plus(seconds)))
        }
        Edit::To(hours) => Err(format!(
            "expires_in_hours {hours} is not allowed: use at most {MAX_EXPIRY_HOURS} (30 days), \
             or 0 for a policy without end"
        )),
    }
}

/// An end named outright. One that the policy has already is no new one, however far it is.
fn end(wanted: Edit<UnixTime>, old: Option<UnixTime>, now: UnixTime) -> Result<Option<UnixTime>, String> {
    let latest = now.plus(u64::from(MAX_EXPIRY_HOURS) * UnixTime::HOUR);
    match wanted {
        Edit::Keep => Ok(old),
        Edit::Clear | Edit::To(UnixTime(0)) => Ok(None),
        Edit::To(end) if end > now && (end <= latest || Some(end) == old) => Ok(Some(end)),
        Edit::To(UnixTime(end)) => Err(format!(
            "expires_at {end} is not allowed: use a unix time after now ({now}) and at most {latest} (30 days), or 0 \
             for a policy without end",
            now = now.0,
            latest = latest.0
        )),
    }
}

fn check_target(policy: &Policy) -> Result<(), String> {
    match policy.fee_ppm_target {
        Some(Ppm(fee)) if fee > MAX_FEE_TARGET_PPM => {
            Err(format!("fee_ppm {fee} is not allowed: use 0 to {MAX_FEE_TARGET_PPM}"))
        }
        _ => Ok(()),
    }
}

fn check_multipliers(policy: &Policy) -> Result<(), String> {
    let (lowest, highest) = MULTIPLIER_BOUNDS;
    let (min, max) = (policy.fee_multiplier_min, policy.fee_multiplier_max);
    for (name, factor) in [("fee_multiplier_min", min), ("fee_multiplier_max", max)] {
        if let Some(factor) = factor.filter(|factor| !(lowest..=highest).contains(factor)) {
            return Err(format!("{name} {factor} is not allowed: use {lowest} to {highest}, or none"));
        }
    }
    match (min, max) {
        (Some(min), Some(max)) if min > max => {
            Err(format!("fee_multiplier_min ({min}) must not be above fee_multiplier_max ({max})"))
        }
        _ => Ok(()),
    }
}

fn checked_tags(tags: Vec<String>) -> Result<Vec<String>, String> {
    let mut checked: Vec<String> = Vec::new();
    for tag in &tags {
        let tag = checked_tag(tag)?;
        if checked.contains(&tag) {
            continue;
        }
        if checked.len() == MAX_TAGS {
            return Err(format!("{} tags are too many: use at most {MAX_TAGS}", tags.len()));
        }
        checked.push(tag);
    }
    Ok(checked)
}

/// A tag without surrounding blanks. It holds no `=`, so that a misspelt parameter never
/// becomes one, and no comma, which stands between tags.
fn checked_tag(tag: &str) -> Result<String, String> {
    let tag = tag.trim();
    if tag.is_empty() || tag.len() > MAX_TAG_LEN || tag.contains(is_odd) {
        return Err(format!(
            "tag '{}' is not allowed: use 1 to {MAX_TAG_LEN} bytes without '=', ',' and control characters",
            quote(tag)
        ));
    }
    Ok(tag.to_owned())
}

/// The tag nearest to any text: blanks for what no tag may hold, and no more than fits. Empty when nothing
/// is left.
pub fn tag_of(text: &str) -> String {
    let blanked = text.replace(is_odd, " ");
    let blanked = blanked.trim();
    blanked[..blanked.floor_char_boundary(MAX_TAG_LEN)].trim_end().to_owned()
}

fn is_odd(letter: char) -> bool {
    letter.is_control() || matches!(letter, '=' | ',')
}
