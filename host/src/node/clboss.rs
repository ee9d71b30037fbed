//! Asking CLBoss to leave peers alone. It keeps one set of tags per peer, and a call replaces
//! the whole set, so that others' tags are read first and kept.

use super::{CallError, Group, Node};
use crate::model::PeerId;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// CLBoss's word for setting fees.
const FEES: &str = "lnfee";

/// All tags that CLBoss knows, and those of what this plugin does itself.
pub const TAGS: [&str; 4] = [FEES, "balance", "open", "close"];
/// Fees and rebalancing.
pub const OUR_TAGS: [&str; 2] = [FEES, "balance"];

/// What `clboss-status` said.
#[derive(Clone, Debug, PartialEq)]
pub struct ClbossStatus(Value);

impl ClbossStatus {
    /// The whole answer.
    pub fn whole(&self) -> &Value {
        &self.0
    }

    /// The tags of each peer that CLBoss leaves alone in something.
    pub fn unmanaged(&self) -> BTreeMap<String, BTreeSet<String>> {
        let peers = self.0["unmanaged"].as_object().into_iter().flatten();
        peers
            // A comment stands beside the peers.
            .filter(|(peer, _)| peer.parse::<PeerId>().is_ok())
            .map(|(peer, tags)| (peer.clone(), tags_in(tags.as_str().unwrap_or_default())))
            .collect()
    }

    fn tags_of(&self, peer: &PeerId) -> BTreeSet<String> {
        tags_in(self.0["unmanaged"][&peer.to_string()].as_str().unwrap_or_default())
    }
}

impl Node {
    /// What CLBoss says of itself.
    pub async fn clboss_status(&self) -> Result<ClbossStatus, CallError> {
        Ok(ClbossStatus(self.call(Group::Clboss, "clboss-status", json!({})).await?))
    }

    /// Makes CLBoss leave the fees of these peers alone (true) or take them back (false).
    pub async fn divide_fees(&self, peers: &BTreeMap<PeerId, bool>) -> Result<(), CallError> {
        let _turn = self.shared.clboss_turn.lock().await;
        let status = self.clboss_status().await?;
        for (peer, unmanage) in peers {
            let tags = status.tags_of(peer);
            if tags.contains(FEES) != *unmanage {
                self.unmanage(peer, with_fees(tags, *unmanage)).await?;
            }
        }
        Ok(())
    }

    /// Makes CLBoss manage a peer again in what the tags name. False when it did so already.
    pub async fn remanage(&self, peer: PeerId, tags: &[&str]) -> Result<bool, CallError> {
        let _turn = self.shared.clboss_turn.lock().await;
        let held = self.clboss_status().await?.tags_of(&peer);
        let left: BTreeSet<String> =
            held.iter().filter(|tag| !tags.contains(&tag.as_str())).cloned().collect();
        if left == held {
            return Ok(false);
        }
        self.unmanage(&peer, left).await?;
        Ok(true)
    }

    async fn unmanage(&self, peer: &PeerId, tags: BTreeSet<String>) -> Result<(), CallError> {
        let tags = tags.into_iter().collect::<Vec<_>>().join(",");
        self.call::<Value>(Group::Clboss, "clboss-unmanage", json!([peer.to_string(), tags])).await?;
        Ok(())
    }
}

fn tags_in(text: &str) -> BTreeSet<String> {
    text.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
}

fn with_fees(mut tags: BTreeSet<String>, unmanage: bool) -> BTreeSet<String> {
    if unmanage {
        tags.insert(FEES.to_owned());
    } else {
        tags.remove(FEES);
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> (PeerId, ClbossStatus) {
        let peer = PeerId([2; 33]);
        let status = json!({ "unmanaged": { "comment": "for humans", peer.to_string(): "open, balance" } });
        (peer, ClbossStatus(status))
    }

    fn set(tags: &[&str]) -> BTreeSet<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn the_tags_of_others_are_kept() {
        let (peer, status) = status();
        let tags = status.tags_of(&peer);
        assert_eq!(with_fees(tags.clone(), true), set(&["balance", "lnfee", "open"]));
        assert_eq!(with_fees(tags, false), set(&["balance", "open"]));
        assert_eq!(with_fees(status.tags_of(&PeerId([3; 33])), false), set(&[]));
    }

    #[test]
    fn peers_are_told_from_comments() {
        let (peer, status) = status();
        assert_eq!(status.unmanaged(), BTreeMap::from([(peer.to_string(), set(&["balance", "open"]))]));
        assert_eq!(ClbossStatus(json!({})).unmanaged(), BTreeMap::new());
    }
}
