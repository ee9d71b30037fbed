//! Whether a canary of an evaluator goes on: it chooses what to fill of some channels, while another
//! chooses for the rest.
//!
//! What a rebalance earns shows too late to wait for. So its proposals are judged, as those of strategies
//! that set fees, and what its jobs cost. What filling its channels was to be expected to cost is what the
//! others' jobs cost since it began, times how much dearer, or cheaper, filling its channels was before.

use super::Refusals;
use crate::econ::student;
use crate::model::module::CanaryBounds;

/// Jobs that moved something, on either side, before and since, without which cost is not judged.
pub const MIN_JOBS: usize = 7;

/// The most that chance may explain of a rise in cost.
const MOST_CHANCE: f64 = 0.05;

/// The channels of one evaluator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// Of its proposals since the canary began.
    pub refusals: Refusals,
    /// What each job that moved something cost, ppm of what it moved.
    pub before: Vec<f64>,
    pub since: Vec<f64>,
}

/// All that is known of a canary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    pub canary: Group,
    /// The other channels of the same evaluator.
    pub rest: Group,
    /// Of the canary's module, since it began.
    pub faults: u32,
}

/// The numbers behind a verdict. Costs are means over jobs, ppm of what they moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    pub jobs: usize,
    pub rest_jobs: usize,
    pub cost_ppm: Option<f64>,
    pub rest_cost_ppm: Option<f64>,
    /// What filling its channels was to be expected to cost; none where there are too few jobs to tell.
    pub expected_ppm: Option<f64>,
    pub cost_rise_pct: Option<f64>,
    /// How often jobs dealt out anew to both sides differ as markedly.
    pub chance: Option<f64>,
    pub refusals_pct: Option<f64>,
    pub rest_refusals_pct: Option<f64>,
    /// Of the canary less of the others, in percent of proposals.
    pub excess_refusals_pct: Option<f64>,
    pub faults: u32,
}

/// A word on a canary, and the numbers behind it.
pub type Verdict = super::Verdict<Statistics>;

/// Judges a canary.
pub fn judge(evidence: &Evidence, bounds: &CanaryBounds) -> Verdict {
    let Evidence { canary, rest, faults } = evidence;
    let expected = expected(canary, rest);
    let rise = expected.as_deref().and_then(|expected| Rise::of(&canary.since, expected));
    let statistics = Statistics {
        jobs: canary.since.len(),
        rest_jobs: rest.since.len(),
        cost_ppm: student::mean(&canary.since),
        rest_cost_ppm: student::mean(&rest.since),
        expected_ppm: expected.as_deref().and_then(student::mean),
        cost_rise_pct: rise.map(|rise| rise.pct),
        chance: rise.map(|rise| rise.chance),
        refusals_pct: canary.refusals.pct(),
        rest_refusals_pct: rest.refusals.pct(),
        excess_refusals_pct: canary.refusals.excess_pct(&rest.refusals),
        faults: *faults,
    };
    let why = super::faulty(*faults)
        .or_else(|| canary.refusals.too_many(&rest.refusals, bounds))
        .or_else(|| dearer(&statistics, rise, bounds));
    let waits_for = expected.is_none().then(|| missing(canary, rest));
    Verdict::new(why, waits_for, statistics)
}

/// What the others' jobs would have cost on the canary's channels.
fn expected(canary: &Group, rest: &Group) -> Option<Vec<f64>> {
    let are_enough = |jobs: &[f64]| jobs.len() >= MIN_JOBS;
    let all = [&canary.before, &canary.since, &rest.before, &rest.since];
    if !all.into_iter().all(|jobs| are_enough(jobs)) {
        return None;
    }
    let (own, others) = (student::mean(&canary.before)?, student::mean(&rest.before)?);
    let level = if others > 0.0 { own / others } else { 1.0 };
    Some(rest.since.iter().map(|cost| cost * level).collect())
}

/// By how much one side's mean is above the other's.
#[derive(Clone, Copy, Debug)]
struct Rise {
    pct: f64,
    /// Whether the interval of the difference lies above zero.
    is_certain: bool,
    chance: f64,
}

impl Rise {
    /// None where nothing was to be paid.
    fn of(costs: &[f64], expected: &[f64]) -> Option<Rise> {
        let mean = student::mean(expected).filter(|mean| *mean > 0.0)?;
        let apart = student::difference(costs, expected)?;
        Some(Rise {
            pct: 100.0 * apart.mean / mean,
            is_certain: apart.low > 0.0,
            chance: student::chance_of_difference(costs, expected),
        })
    }
}

fn dearer(statistics: &Statistics, rise: Option<Rise>, bounds: &CanaryBounds) -> Option<String> {
    let rise = rise.filter(|rise| rise.is_certain && rise.chance < MOST_CHANCE)?;
    (rise.pct > bounds.max_cost_rise_pct).then(|| {
        format!(
            "its {} jobs cost {:.0} ppm where {:.0} were to be expected: {:.1} % more, where {} % are allowed and \
             chance explains as much in {:.1} of 100 cases",
            statistics.jobs,
            statistics.cost_ppm.unwrap_or(0.0),
            statistics.expected_ppm.unwrap_or(0.0),
            rise.pct,
            bounds.max_cost_rise_pct,
            100.0 * rise.chance
        )
    })
}

