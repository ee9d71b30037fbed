//! Whose fees are whose: CLBoss sets fees too, and is told which peers to leave alone.

use super::Plan;
use crate::cycles::Services;
use crate::model::PeerId;
use crate::model::fee::{Origin, Refusal};
use crate::node::Companion;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What CLBoss has not been told yet: by peer, whether it leaves the fees alone. The latest word on a
/// peer counts.
#[derive(Default)]
pub struct Untold {
    peers: Mutex<BTreeMap<PeerId, bool>>,
    /// One at a time talks to CLBoss.
    turn: tokio::sync::Mutex<()>,
}

impl Untold {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, bool>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes more; whether somebody must tell it. Where something was noted already, somebody is about to.
    fn note(&self, more: BTreeMap<PeerId, bool>) -> bool {
        let mut peers = self.lock();
        let is_first = peers.is_empty() && !more.is_empty();
        peers.extend(more);
        is_first
    }

    /// Takes what was noted.
    fn take(&self) -> BTreeMap<PeerId, bool> {
        std::mem::take(&mut *self.lock())
    }
}

impl Services {
    /// Tells CLBoss, where it is there, whose peers are whose. Nobody waits for its answer: that it cannot
    /// be told, or takes long, is no reason to leave a fee wrong.
    pub(super) fn divide_fees_with_clboss(&self, plan: &Plan) {
        if self.writer.is_dry() || !plan.config.clboss_enabled || !self.has_companion(Companion::Clboss) {
            return;
        }
        if !self.clboss.note(division(plan)) {
            return;
        }
        let (untold, node) = (self.clboss.clone(), self.node.clone());
        tokio::spawn(async move {
            let _turn = untold.turn.lock().await;
            if let Err(error) = node.divide_fees(&untold.take()).await {
                tracing::warn!("CLBoss could not be told which fees to leave alone: {error}");
            }
        });
    }
}

/// By peer, whether CLBoss leaves its fees alone. A peer is ours also while its strategy wants nothing
/// changed.
fn division(plan: &Plan) -> BTreeMap<PeerId, bool> {
    let decided = plan.decided.iter().map(|planned| {
        // What a module left there is taken back all the same.
        let is_left = planned.verdict.proposal.origin == Origin::Host && planned.policy.strategy.is_passive();
        let is_theirs = is_left || matches!(planned.verdict.result, Err(Refusal::PolicyPassive));
        (planned.channel.peer_id, !is_theirs)
    });
    let held = plan.held.iter().map(|held| (held.channel.peer_id, !held.strategy.is_passive()));
    decided.chain(held).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_word_on_a_peer_is_told_once() {
        let untold = Untold::default();
        let peer = |n: u8| PeerId([n; 33]);
        assert!(!untold.note(BTreeMap::new()), "nothing to tell");
        assert!(untold.note(BTreeMap::from([(peer(2), true), (peer(3), true)])));
        assert!(!untold.note(BTreeMap::from([(peer(3), false)])), "somebody is about to tell it");
        assert_eq!(untold.take(), BTreeMap::from([(peer(2), true), (peer(3), false)]));
        assert!(untold.note(BTreeMap::from([(peer(2), false)])), "nobody is about to any more");
    }
}
