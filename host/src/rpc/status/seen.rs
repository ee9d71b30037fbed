//! What the process holds in memory, at one moment.

use crate::config::Config;
use crate::cycles::rebalance::SlingSeen;
use crate::cycles::schedule::{JobName, JobStatus};
use crate::cycles::{Health, Services};
use crate::engine::PlaceStatus;
use crate::model::UnixTime;
use crate::node::{BreakerState, Group};
use std::sync::Arc;

/// Each thing is looked at once, so that no two fields of an answer contradict each other, and before
/// the store is read: what a job did that is shown as ended is in the books beside it.
pub(super) struct Seen {
    pub(super) now: UnixTime,
    pub(super) config: Arc<Config>,
    pub(super) health: Health,
    pub(super) jobs: Vec<(JobName, JobStatus)>,
    pub(super) breakers: Vec<(Group, BreakerState)>,
    pub(super) sling: SlingSeen,
    pub(super) place: PlaceStatus,
}

impl Seen {
    pub(super) fn now(services: &Services) -> Seen {
        Seen {
            now: services.now(),
            config: services.config(),
            health: services.health(),
            jobs: JobName::ALL.into_iter().map(|job| (job, services.jobs.status(job))).collect(),
            breakers: services.node.breakers(),
            sling: services.desk.seen(),
            place: services.engine.place(),
        }
    }
}
