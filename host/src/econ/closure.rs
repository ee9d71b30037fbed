//! How a channel was closed, worked out from the path of its states and from what moved on the chain.

use crate::model::Txid;
use crate::model::ledger::CloseKind;

/// lightningd's states from which a channel does not come back.
const FINAL: [&str; 4] = ["CLOSINGD_COMPLETE", "FUNDING_SPEND_SEEN", "ONCHAIN", "CLOSED"];

/// Whether a channel in this state is closed: its funding is spent, or about to be beyond recall.
pub fn is_closed(state: &str) -> bool {
    FINAL.contains(&state)
}

/// Whether a channel in this state has its funding in the chain, so that the records of its opening
/// are complete.
pub fn is_funded(state: &str) -> bool {
    !matches!(state, "OPENINGD" | "CHANNELD_AWAITING_LOCKIN") && !state.starts_with("DUALOPEND")
}

/// What the events of the chain give away of a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseTrace {
    /// An output of a revoked commitment was taken.
    Breach,
    /// Our side had to wait for its delay: our commitment.
    Delayed,
    /// Our side came home with the closing transaction itself.
    Home,
}

impl CloseTrace {
    /// The word used in the store.
    pub const fn name(self) -> &'static str {
        match self {
            CloseTrace::Breach => "breach",
            CloseTrace::Delayed => "delayed",
            CloseTrace::Home => "home",
        }
    }

    /// Reads the word used in the store.
    pub fn from_name(name: &str) -> Option<CloseTrace> {
        [Self::Breach, Self::Delayed, Self::Home].into_iter().find(|trace| trace.name() == name)
    }
}

/// All that is known of a close.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// What [`from_path`] made of the states.
    pub path: Option<CloseKind>,
    pub trace: Option<CloseTrace>,
    pub closing_txid: Option<Txid>,
    /// Of the last commitment, or mutual close, that we could have published.
    pub last_commitment_txid: Option<Txid>,
}

/// The kind of close that a path of new states, oldest first, tells; none while the channel is not
/// closed, unknown when the path begins too late.
///
/// A mutual close passes CLOSINGD_SIGEXCHANGE or CLOSINGD_COMPLETE, one of ours AWAITING_UNILATERAL;
/// one by the peer goes from an open state straight to FUNDING_SPEND_SEEN or ONCHAIN. A splice comes
/// back to CHANNELD_NORMAL.
pub fn from_path<'a>(states: impl IntoIterator<Item = &'a str>) -> Option<CloseKind> {
    let (mut kind, mut closed) = (CloseKind::Unknown, false);
    for state in states {
        closed |= is_closed(state);
        kind = match (state, kind) {
            ("CHANNELD_NORMAL" | "CHANNELD_AWAITING_SPLICE" | "CHANNELD_SHUTTING_DOWN", _) => {
                CloseKind::RemoteUnilateral
            }
            ("CLOSINGD_SIGEXCHANGE" | "CLOSINGD_COMPLETE", _) => CloseKind::Mutual,
            ("AWAITING_UNILATERAL", _) => CloseKind::LocalUnilateral,
            (_, so_far) => so_far,
        };
    }
    closed.then_some(kind)
}

/// The kind of a close, from all that is known. The chain knows better than the path: a peer's
/// commitment may win against ours.
pub fn kind(evidence: &Evidence) -> CloseKind {
    let is_ours =
        evidence.closing_txid.zip(evidence.last_commitment_txid).map(|(closing, ours)| closing == ours);
    match (evidence.trace, evidence.path, is_ours) {
        (Some(CloseTrace::Breach), _, _) => CloseKind::Breach,
        (Some(CloseTrace::Delayed), _, _) => CloseKind::LocalUnilateral,
        (_, Some(CloseKind::Mutual), _) => CloseKind::Mutual,
        (_, Some(CloseKind::LocalUnilateral), Some(false)) => CloseKind::RemoteUnilateral,
        (_, Some(known), _) if known != CloseKind::Unknown => known,
        (Some(CloseTrace::Home), _, Some(true)) => CloseKind::Mutual,
        (_, _, Some(false)) => CloseKind::RemoteUnilateral,
        _ => CloseKind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CloseKind::{Breach, LocalUnilateral, Mutual, RemoteUnilateral, Unknown};

    #[test]
    fn paths_tell_the_kind() {
        for (path, kind) in [
            ("", None),
            ("CHANNELD_AWAITING_LOCKIN CHANNELD_NORMAL", None),
            ("CHANNELD_NORMAL CHANNELD_AWAITING_SPLICE CHANNELD_NORMAL", None),
            ("CHANNELD_NORMAL CHANNELD_SHUTTING_DOWN CLOSINGD_SIGEXCHANGE", None),
            ("CHANNELD_NORMAL CHANNELD_SHUTTING_DOWN CLOSINGD_SIGEXCHANGE CLOSINGD_COMPLETE", Some(Mutual)),
            (
                "CHANNELD_NORMAL CHANNELD_SHUTTING_DOWN CLOSINGD_SIGEXCHANGE CLOSINGD_COMPLETE FUNDING_SPEND_SEEN ONCHAIN",
                Some(Mutual),
            ),
            (
                "CHANNELD_NORMAL CHANNELD_SHUTTING_DOWN AWAITING_UNILATERAL FUNDING_SPEND_SEEN ONCHAIN CLOSED",
                Some(LocalUnilateral),
            ),
            (
                "CHANNELD_NORMAL CHANNELD_SHUTTING_DOWN CLOSINGD_SIGEXCHANGE AWAITING_UNILATERAL ONCHAIN",
                Some(LocalUnilateral),
            ),
            ("CHANNELD_NORMAL FUNDING_SPEND_SEEN ONCHAIN", Some(RemoteUnilateral)),
            ("CHANNELD_NORMAL CHANNELD_SHUTTING_DOWN FUNDING_SPEND_SEEN", Some(RemoteUnilateral)),
            (
                "CHANNELD_NORMAL CHANNELD_AWAITING_SPLICE CHANNELD_NORMAL FUNDING_SPEND_SEEN",
                Some(RemoteUnilateral),
            ),
            ("ONCHAIN CLOSED", Some(Unknown)),
            ("CLOSED", Some(Unknown)),
        ] {
            assert_eq!(from_path(path.split_whitespace()), kind, "{path}");
        }
    }

    #[test]
    fn the_chain_knows_better_than_the_path() {
        let (ours, other) = (Some(Txid([1; 32])), Some(Txid([2; 32])));
        for (path, trace, closing_txid, last_commitment_txid, expected) in [
            (Some(Mutual), None, None, None, Mutual),
            (Some(Mutual), Some(CloseTrace::Home), other, ours, Mutual),
            (Some(LocalUnilateral), None, ours, ours, LocalUnilateral),
            (Some(LocalUnilateral), None, other, ours, RemoteUnilateral),
            (Some(RemoteUnilateral), Some(CloseTrace::Breach), other, ours, Breach),
            (Some(Unknown), Some(CloseTrace::Delayed), ours, ours, LocalUnilateral),
            (None, Some(CloseTrace::Home), ours, ours, Mutual),
            (None, Some(CloseTrace::Home), other, ours, RemoteUnilateral),
            (None, None, other, ours, RemoteUnilateral),
            (None, None, ours, ours, Unknown),
            (Some(Unknown), None, None, None, Unknown),
        ] {
            let evidence = Evidence { path, trace, closing_txid, last_commitment_txid };
            assert_eq!(kind(&evidence), expected, "{evidence:?}");
        }
    }
}
