//! Between wanting and proposing: the host's limits and its last word.

use revenue_strategy::{Decision, Row, Verdict, terms};

use crate::Cycle;
use crate::evidence::Evidence;
use crate::memory::Memory;
use crate::price::{self, Wanted};
use crate::settings::{factor, reason};

/// Time until a rate that the host did not take is proposed again, seconds.
const RETRY_S: u64 = 4 * 3600;

/// Smallest step down while the reflex sinks, as a share of the rate in force:
/// the floor halves in steps that are worth a message.
const SINKING_GATE: f64 = 0.2;

const DAY_S: u64 = 86_400;

/// Takes a rate that somebody else set as the new price. What the host made of
/// a proposal that it limited is not somebody else's, unless the rate changed
/// again since.
pub fn adopt(memory: &mut Memory<'_>, row: &Row<'_>) {
    let limited = row.last_verdict == Verdict::Limited && row.last_change_s <= memory.asked_s;
    let foreign = row.fee_ppm != memory.seen_ppm && row.fee_ppm != memory.asked_ppm && !limited;
    if !foreign || memory.congested || memory.easing {
        return;
    }
    let base = f64::from(row.fee_ppm) / price::scarcity(memory);
    memory.base_ppm = (base.round() as u32).max(1);
    memory.held_s = 0;
    memory.expected = 0.0;
}

impl Cycle<'_> {
    /// Whether the host should hear of a wanted rate. `moved` says that the
    /// rate in force is another than at the last cycle.
    pub(crate) fn worth_proposing(
        &self,
        memory: &Memory<'_>,
        row: &Row<'_>,
        wanted: &Wanted,
        moved: bool,
    ) -> bool {
        let fee = u64::from(row.fee_ppm);
        let outside = row.clamp_ppm(fee) != fee;
        if fee == wanted.ppm || (row.updates_left == 0 && !outside) {
            return false;
        }
        let spike = wanted.reason == reason::VEGAS && wanted.ppm > fee;
        let pressing = memory.congested || memory.easing || outside;
        if !pressing && !spike && self.last_update_of_the_day(row) {
            return false;
        }
        if !memory.congested && !moved && self.declined(memory, row, wanted) {
            return false;
        }
        let sinking = self.vegas.reflex > 0.0 && wanted.ppm < fee;
        let gate = self.settings.gate;
        let gate = if sinking { gate.max(SINKING_GATE) } else { gate };
        pressing || terms::passes_gate(row.fee_ppm, wanted.ppm, gate)
    }

    /// The last update of a day that had others is kept for what is pressing.
    fn last_update_of_the_day(&self, row: &Row<'_>) -> bool {
        row.updates_left == 1 && self.input.now_s < row.last_change_s.saturating_add(DAY_S)
    }

    /// Whether the host did not take this very rate a short while ago.
    fn declined(&self, memory: &Memory<'_>, row: &Row<'_>, wanted: &Wanted) -> bool {
        let declined = match row.last_verdict {
            Verdict::Limited | Verdict::Unchanged | Verdict::Suppressed | Verdict::Refused => true,
            Verdict::None | Verdict::Published | Verdict::RateLimited | Verdict::DryRun => false,
        };
        declined
            && u64::from(memory.asked_ppm) == wanted.ppm
            && (memory.asked_s..memory.asked_s.saturating_add(RETRY_S)).contains(&self.input.now_s)
    }

    /// Proposes a rate with the numbers behind it.
    pub(crate) fn propose(
        &self,
        memory: &Memory<'_>,
        row: &Row<'_>,
        wanted: &Wanted,
        evidence: Option<&Evidence>,
        decision: &mut Decision<'_>,
    ) {
        let priced = f64::from(memory.priced_ppm.max(1));
        let congestion = if memory.congested { wanted.ppm as f64 / priced } else { 1.0 };
        let mut proposing = decision
            .set(row, wanted.ppm, wanted.reason)
            .factor(factor::BASE, f64::from(memory.base_ppm))
            .factor(factor::SCARCITY, price::scarcity(memory))
            .factor(factor::CONGESTION, congestion);
        if wanted.vegas_floor_ppm > 0 {
            proposing = proposing
                .factor(factor::VEGAS, self.vegas.multiplier())
                .factor(factor::VEGAS_FLOOR, wanted.vegas_floor_ppm as f64);
        }
        if wanted.cost_floor_ppm > 0 {
            proposing = proposing.factor(factor::REBALANCE_COST, wanted.cost_floor_ppm as f64);
        }
        if wanted.ppm == u64::from(row.min_fee_ppm) {
            proposing = proposing.factor(factor::FLOOR, wanted.ppm as f64);
        }
        if wanted.ppm == u64::from(row.max_fee_ppm) {
            proposing = proposing.factor(factor::CEILING, wanted.ppm as f64);
        }
        if self.settings.explain {
            let left_s = memory.hold_s.min(self.settings.hold_s).saturating_sub(memory.held_s);
            proposing = proposing.factor(factor::HOLD_HOURS_LEFT, f64::from(left_s) / 3600.0);
            let amnesty = price::amnesty_left(row, &self.settings);
            if amnesty > 0 {
                proposing = proposing.factor(factor::AMNESTY_FORWARDS_LEFT, f64::from(amnesty));
            }
        }
        let known = match evidence {
            None if self.settings.explain => Evidence::read(memory.evidence),
            _ => None,
        };
        if let Some(evidence) = evidence.or(known.as_ref()) {
            proposing
                .factor(factor::EVIDENCE_HOURS, evidence.hours.iter().sum())
                .factor(factor::EVIDENCE_FORWARDS, evidence.forwards.iter().sum());
        }
    }
}
