//! Lists that lightningd, from v23.11 on, gives in pages: by counters that only rise.

/// Rows in one page: larger ones are hardly faster, and their JSON is what fills the memory.
pub const PAGE: u64 = 1_000;

/// What this lightningd turned out to be able to do; unknown until tried.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Abilities {
    pub forwards_in_pages: Option<bool>,
    pub sendpays_in_pages: Option<bool>,
    pub events_by_payment: Option<bool>,
}

/// The node's two counters of a list. A row that never changed has only the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListIndex {
    Created,
    Updated,
}

impl ListIndex {
    /// lightningd's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            ListIndex::Created => "created",
            ListIndex::Updated => "updated",
        }
    }
}
