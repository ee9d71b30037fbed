//! Whether the clock can be trusted.

use super::Services;
use crate::model::{ClockJump, UnixTime};
use crate::store::{ahead, clock, flow};
use anyhow::Result;

impl Services {
    /// Notes what the clock shows now, and the jump that it made, and mends what a clock that was ahead left.
    pub(super) async fn look_at_clock(&self) -> Result<()> {
        let (jump, now) = (self.clock_jump(), self.now());
        self.store
            .write(move |tx| {
                flow::resume_hours(tx, now)?;
                let before = clock::last_jump(tx)?;
                clock::note(tx, now, jump)?;
                let noted = clock::last_jump(tx)?.filter(|jump| Some(*jump) != before);
                if noted.is_some_and(|jump| jump.by_s < 0) {
                    ahead::mend(tx, now)?;
                }
                Ok(())
            })
            .await?;
        if let Some(jump) = jump {
            tracing::warn!("the clock jumped by {} s while the plugin ran", jump.by_s);
            self.clock_watch.noted(jump);
        }
        Ok(())
    }

    /// A jump of the clock that is not noted yet.
    pub fn clock_jump(&self) -> Option<ClockJump> {
        self.clock_watch.look()
    }

    /// Now, if the clock can be trusted with what is old enough to forget: not for a day after a jump.
    pub(super) async fn trusted_now(&self) -> Result<Option<UnixTime>> {
        // A jump after this instant does not matter.
        let now = self.now();
        let is_fresh = |jump: ClockJump| jump.is_fresh(now);
        let is_in_doubt = self.clock_jump().is_some()
            || self.store.read(|conn| Ok(clock::last_jump(conn)?)).await?.is_some_and(is_fresh);
        Ok((!is_in_doubt).then_some(now))
    }
}
