//! Which lightningd the node pretends to be.

/// A lightningd release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flavour {
    /// v23.05: no paging, no `wait`, flat notifications, flat `listconfigs`.
    V23_05,
    /// v24.11: paging and `wait`, wrapped notifications.
    V24_11,
    /// v26.06: chainmoves, `short_channel_id` filters, `CLOSED` notified.
    V26_06,
}

impl Flavour {
    /// Every flavour.
    pub const ALL: [Self; 3] = [Self::V23_05, Self::V24_11, Self::V26_06];

    /// What `getinfo` and `LIGHTNINGD_VERSION` say.
    pub fn version(self) -> &'static str {
        match self {
            Self::V23_05 => "v23.05",
            Self::V24_11 => "v24.11",
            Self::V26_06 => "v26.06.6",
        }
    }

    /// Year and month of the release as one number, such as 2311 for v23.11.
    pub fn release(self) -> u32 {
        match self {
            Self::V23_05 => 2305,
            Self::V24_11 => 2411,
            Self::V26_06 => 2606,
        }
    }

    /// True if a thing added in `release` is there.
    pub fn has(self, release: u32) -> bool {
        self.release() >= release
    }

    /// Feature bits announced to peers, in hex.
    pub(crate) fn init_features(self) -> &'static str {
        match self {
            Self::V23_05 => "08a0000a0269a2",
            Self::V24_11 => "08a0880a8a59a1",
            Self::V26_06 => "800898880a8a59a1",
        }
    }

    /// Feature bits announced in gossip, in hex.
    pub(crate) fn node_features(self) -> &'static str {
        match self {
            Self::V23_05 => "88a0000a0269a2",
            Self::V24_11 => "88a0880a8a59a1",
            Self::V26_06 => "808898880a8a59a1",
        }
    }
}
