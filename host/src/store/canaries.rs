//! What is known of a canary: its channels' revenue and refusals, and those of the channels beside it.

mod evaluators;

pub use evaluators::evaluations;

use super::flow::{self, FlowSums};
use super::sql::Unsigned;
use super::{tenures, trials};
use crate::econ::canary::{Evidence, Group, Refusals, Stretch};
use crate::model::fee::Refusal;
use crate::model::module::{Canary, InstalledModule};
use crate::model::{ChannelId, UnixTime};
use anyhow::Result;
use rusqlite::{Connection, params};
use std::collections::{HashMap, HashSet};

/// The shortest stretch before a canary began that it is compared with.
const LEAST_BEFORE_S: u64 = 7 * UnixTime::DAY;

/// By channel.
type Sums = HashMap<ChannelId, FlowSums>;

/// What a canary that sets fees, and the other channels of the strategy that it stands for, did.
pub fn evidence(
    conn: &Connection,
    module: &InstalledModule,
    canary: &Canary,
    now: UnixTime,
) -> Result<Evidence> {
    let ran = now.since(canary.since);
    let begin = canary.since.minus(ran.max(LEAST_BEFORE_S));
    let (all, since) = (flow::sums(conn, begin)?, flow::sums(conn, canary.since)?);
    let own: HashSet<ChannelId> = canary.channels.iter().copied().collect();
    let rest: HashSet<ChannelId> = tenures::all(conn)?
        .into_iter()
        .filter(|tenure| tenure.to.is_none() && tenure.held.strategy == module.stands_for)
        .map(|tenure| tenure.held.channel_id)
        .filter(|channel| !own.contains(channel))
        .collect();
    let lengths = (canary.since.since(begin), ran);
    let words = words(conn, canary.since, module)?;
    let group = |channels: &HashSet<ChannelId>, refusals: Refusals| Group {
        channels: u32::try_from(channels.len()).unwrap_or(u32::MAX),
        before: stretch(channels, lengths.0, &all, Some(&since)),
        since: stretch(channels, lengths.1, &since, None),
        refusals,
    };
    Ok(Evidence {
        canary: group(&own, words.0),
        rest: group(&rest, words.1),
        faults: faults(conn, module, canary)?,
    })
}

/// How often the module failed since it became a canary.
fn faults(conn: &Connection, module: &InstalledModule, canary: &Canary) -> Result<u32> {
    let faults = trials::sums(conn, module, canary.since)?.faults;
    Ok(u32::try_from(faults).unwrap_or(u32::MAX))
}

/// What channels did in a stretch: their sums since it began, less those since it ended.
fn stretch(channels: &HashSet<ChannelId>, seconds: u64, begun: &Sums, ended: Option<&Sums>) -> Stretch {
    let of = |sums: &Sums, channel: &ChannelId| sums.get(channel).copied().unwrap_or_default();
    channels.iter().fold(Stretch { seconds, ..Stretch::default() }, |sum, channel| {
        let from = of(begun, channel);
        let less = ended.map(|ended| of(ended, channel)).unwrap_or_default();
        Stretch {
            seconds,
            earned: sum.earned + from.earned.saturating_sub(less.earned),
            forwards: sum.forwards + u64::from(from.out_count.saturating_sub(less.out_count)),
        }
    })
}

/// Proposals since an instant, and how many of them were refused as out of place: those of a module,
/// and those of the others that decide for the same strategy.
fn words(conn: &Connection, since: UnixTime, module: &InstalledModule) -> Result<(Refusals, Refusals)> {
    let mut select = conn.prepare_cached(&format!(
        "SELECT coalesce(d.digest = ?2, 0) AS own, count(d.proposed_ppm) AS proposals,
             coalesce(sum(d.verdict IN ('{}')), 0) AS refusals
         FROM fee_cycles c JOIN fee_decisions d ON d.cycle_id = c.id
         WHERE c.at_s >= ?1 AND d.strategy = ?3 AND c.trigger <> 'operator' GROUP BY own",
        Refusal::OUT_OF_PLACE.join("', '")
    ))?;
    let rows = select.query_map(params![since, module.digest, module.stands_for.as_str()], |row| {
        let count = |column: &str| row.get::<_, Unsigned>(column).map(|count| count.0);
        let refusals = Refusals { proposals: count("proposals")?, refused: count("refusals")? };
        Ok((row.get::<_, bool>("own")?, refusals))
    })?;
    let (mut own, mut others) = (Refusals::default(), Refusals::default());
    for row in rows {
        let (is_own, refusals) = row?;
        *if is_own { &mut own } else { &mut others } = refusals;
    }
    Ok((own, others))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Msat, Ppm};
    use crate::store::testing::memory;

    #[test]
    fn what_is_refused_as_out_of_place_is_what_the_host_calls_the_strategys() {
        let (module, canary) = evaluators::tests::canary();
        let refusals = [
            Refusal::NodeSyncing(String::new()),
            Refusal::ChannelNotOpen(String::new()),
            Refusal::Unchanged,
            Refusal::Suppressed { change_pct: 1.0, gate_pct: 2.0 },
            Refusal::RateLimited { updates: 1, most: 1 },
            Refusal::PolicyPassive,
            Refusal::OutOfBounds { min: Ppm(1), max: Ppm(2) },
            Refusal::Absurd { most: Ppm(1) },
        ];
        for refusal in &refusals {
            for digest in [Some(module.digest), None] {
                let conn = memory();
                conn.execute(
                    "INSERT INTO fee_cycles VALUES (1, ?1, 1, 'timer', NULL, 1, 1, 0, 1, 0, 1, NULL)",
                    [canary.since],
                )
                .expect("a cycle");
                conn.execute(
                    "INSERT INTO fee_decisions (cycle_id, channel_id, peer_id, strategy, digest, old_ppm, proposed_ppm,
                         reason, factors, limits, verdict)
                     VALUES (1, ?1, zeroblob(33), ?2, ?3, 1, 1, '', '[]', '[]', ?4)",
                    params![ChannelId([1; 32]), module.stands_for.as_str(), digest, refusal.code()],
                )
                .expect("a decision");
                let found = words(&conn, canary.since, &module).expect("words");
                let one = Refusals { proposals: 1, refused: u64::from(refusal.is_the_strategys()) };
                let expected =
                    if digest.is_some() { (one, Refusals::default()) } else { (Refusals::default(), one) };
                assert_eq!(found, expected, "{refusal:?}");
            }
        }
    }

    #[test]
    fn a_stretch_before_is_what_came_since_its_beginning_less_what_came_after() {
        let sums = |earned, out_count| FlowSums { earned: Msat(earned), out_count, ..FlowSums::default() };
        let (one, two) = (ChannelId([1; 32]), ChannelId([2; 32]));
        let all = HashMap::from([(one, sums(900, 9)), (two, sums(50, 5))]);
        let since = HashMap::from([(one, sums(300, 2))]);
        let channels = HashSet::from([one, two, ChannelId([3; 32])]);
        let before = stretch(&channels, 60, &all, Some(&since));
        assert_eq!((before.seconds, before.earned, before.forwards), (60, Msat(650), 12));
        let after = stretch(&channels, 30, &since, None);
        assert_eq!((after.seconds, after.earned, after.forwards), (30, Msat(300), 2));
    }
}
