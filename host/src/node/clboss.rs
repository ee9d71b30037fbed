//! Asking CLBoss to leave fees alone. It keeps one set of tags per peer, and a call replaces
//! the whole set, so that others' tags are read first and kept.

use super::{CallError, Group, Node};
use crate::model::PeerId;
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// CLBoss's word for setting fees.
const FEES: &str = "lnfee";

#[derive(Debug, Deserialize)]
struct Status {
    #[serde(default)]
    unmanaged: BTreeMap<String, serde_json::Value>,
}

impl Node {
    /// Makes CLBoss leave the fees of `ours` alone and take those of `theirs` back. Returns
    /// the peers for which something changed.
    pub async fn divide_fees(
        &self,
        ours: &BTreeSet<PeerId>,
        theirs: &BTreeSet<PeerId>,
    ) -> Result<Vec<PeerId>, CallError> {
        let status: Status = self.call(Group::Clboss, "clboss-status", json!({})).await?;
        let mut changed = Vec::new();
        let wanted = ours.iter().map(|peer| (peer, true)).chain(theirs.iter().map(|peer| (peer, false)));
        for (peer, unmanage) in wanted {
            let tags = tags_of(&status, peer);
            if tags.contains(FEES) == unmanage {
                continue;
            }
            let params = json!([peer.to_string(), with_fees(tags, unmanage)]);
            self.call::<serde_json::Value>(Group::Clboss, "clboss-unmanage", params).await?;
            changed.push(*peer);
        }
        Ok(changed)
    }
}

fn tags_of(status: &Status, peer: &PeerId) -> BTreeSet<String> {
    let text = status.unmanaged.get(&peer.to_string()).and_then(|tags| tags.as_str()).unwrap_or_default();
    text.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
}

fn with_fees(mut tags: BTreeSet<String>, unmanage: bool) -> String {
    if unmanage {
        tags.insert(FEES.to_owned());
    } else {
        tags.remove(FEES);
    }
    tags.into_iter().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tags_of_others_are_kept() {
        let peer = PeerId([2; 33]);
        let status = Status { unmanaged: BTreeMap::from([(peer.to_string(), json!("open, balance"))]) };
        let tags = tags_of(&status, &peer);
        assert_eq!(with_fees(tags.clone(), true), "balance,lnfee,open");
        assert_eq!(with_fees(tags, false), "balance,open");
        assert_eq!(with_fees(tags_of(&status, &PeerId([3; 33])), false), "");
    }
}
