//! The climber: reads the intervals, and moves the base price towards what
//! earns most per hour.
//!
//! A price is held until enough usable time has been observed. Then the
//! evidence is weighed and the price moves by a few steps of the grid at most.
//! Time in which the channel could not be used moves nothing: a drained
//! channel keeps its price however long it is silent.

use revenue_strategy::{FeeInterval, Rng};

use crate::demand::Posterior;
use crate::evidence::{Evidence, Fresh, behind, unread};
use crate::grid::{self, PRICES};
use crate::memory::{Cause, Memory};
use crate::settings::Settings;

/// Most steps in one move: a factor of 2.07.
const MOST_STEPS: usize = 4;

/// A move of this many steps says that the price is far off: the next hold is
/// shorter, by this divisor. So is the first, of which nothing is known.
const LONG_STEPS: usize = 3;
const SHORT_HOLD: u32 = 3;

/// Below this many forwards (weighted) there is no demand to weigh, and the
/// price sinks.
const SILENT_FORWARDS: f64 = 0.3;

/// Demand has changed when it explains what came better as divided or
/// multiplied by [`DRIFT_RATIO`] than as expected, by so many nats (less, more).
/// Bursts look like more demand, hence the higher bar.
const DRIFT_NATS: [f32; 2] = [5.0, 10.0];
const DRIFT_RATIO: f64 = 2.5;

/// What earlier observations still weigh when demand has changed.
const DOUBT: f64 = 0.1;

/// What the climber needs to know of a channel.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The instant of the cycle, seconds since 1970.
    pub now_s: u64,
    /// The channel's intervals, oldest first.
    pub intervals: &'a [FeeInterval],
    /// Whether a window may close in this cycle.
    pub may_choose: bool,
    /// What the host would accept, ppm.
    pub bounds_ppm: (u32, u32),
}

/// What the climber did.
#[derive(Debug)]
pub struct Climbed {
    /// The observations, with what was new.
    pub evidence: Box<Evidence>,
    /// A window closed, and the price was chosen anew.
    pub chose: bool,
}

/// Reads what is new, and moves the base price if its time is over. None if
/// there was nothing to do.
pub fn climb(
    memory: &mut Memory<'_>,
    scene: &Scene<'_>,
    settings: &Settings,
    rng: impl FnOnce() -> Rng,
) -> Option<Climbed> {
    let last = scene.intervals.last()?;
    let settling = scene.now_s < last.start_s.saturating_add(u64::from(settings.settle_s));
    let hold_s = memory.hold_s.min(settings.hold_s);
    let skip = settling || memory.congested || memory.easing;
    if last.start_s == memory.cursor.start_s {
        if skip {
            memory.cursor = behind(last);
            return None;
        }
        let pending = last.live_s.saturating_sub(memory.cursor.live_s);
        if !scene.may_choose || memory.held_s.saturating_add(pending) < hold_s {
            return None;
        }
    }
    let mut evidence = Box::new(load(memory, scene.now_s));
    evidence.age(scene.now_s, settings.memory_days);
    let closed = if skip { scene.intervals.len() - 1 } else { scene.intervals.len() };
    for fresh in unread(&scene.intervals[..closed], memory.cursor) {
        take(memory, &mut evidence, &fresh, settings);
    }
    memory.cursor = behind(last);
    let chose = scene.may_choose && !skip && memory.held_s >= hold_s;
    if chose {
        choose(memory, &evidence, scene, settings, rng());
    }
    Some(Climbed { evidence, chose })
}

fn load(memory: &Memory<'_>, now_s: u64) -> Evidence {
    Evidence::read(memory.evidence).unwrap_or_else(|| Evidence::new(now_s))
}

fn take(memory: &mut Memory<'_>, evidence: &mut Evidence, fresh: &Fresh, settings: &Settings) {
    memory.held_s = memory.held_s.saturating_add(fresh.live_s);
    if changed(memory, fresh) {
        evidence.doubt(DOUBT);
        memory.drift = [0.0; 2];
        memory.expected = 0.0;
    }
    evidence.add(fresh, settings.memory_days);
}

/// Whether demand is no longer what the price was chosen for: two cumulative
/// sums of log-likelihood ratios, halved because forwards come in bursts.
fn changed(memory: &mut Memory<'_>, fresh: &Fresh) -> bool {
    let elsewhere = grid::nearest(fresh.fee_ppm) != grid::nearest(memory.base_ppm);
    if memory.expected <= 0.0 || elsewhere {
        return false;
    }
    let expected = f64::from(memory.expected) * f64::from(fresh.live_s) / 3600.0;
    for (nats, ratio) in memory.drift.iter_mut().zip([1.0 / DRIFT_RATIO, DRIFT_RATIO]) {
        let gain = f64::from(fresh.settled) * f64::ln(ratio) - expected * (ratio - 1.0);
        *nats = (f64::from(*nats) + 0.5 * gain).clamp(0.0, 100.0) as f32;
    }
    memory.drift.iter().zip(DRIFT_NATS).any(|(nats, limit)| *nats > limit)
}

/// Picks the next base price and begins a new hold.
fn choose(
    memory: &mut Memory<'_>,
    evidence: &Evidence,
    scene: &Scene<'_>,
    settings: &Settings,
    mut rng: Rng,
) {
    let posterior = Posterior::of(evidence, grid::position(settings.prior_ppm));
    let here = grid::nearest(memory.base_ppm);
    let (low, high) = reach(here, scene.bounds_ppm);
    let mut best = posterior.best(here, low, high);
    let silent = evidence.forwards.iter().sum::<f64>() < SILENT_FORWARDS;
    if silent {
        best = best.min(here.saturating_sub(1)).clamp(low, high);
    }
    let explores = !silent && rng.chance(settings.explore);
    let wanted = if explores { posterior.draw(&mut rng).clamp(low, high) } else { best };
    memory.cause = if explores && wanted != best { Cause::Explore } else { Cause::Climb };
    if wanted != here {
        memory.base_ppm = grid::price(wanted).max(1);
    }
    let far = wanted.abs_diff(here) >= LONG_STEPS;
    memory.hold_s = if far { first_hold_s(settings) } else { settings.hold_s };
    memory.held_s = 0;
    memory.expected = posterior.rate(wanted) as f32;
}

