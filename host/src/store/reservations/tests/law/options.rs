//! How many HTLCs sling puts up with: whoever changes that changes what a job can cost.

use super::*;

/// What comes between a reservation and sling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Handing {
    Taken,
    /// The plugin dies.
    Killed,
    /// The option is set to this.
    Changed(u64),
}

impl World {
    /// Somebody changes sling's option, and the plugin, as it looks, ends the jobs that were reserved for
    /// less. Nobody ends them while it is dead.
    pub(super) fn set_option(&mut self, htlcs: u64) {
        if !self.up {
            return;
        }
        self.htlcs = htlcs;
        for job in jobs::live(&self.conn).expect("books") {
            if job.start.is_outgrown(htlcs) && self.jobs.get(&job.id).is_some_and(|job| job.alive) {
                self.forget(job.id);
            }
        }
    }

    /// What comes in between; true if sling gets the job all the same.
    pub(super) fn is_taken(&mut self, start: &StartRebalance, handing: Handing) -> bool {
        match handing {
            Handing::Taken => true,
            Handing::Killed => false,
            Handing::Changed(htlcs) => {
                self.set_option(htlcs);
                !start.is_outgrown(htlcs)
            }
        }
    }

    pub(super) fn after(&mut self, id: JobId, handing: Handing) {
        self.up = handing != Handing::Killed;
        if self.up && !self.jobs[&id].alive {
            let at = self.moment();
            stop(&mut self.conn, id, at);
        }
    }
}
