//! Lists of the node that are read on from a stored place.

/// Such a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    Forwards,
    /// Payments that the node makes.
    Payments,
}

impl List {
    pub const ALL: [List; 2] = [List::Forwards, List::Payments];

    /// lightningd's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            List::Forwards => "forwards",
            List::Payments => "sendpays",
        }
    }

    /// The word used in answers.
    pub const fn what(self) -> &'static str {
        match self {
            List::Forwards => "forwards",
            List::Payments => "payments",
        }
    }
}

/// The node's two counters of a list. A row that never changed has only the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListIndex {
    Created,
    Updated,
}

impl ListIndex {
    pub const BOTH: [ListIndex; 2] = [ListIndex::Created, ListIndex::Updated];

    /// lightningd's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            ListIndex::Created => "created",
            ListIndex::Updated => "updated",
        }
    }
}