/// Usable time for which a price of which little is known is held, seconds.
pub fn first_hold_s(settings: &Settings) -> u32 {
    settings.hold_s / SHORT_HOLD
}

/// The prices within reach: few steps away, and inside what the host accepts.
fn reach(here: usize, (minimum, maximum): (u32, u32)) -> (usize, usize) {
    let low = grid::nearest(minimum);
    let low = if grid::price(low) < minimum { (low + 1).min(PRICES - 1) } else { low };
    let high = grid::nearest(maximum);
    let high = if grid::price(high) > maximum { high.saturating_sub(1) } else { high };
    let high = high.max(low);
    let here = here.clamp(low, high);
    (here.saturating_sub(MOST_STEPS).max(low), (here + MOST_STEPS).min(high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use revenue_strategy::testing::{InputBuilder, NOW_S, interval};

    const HOUR_S: u64 = 3600;

    fn settings() -> Settings {
        Settings { explore: 0.0, ..Settings::of(&InputBuilder::new().build()) }
    }

    fn step(memory: &mut Memory<'_>, intervals: &[FeeInterval], now_s: u64) -> Option<Box<Evidence>> {
        let scene = Scene { now_s, intervals, may_choose: true, bounds_ppm: (10, 5000) };
        climb(memory, &scene, &settings(), || Rng::new(1, 1)).map(|climbed| climbed.evidence)
    }

    #[test]
    fn reach_stays_inside_the_bounds() {
        for (bounds, here) in [((10, 5000), 47), ((200, 210), 3), ((0, 0), 9), ((500, 100), 20)] {
            let (low, high) = reach(here, bounds);
            assert!(low <= high, "{bounds:?}");
            assert!(bounds.0 > bounds.1 || grid::price(low) >= bounds.0);
        }
        assert!(grid::price(reach(47, (10, 5000)).1) <= 5000);
        assert_eq!(reach(30, (1, 90_000)), (26, 34));
    }

    #[test]
    fn nothing_is_read_while_old_rate_traffic_still_comes() {
        let mut memory = Memory::new(200, 8 * 3600);
        let mut running = interval(NOW_S, NOW_S + 2 * HOUR_S, 200);
        running.settled = 50;
        memory.cursor.start_s = NOW_S;
        assert!(step(&mut memory, &[running], NOW_S + 2 * HOUR_S).is_none());
        assert_eq!(memory.cursor, behind(&running));
        assert_eq!(memory.held_s, 0);
    }

    #[test]
    fn a_stretch_is_read_once() {
        let mut memory = Memory::new(200, 24 * 3600);
        let mut old = interval(NOW_S, NOW_S + 8 * HOUR_S, 200);
        old.settled = 10;
        let mut new = interval(NOW_S + 8 * HOUR_S, NOW_S + 18 * HOUR_S, 300);
        new.settled = 4;
        let now_s = NOW_S + 18 * HOUR_S;
        let evidence = step(&mut memory, &[old, new], now_s);
        let evidence = evidence.expect("something is new");
        assert!((evidence.forwards.iter().sum::<f64>() - 14.0).abs() < 0.5);
        assert_eq!(memory.held_s, 18 * 3600);
        assert!(step(&mut memory, &[old, new], now_s).is_none());
    }

    #[test]
    fn a_window_closes_after_its_usable_time_only() {
        let mut memory = Memory::new(1000, 8 * 3600);
        let mut running = interval(NOW_S, NOW_S + 400 * HOUR_S, 1000);
        memory.cursor.start_s = NOW_S;
        running.live_s = 7 * 3600;
        assert!(step(&mut memory, &[running], running.end_s).is_none());
        assert_eq!(memory.base_ppm, 1000);
        running.live_s = 8 * 3600;
        assert!(step(&mut memory, &[running], running.end_s).is_some());
        assert!(memory.base_ppm < 1000, "nothing sold in all of it");
        assert_eq!(memory.held_s, 0);
    }

    #[test]
    fn silence_after_sales_makes_old_sales_count_less() {
        let mut memory = Memory::new(200, 86_400);
        memory.expected = 1.0;
        let mut evidence = Evidence::new(NOW_S);
        evidence.forwards[grid::nearest(200)] = 100.0;
        let silent = Fresh { fee_ppm: 200, live_s: 24 * 3600, settled: 0, end_s: NOW_S };
        take(&mut memory, &mut evidence, &silent, &settings());
        assert!(evidence.forwards.iter().sum::<f64>() < 11.0);
        assert_eq!(memory.expected.to_bits(), 0.0f32.to_bits());
    }

    #[test]
    fn what_was_expected_raises_no_doubt() {
        let mut memory = Memory::new(200, 86_400);
        memory.expected = 1.0;
        let as_expected = Fresh { fee_ppm: 200, live_s: 24 * 3600, settled: 24, end_s: NOW_S };
        assert!((0..100).all(|_| !changed(&mut memory, &as_expected)));
        let elsewhere = Fresh { fee_ppm: 600, settled: 0, ..as_expected };
        assert!((0..100).all(|_| !changed(&mut memory, &elsewhere)));
    }
}
