//! Whether the file's channels are this node's.

use crate::model::{PeerId, Scid};
use crate::node::roster::ListedChannel;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// How many channels the file names, and how many of them this node lists under the same short channel id
/// with the same peer. The peer matters: the channel between two nodes of one operator is in both files,
/// each time with the other one as its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whose {
    pub named: u64,
    pub ours: u64,
}

impl Whose {
    pub fn of(named: &BTreeMap<Scid, PeerId>, roster: &[ListedChannel]) -> Whose {
        let listed: HashMap<Scid, Option<PeerId>> = roster
            .iter()
            .flat_map(|channel| channel.names.iter().map(|name| (*name, channel.peer_id)))
            .collect();
        let is_ours = |(scid, peer): &(&Scid, &PeerId)| {
            listed.get(scid).is_some_and(|known| known.is_none_or(|known| known == **peer))
        };
        Whose { named: named.len() as u64, ours: named.iter().filter(is_ours).count() as u64 }
    }

    /// Enough for a file that nobody named: at least one channel, and at least half of those in it. A splice
    /// gives a channel a new short channel id, so that not all can be asked for.
    pub fn is_ours(&self) -> bool {
        self.ours > 0 && self.ours * 2 >= self.named
    }

    /// Enough for a file that the operator named: no proof that it is another node's.
    pub fn may_be_ours(&self) -> bool {
        self.named == 0 || self.ours > 0
    }

    /// One sentence on a file that is not taken.
    pub fn refusal(&self, path: &Path) -> String {
        format!(
            "the Python plugin's database {} is not taken over, for it is another node's: of the {} channels in it this \
             node lists {}; name this node's own file with revenue-ops-db-path",
            path.display(),
            self.named,
            self.ours
        )
    }
}

/// Channels of the file that the node does not list by that name, with peers that it lists channels with:
/// a splice has renamed them.
pub(super) fn renamed(named: &BTreeMap<Scid, PeerId>, roster: &[ListedChannel]) -> BTreeSet<Scid> {
    let names: BTreeSet<Scid> = roster.iter().flat_map(|channel| channel.names.iter().copied()).collect();
    let peers: BTreeSet<PeerId> = roster.iter().filter_map(|channel| channel.peer_id).collect();
    let renamed = |(scid, peer): &(&Scid, &PeerId)| !names.contains(scid) && peers.contains(peer);
    named.iter().filter(renamed).map(|(scid, _)| *scid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChannelId;

    fn scid(n: u32) -> Scid {
        Scid { block: n, transaction: 1, output: 0 }
    }

    fn whose(named: &[(u32, u8)], listed: &[(u32, Option<u8>)]) -> Whose {
        let named = named.iter().map(|(n, peer)| (scid(*n), PeerId([*peer; 33]))).collect();
        let channel = |(n, peer): &(u32, Option<u8>)| ListedChannel {
            channel_id: ChannelId([*n as u8; 32]),
            peer_id: peer.map(|peer| PeerId([peer; 33])),
            names: vec![scid(*n), scid(1000 + n)],
        };
        Whose::of(&named, &listed.iter().map(channel).collect::<Vec<_>>())
    }

    #[test]
    fn a_channel_is_ours_by_name_and_peer() {
        for (named, listed, ours) in [
            (vec![(1, 7)], vec![(1, Some(7))], 1),
            (vec![(1001, 7)], vec![(1, Some(7))], 1),
            (vec![(1, 7)], vec![(1, None)], 1),
            (vec![(1, 8)], vec![(1, Some(7))], 0),
            (vec![(2, 7)], vec![(1, Some(7))], 0),
            (vec![], vec![(1, Some(7))], 0),
        ] {
            assert_eq!(whose(&named, &listed).ours, ours, "{named:?} {listed:?}");
        }
    }

    #[test]
    fn a_spliced_channel_is_known_by_its_peer() {
        let named = [(1, 7), (2, 7), (3, 8)].map(|(n, peer)| (scid(n), PeerId([peer; 33]))).into();
        let channel = ListedChannel {
            channel_id: ChannelId([1; 32]),
            peer_id: Some(PeerId([7; 33])),
            names: vec![scid(2)],
        };
        assert_eq!(renamed(&named, &[channel]), BTreeSet::from([scid(1)]));
    }

    #[test]
    fn half_the_channels_must_match_unless_the_file_is_named() {
        for (named, ours, is, may_be) in [
            (0, 0, false, true),
            (1, 0, false, false),
            (1, 1, true, true),
            (4, 2, true, true),
            (5, 2, false, true),
        ] {
            let whose = Whose { named, ours };
            assert_eq!((whose.is_ours(), whose.may_be_ours()), (is, may_be), "{whose:?}");
        }
    }
}
