//! Whether the clock can be trusted.

use super::Services;
use crate::model::{ClockJump, Moment, SteadyTime, UnixTime};
use crate::store::{ahead, clock, flow};
use anyhow::{Context, Result};

impl Services {
    /// Notes what the clock shows now, and the jump that it made, and mends what a clock that was ahead left.
    pub(super) async fn look_at_clock(&self) -> Result<()> {
        let _turn = self.clock_turn.lock().await;
        let (jump, at) = (self.clock_jump(), self.instant());
        self.store
            .write(move |tx| {
                flow::resume_hours(tx, at.now)?;
                Ok(ahead::note(tx, at, jump)?)
            })
            .await?;
        if let Some(jump) = jump {
            tracing::warn!("the clock jumped by {} s while the plugin ran", jump.by_s);
            self.clock_watch.noted(jump);
        }
        Ok(())
    }

    /// The time that truly passed, on the scale of these books.
    pub fn steady_now(&self) -> SteadyTime {
        self.steady_start.plus(self.clock.passed_s())
    }

    /// Now, by both.
    pub(super) fn instant(&self) -> Moment {
        Moment { now: self.now(), steady: self.steady_now() }
    }

    /// Now, for questions of money: a jump that led to what the clock shows is noted before.
    pub async fn moment(&self) -> Result<Moment> {
        let at = self.instant();
        if self.clock_jump().is_some() {
            self.look_at_clock().await.context("noting a jump of the clock")?;
        }
        Ok(at)
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
