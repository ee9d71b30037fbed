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

/// What a look at a sling that works found.
#[derive(Debug, PartialEq, Eq)]
pub struct Look {
    version: String,
    operators_jobs: Vec<StoredJob>,
    /// HTLCs with which sling still uses a channel.
    pub most_htlcs: u64,
    at: UnixTime,
}

impl Look {
    /// Short channel ids that the operator's own sling jobs fill or drain.
    pub(super) fn operators_channels(&self) -> HashSet<Scid> {
        let ends = |job: &StoredJob| std::iter::once(job.scid).chain(job.candidates.clone());
        self.operators_jobs.iter().flat_map(ends).collect()
    }
}

/// How sling is, by the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SlingState {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    Absent,
    /// It is too old: its version.
    Unsupported(String),
    /// It works, and all that a worst case depends on is known.
    Usable(Arc<Look>),
    /// It did not answer: why.
    Silent(String),
}

impl SlingState {
    /// What is known of it, or why it cannot be used now.
    pub fn usable(&self) -> Result<&Look, String> {
        Err(match self {
            SlingState::Usable(look) => return Ok(look),
            SlingState::Unknown => "sling has not been looked at yet; try again in a moment".to_owned(),
            SlingState::Absent => "sling is not there".to_owned(),
            SlingState::Unsupported(version) => format!(
                "sling {version} is too old, and v{}.0 or later is needed: without sling-once a job has no total amount, \
                 so its worst case cannot be reserved",
                sling::OLDEST_MAJOR
            ),
            SlingState::Silent(why) => format!("sling does not answer: {why}"),
        })
    }

    /// Why it cannot be used now, if so.
    pub fn problem(&self) -> Option<String> {
        self.usable().err()
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
            SlingState::Unsupported(version) => Some(version),
            SlingState::Usable(look) => Some(&look.version),
            SlingState::Unknown | SlingState::Absent | SlingState::Silent(_) => None,
        }
    }
}

/// What is known of sling.
#[derive(Clone, Debug)]
pub struct SlingSeen {
    /// How it is.
    pub state: SlingState,
    /// What was last known of one that worked.
    look: Option<Arc<Look>>,
}

impl SlingSeen {
    /// When one that worked was last looked at.
    pub fn looked_at(&self) -> Option<UnixTime> {
        self.look.as_ref().map(|look| look.at)
    }

    /// Short channel ids that the operator's own sling jobs fill or drain.
    pub fn operators_channels(&self) -> HashSet<Scid> {
        self.look.as_ref().map(|look| look.operators_channels()).unwrap_or_default()
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
    /// What was last known of a sling that worked.
    look: Option<Arc<Look>>,
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

    /// What was last known of a sling that worked.
    pub(super) fn last_look(&self) -> Option<Arc<Look>> {
        self.inner().look.clone()
    }

    /// What is known of sling, by the last look.
    pub fn seen(&self) -> SlingSeen {
        let inner = self.inner();
        SlingSeen { state: inner.sling.clone(), look: inner.look.clone() }
    }

    /// Whether the operator gave sling a job for this channel, by the last look.
    pub(super) fn is_operators(&self, channel: Scid) -> bool {
        self.last_look().is_some_and(|look| look.operators_jobs.iter().any(|job| job.scid == channel))
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

    pub(in crate::cycles) fn note_sling(&self, state: SlingState) {
        let mut inner = self.inner();
        if let SlingState::Usable(look) = &state {
            inner.look = Some(look.clone());
        }
        inner.sling = state;
    }
}

impl Services {
    /// Looks whether sling is there, which version it is (once, and again after it was away), which
    /// jobs the operator gave it, and how many HTLCs it puts up with. Waits as long as sling takes.
    pub(super) async fn look_at_sling(&self) {
        let state = if self.has_companion(Companion::Sling) {
            self.sling_state().await.unwrap_or_else(silence)
        } else if self.health().companions.is_some() {
            SlingState::Absent
        } else {
            SlingState::Unknown
        };
        self.desk.note_sling(state);
    }

    async fn sling_state(&self) -> Result<SlingState, CallError> {
        let version = match self.desk.sling() {
            SlingState::Usable(look) => look.version.clone(),
            _ => self.node.sling_version().await?,
        };
        if sling::major(&version).is_none_or(|major| major < sling::OLDEST_MAJOR) {
            return Ok(SlingState::Unsupported(version));
        }
        let operators_jobs = self.node.sling_stored_jobs().await?;
        let most_htlcs = match self.node.sling_most_htlcs().await {
            Ok(most_htlcs) => most_htlcs,
            // Not sling's own word: it is there.
            Err(error) => return Ok(SlingState::Silent(error.to_string())),
        };
        let look = Look { version, operators_jobs, most_htlcs, at: self.now() };
        Ok(SlingState::Usable(Arc::new(look)))
    }
}

/// What a call without a useful answer says of sling.
pub(super) fn silence(error: CallError) -> SlingState {
    if error.is_unknown_method() { SlingState::Absent } else { SlingState::Silent(error.to_string()) }
}
