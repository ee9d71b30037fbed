//! Canaries: which channels a module decides for, before it decides for all.

use super::{Refused, Wish, again, by_operator, moved};
use crate::cycles::Services;
use crate::model::module::{Canary, CanaryBounds, InstalledModule, Stage};
use crate::model::{Channel, ChannelId, ChannelName, CycleKind, Msat, NodeSnapshot, StrategyName};
use crate::store::installed;
use anyhow::Result;
use std::collections::HashSet;

/// What an operator wants of a canary.
#[derive(Clone, Debug, PartialEq)]
pub struct CanaryWish {
    /// These channels; without any, a share of the capacity.
    pub channels: Vec<ChannelName>,
    pub share_pct: f64,
    pub bounds: CanaryBounds,
}

impl Services {
    /// Lets a shadow decide for some channels, from the next cycle on.
    pub async fn start_canary(&self, module: InstalledModule, wish: CanaryWish) -> Wish<InstalledModule> {
        if !module.stage.is_trial() {
            let why = format!("'{}' is {}: shadow it first", module.name, module.stage);
            return Ok(Err(why));
        }
        if let Err(why) = self.may_be_asked(&module).await? {
            return Ok(Err(why));
        }
        let snapshot = self.observe().await?;
        let candidates = self.channels_of(&snapshot, &module).await?;
        let channels = match choose(&candidates, &wish, &module.stands_for) {
            Ok(channels) => channels,
            Err(why) => return Ok(Err(why)),
        };
        let now = self.now();
        let canary = Canary { since: now, channels, bounds: wish.bounds };
        self.store
            .write(move |tx| {
                let module = match again(tx, &module)? {
                    Ok(module) => module,
                    Err(why) => return Ok(Err(why)),
                };
                if let Some(other) = other_canary(&installed::all(tx)?, &module) {
                    return Ok(Err(other));
                }
                let detail = format!("for {} channels of '{}'", canary.channels.len(), module.stands_for);
                let canary = InstalledModule { canary: Some(canary), ..moved(&module, Stage::Canary, now) };
                installed::put(tx, &canary)?;
                installed::note(tx, &by_operator(&module, "canary", detail, now))?;
                Ok(Ok(canary))
            })
            .await
    }

    /// The open channels whose peers have the strategy that the module stands for.
    async fn channels_of(&self, snapshot: &NodeSnapshot, module: &InstalledModule) -> Result<Vec<Channel>> {
        let policies = self.store.read(|conn| Ok(crate::store::policies::load_all(conn)?)).await?;
        let general = crate::cycles::rebalance::default_evaluator(&self.config());
        let has_it = |channel: &&Channel| {
            let known = policies.iter().find(|policy| policy.peer_id == channel.peer_id).cloned();
            let policy = crate::guard::policy::in_force(known, channel.peer_id, snapshot.now());
            let strategy = match module.decides {
                CycleKind::Fee => policy.strategy,
                CycleKind::Rebalance => policy.rebalance_strategy.unwrap_or_else(|| general.clone()),
            };
            strategy == module.stands_for
        };
        Ok(snapshot.open_channels().filter(has_it).cloned().collect())
    }
}

fn other_canary(all: &[InstalledModule], module: &InstalledModule) -> Option<Refused> {
    let is_other = |one: &&InstalledModule| {
        one.stage == Stage::Canary
            && one.has_place(&module.stands_for, module.decides)
            && (one.name != module.name || one.digest != module.digest)
    };
    let other = all.iter().find(is_other)?;
    Some(format!(
        "'{}' {} is the canary of '{}' already: roll it back first",
        other.name, other.version, other.stands_for
    ))
}

fn choose(
    candidates: &[Channel],
    wish: &CanaryWish,
    strategy: &StrategyName,
) -> Result<Vec<ChannelId>, Refused> {
    let chosen = if wish.channels.is_empty() {
        by_share(candidates, wish.share_pct)
    } else {
        by_name(candidates, wish, strategy)?
    };
    if chosen.is_empty() {
        return Err(format!("no open channel's peer has the strategy '{strategy}'"));
    }
    if chosen.len() == candidates.len() && wish.channels.is_empty() {
        return Err(format!(
            "'{strategy}' has {} channel: a canary needs others beside it to be compared with",
            candidates.len()
        ));
    }
    Ok(chosen)
}

fn by_name(
    candidates: &[Channel],
    wish: &CanaryWish,
    strategy: &StrategyName,
) -> Result<Vec<ChannelId>, Refused> {
    let mut chosen = HashSet::new();
    for name in &wish.channels {
        let channel = candidates.iter().find(|channel| name.names(channel));
        let channel = channel.ok_or_else(|| {
            format!("channel {name} is not an open channel whose peer has the strategy '{strategy}'")
        })?;
        chosen.insert(channel.channel_id);
    }
    Ok(candidates.iter().map(|channel| channel.channel_id).filter(|id| chosen.contains(id)).collect())
}

/// Channels in the order of their ids, which is as good as random, until they make up the share.
/// At least one, never all.
fn by_share(candidates: &[Channel], share_pct: f64) -> Vec<ChannelId> {
    let total: Msat = candidates.iter().map(|channel| channel.total).sum();
    let wanted = total.0 as f64 * share_pct / 100.0;
    let mut sorted: Vec<&Channel> = candidates.iter().collect();
    sorted.sort_by_key(|channel| channel.channel_id);
    let most = candidates.len().saturating_sub(1).max(1);
    let mut taken = 0.0;
    let mut chosen = Vec::new();
    for channel in sorted.into_iter().take(most) {
        if !chosen.is_empty() && taken + channel.total.0 as f64 > wanted {
            break;
        }
        taken += channel.total.0 as f64;
        chosen.push(channel.channel_id);
    }
    chosen
}
