//! What this process knows besides the books: jobs on their way to sling, those it handed over,
//! and how sling is.

use super::facts::Pairs;
use crate::cycles::Services;
use crate::guard::budget::Reserved;
use crate::model::Scid;
use crate::model::UnixTime;
use crate::model::job::JobId;
use crate::node::sling::{self, StoredJob};
use crate::node::{CallError, Companion};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How sling is, by the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SlingState {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    Absent,
    /// It is too old: its version.
    Unsupported(String),
    /// It works: its version.
    Usable(String),
    /// It did not answer: why.
    Silent(String),
}

impl SlingState {
    /// Why it cannot be used now, if so.
    pub fn problem(&self) -> Option<String> {
        match self {
            SlingState::Unknown => Some("sling has not been looked at yet; try again in a moment".to_owned()),
            SlingState::Absent => Some("sling is not there".to_owned()),
            SlingState::Unsupported(version) => Some(format!(
                "sling {version} is too old, and v{}.0 or later is needed: without sling-once a job has no total amount, \
                 so its worst case cannot be reserved",
                sling::OLDEST_MAJOR
            )),
            SlingState::Silent(why) => Some(format!("sling does not answer: {why}")),
            SlingState::Usable(_) => None,
        }
    }

    /// The word used in answers.
    pub const fn name(&self) -> &'static str {
        match self {
            SlingState::Unknown => "unknown",
            SlingState::Absent => "absent",
            SlingState::Unsupported(_) => "unsupported",
            SlingState::Usable(_) => "usable",
            SlingState::Silent(_) => "silent",
        }
    }

    /// The version, as far as known.
    pub fn version(&self) -> Option<&str> {
        match self {
            SlingState::Unsupported(version) | SlingState::Usable(version) => Some(version),
            SlingState::Unknown | SlingState::Absent | SlingState::Silent(_) => None,
        }
    }
}

/// See the module's text.
#[derive(Default)]
pub struct Desk {
    /// Reserved, not yet handed over, and until when that is worth it.
    pub(super) queue: tokio::sync::Mutex<Vec<(Reserved, UnixTime)>>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    handed_over: HashSet<JobId>,
    sling: SlingState,
    operators_jobs: Vec<StoredJob>,
    most_htlcs: u64,
    /// sling may pay more for running jobs than was reserved for them.
    loosened: bool,
    looked_at: Option<UnixTime>,
    /// When the sums per pair of channels were read, and they.
    pairs: Option<(UnixTime, Arc<Pairs>)>,
}

impl Desk {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How sling is, by the last look.
    pub fn sling(&self) -> SlingState {
        self.inner().sling.clone()
    }

    /// When sling was last looked at.
    pub fn looked_at(&self) -> Option<UnixTime> {
        self.inner().looked_at
    }

    /// Short channel ids that the operator's own sling jobs fill or drain, by the last look.
    pub fn operators_channels(&self) -> HashSet<Scid> {
        let inner = self.inner();
        let ends = |job: &StoredJob| std::iter::once(job.scid).chain(job.candidates.clone());
        inner.operators_jobs.iter().flat_map(ends).collect()
    }

    /// Whether the operator gave sling a job for this channel, by the last look.
    pub(super) fn is_operators(&self, channel: Scid) -> bool {
        self.inner().operators_jobs.iter().any(|job| job.scid == channel)
    }

    /// HTLCs with which sling still uses a channel, by the last look.
    pub(super) fn most_htlcs(&self) -> u64 {
        self.inner().most_htlcs
    }

    /// Whether sling's options have since let more payments settle than was reserved for.
    pub(super) fn is_loosened(&self) -> bool {
        self.inner().loosened
    }

    /// Every job that was reserved for before is being ended.
    pub(super) fn note_tightened(&self) {
        self.inner().loosened = false;
    }

    fn note_look(&self, operators_jobs: Vec<StoredJob>, most_htlcs: u64, at: UnixTime) {
        let mut inner = self.inner();
        inner.loosened |= inner.looked_at.is_some() && most_htlcs > inner.most_htlcs;
        (inner.operators_jobs, inner.most_htlcs, inner.looked_at) = (operators_jobs, most_htlcs, Some(at));
    }

    pub(super) fn hand_over(&self, job: JobId) {
        self.inner().handed_over.insert(job);
    }

    /// Whether this process handed the job to sling.
    pub(super) fn handed_over(&self, job: JobId) -> bool {
        self.inner().handed_over.contains(&job)
    }

    pub(super) fn forget(&self, job: JobId) {
        self.inner().handed_over.remove(&job);
    }

    /// The sums per pair of channels, if they were read at `since` or later.
    pub(super) fn pairs_since(&self, since: UnixTime) -> Option<Arc<Pairs>> {
        self.inner().pairs.as_ref().filter(|(at, _)| *at >= since).map(|(_, pairs)| pairs.clone())
    }

    pub(super) fn keep_pairs(&self, at: UnixTime, pairs: Arc<Pairs>) {
        self.inner().pairs = Some((at, pairs));
    }

    pub(super) fn note_sling(&self, state: SlingState) {
        self.inner().sling = state;
    }
}

impl Services {
    /// Looks whether sling is there, which version it is (once, and again after it was away), which
    /// jobs the operator gave it, and how many HTLCs it puts up with. Waits as long as sling takes.
    pub(super) async fn look_at_sling(&self) {
        if !self.has_companion(Companion::Sling) {
            let looked = self.health().companions.is_some();
            self.desk.note_sling(if looked { SlingState::Absent } else { SlingState::Unknown });
            return;
        }
        let state = match self.desk.sling() {
            state @ SlingState::Usable(_) => state,
            _ => sling_state(self.node.sling_version().await),
        };
        let usable = matches!(state, SlingState::Usable(_));
        self.desk.note_sling(state);
        if usable {
            match self.node.sling_stored_jobs().await {
                Err(error) => self.desk.note_sling(silence(error)),
                Ok(jobs) => match self.node.sling_most_htlcs().await {
                    Ok(most_htlcs) => self.desk.note_look(jobs, most_htlcs, self.now()),
                    Err(error) => self.desk.note_sling(SlingState::Silent(error.to_string())),
                },
            }
        }
    }
}

fn sling_state(version: Result<String, CallError>) -> SlingState {
    match version {
        Ok(version) if sling::major(&version).is_some_and(|major| major >= sling::OLDEST_MAJOR) => {
            SlingState::Usable(version)
        }
        Ok(version) => SlingState::Unsupported(version),
        Err(error) => silence(error),
    }
}

/// What a call without a useful answer says of sling.
pub(super) fn silence(error: CallError) -> SlingState {
    if error.is_unknown_method() { SlingState::Absent } else { SlingState::Silent(error.to_string()) }
}