/// What cost cannot be judged without.
fn missing(canary: &Group, rest: &Group) -> String {
    format!(
        "{MIN_JOBS} jobs that moved something, towards its channels and the others, before it began and since; there \
         were {} and {}, and are {} and {}",
        canary.before.len(),
        rest.before.len(),
        canary.since.len(),
        rest.since.len()
    )
}

#[cfg(test)]
mod tests {
    use super::super::Word;
    use super::*;

    const BOUNDS: CanaryBounds = CanaryBounds {
        max_revenue_fall_pct: 30.0,
        max_refusals_pct: 20.0,
        max_cost_rise_pct: 50.0,
        min_hours: 24,
        min_forwards: 20,
    };

    /// `count` jobs around a mean.
    fn jobs(count: usize, ppm: f64) -> Vec<f64> {
        (0..count).map(|n| ppm * (0.9 + 0.2 * (n % 3) as f64 / 2.0)).collect()
    }

    fn group(before: Vec<f64>, since: Vec<f64>) -> Group {
        Group { refusals: Refusals::default(), before, since }
    }

    fn judged(canary: Group, rest: Group) -> Verdict {
        judge(&Evidence { canary, rest, faults: 0 }, &BOUNDS)
    }

    fn returns(verdict: &Verdict) -> bool {
        matches!(verdict.word, Word::Return { .. })
    }

    #[test]
    fn cost_is_judged_against_the_others_and_what_the_channels_cost_before() {
        for (canary, rest, rise, back) in [
            // As dear as the others, as before.
            (group(jobs(9, 200.0), jobs(9, 200.0)), group(jobs(30, 200.0), jobs(30, 200.0)), 0.0, false),
            // Twice as dear as was to be expected.
            (group(jobs(9, 200.0), jobs(9, 400.0)), group(jobs(30, 200.0), jobs(30, 200.0)), 100.0, true),
            // Twice as dear as the others, but so it was before.
            (group(jobs(9, 400.0), jobs(9, 400.0)), group(jobs(30, 200.0), jobs(30, 200.0)), 0.0, false),
            // All routes are twice as dear by now.
            (group(jobs(9, 200.0), jobs(9, 400.0)), group(jobs(30, 200.0), jobs(30, 400.0)), 0.0, false),
            // Cheaper.
            (group(jobs(9, 200.0), jobs(9, 100.0)), group(jobs(30, 200.0), jobs(30, 200.0)), -50.0, false),
            // Dearer by less than the bound.
            (group(jobs(9, 200.0), jobs(9, 290.0)), group(jobs(30, 200.0), jobs(30, 200.0)), 45.0, false),
        ] {
            let verdict = judged(canary, rest);
            let found = verdict.statistics.cost_rise_pct.expect("enough jobs");
            assert!((found - rise).abs() < 1.0, "{found} for {rise}");
            assert_eq!(returns(&verdict), back, "{verdict:?}");
        }
    }

    #[test]
    fn a_rise_that_chance_explains_says_nothing() {
        // One job in nine is very dear: 2.1 times as much in the mean.
        let mut wild = jobs(8, 200.0);
        wild.push(2_200.0);
        let verdict = judged(group(jobs(9, 200.0), wild), group(jobs(9, 200.0), jobs(9, 200.0)));
        assert!(verdict.statistics.cost_rise_pct > Some(100.0), "{verdict:?}");
        assert!(!returns(&verdict), "{verdict:?}");
    }

    #[test]
    fn too_few_jobs_are_not_judged_and_free_ones_neither() {
        let few = judged(group(jobs(6, 200.0), jobs(9, 900.0)), group(jobs(9, 200.0), jobs(9, 200.0)));
        let Word::GoOn { waits_for: Some(what) } = few.word else { panic!("{few:?}") };
        assert!(
            what.starts_with("7 jobs") && what.ends_with("there were 6 and 9, and are 9 and 9"),
            "{what}"
        );
        let free = judged(group(jobs(9, 0.0), jobs(9, 100.0)), group(jobs(9, 0.0), jobs(9, 0.0)));
        assert_eq!((free.statistics.cost_rise_pct, free.word), (None, Word::GoOn { waits_for: None }));
    }

    #[test]
    fn faults_and_refusals_end_it_whatever_it_costs() {
        let refusals = |proposals, refused| Refusals { proposals, refused };
        for (own, others, faults, part) in [
            (refusals(10, 3), refusals(40, 4), 0, ""),
            (refusals(9, 9), refusals(40, 4), 0, ""),
            (refusals(10, 4), refusals(40, 4), 0, "refused 4 of its 10 proposals"),
            (refusals(10, 4), refusals(40, 20), 0, ""),
            (refusals(10, 4), refusals(0, 0), 0, "refused 4 of its 10 proposals"),
            (refusals(0, 0), refusals(0, 0), 2, "failed 2 times"),
        ] {
            let group = |refusals| Group { refusals, ..Group::default() };
            let evidence = Evidence { canary: group(own), rest: group(others), faults };
            let verdict = judge(&evidence, &BOUNDS);
            match (&verdict.word, part) {
                (Word::GoOn { .. }, "") => {}
                (Word::Return { why }, part) if !part.is_empty() && why.contains(part) => {}
                other => panic!("{own:?} {others:?}: {other:?}"),
            }
        }
    }
}
