use super::*;
use crate::model::ledger::CostKind;
use crate::model::{ChannelId, Digest, Msat, Policy, UnixTime};
use crate::store::adopt::found::FoundCost;
use crate::store::forwards::Delta;
use crate::store::testing::{channel, channel_id, memory, peer, scid};
use crate::store::{flow, names, policies};
use rusqlite::{Connection, params};
use std::collections::{BTreeSet, HashMap};

const NOW: UnixTime = UnixTime(1_000 * UnixTime::DAY);

fn cost(n: u32, kind: CostKind, sats: u64) -> FoundCost {
    FoundCost { scid: scid(n), kind, txid: None, amount: Msat::from_sats(sats), at: UnixTime(5) }
}

fn adoption(costs: Vec<FoundCost>) -> Adoption {
    let listed = |n: u8| (scid(u32::from(n)), channel_id(n));
    Adoption {
        path: "/python.db".to_owned(),
        digest: Digest([1; 32]),
        now: NOW,
        channels: 3,
        channels_ours: 2,
        horizons: Horizons::default(),
        names: HashMap::from([listed(1), listed(2)]),
        renamed: BTreeSet::from([scid(8)]),
        policies: Vec::new(),
        overrides: Vec::new(),
        found: Found { costs, ..Found::default() },
    }
}

/// Books with two channels.
fn books() -> Connection {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    names::observe(&tx, &[channel(1), channel(2)], NOW).expect("stored");
    tx.commit().expect("committed");
    conn
}

fn take(conn: &mut Connection, adoption: Adoption) -> Tally {
    let tx = conn.transaction().expect("a transaction");
    let tally = book(&tx, adoption).expect("booked");
    tx.commit().expect("committed");
    tally
}

fn record(conn: &Connection, n: u8, kind: &str, msat: i64, source: &str) {
    let sql =
        "INSERT INTO costs (channel_id, kind, txid, msat, at_s, source) VALUES (?1, ?2, NULL, ?3, 5, ?4)";
    conn.execute(sql, params![channel_id(n), kind, msat, source]).expect("a row");
}

/// Costs, sat: of the first channel, of all.
fn sums(conn: &Connection) -> (i64, i64) {
    let of = |id: Option<ChannelId>| {
        let sql = "SELECT coalesce(sum(msat), 0) / 1000 FROM costs WHERE ?1 IS NULL OR channel_id = ?1";
        conn.query_row(sql, [id], |row| row.get(0)).expect("a sum")
    };
    (of(Some(channel_id(1))), of(None))
}

#[test]
fn imported_costs_count_until_the_records_are_read() {
    let mut conn = books();
    let found = vec![
        cost(1, CostKind::Open, 300),
        cost(1, CostKind::Close, 20),
        cost(2, CostKind::Open, 7),
        cost(9, CostKind::Open, 1_000),
        cost(8, CostKind::Open, 5_000),
    ];
    let tally = take(&mut conn, adoption(found));
    assert_eq!(tally.count(Part::OpenCosts, Outcome::Taken), 3);
    assert_eq!(tally.count(Part::OpenCosts, Outcome::Known), 1, "the channel that was renamed");
    assert_eq!(sums(&conn), (320, 1_327));
    // A look at the node alone changes nothing; its records do, even where they hold no cost.
    let life = "INSERT INTO channel_lives (channel_id, books) VALUES (?1, ?2)";
    conn.execute(life, params![channel_id(1), "unread"]).expect("a row");
    assert_eq!(sums(&conn), (320, 1_327));
    record(&conn, 1, "splice", 2_000, "bookkeeper");
    conn.execute("UPDATE channel_lives SET books = 'open' WHERE channel_id = ?1", [channel_id(1)])
        .expect("read");
    assert_eq!(sums(&conn), (2, 1_009));
    conn.execute(life, params![channel_id(2), "settled"]).expect("a row");
    assert_eq!(sums(&conn), (2, 1_002), "a channel that nobody lists keeps its costs");
    assert_eq!(imported(&conn).expect("readable").expect("there").costs_counted, 1);
}

#[test]
fn records_that_are_there_already_count() {
    let mut conn = books();
    record(&conn, 1, "open", 111_000, "bookkeeper");
    record(&conn, 2, "open", 5_000_000, "estimate");
    conn.execute("INSERT INTO channel_lives (channel_id, books) VALUES (?1, 'unread')", [channel_id(2)])
        .expect("a row");
    let tally = take(&mut conn, adoption(vec![cost(1, CostKind::Open, 300), cost(2, CostKind::Open, 7)]));
    assert_eq!(
        (tally.count(Part::OpenCosts, Outcome::Taken), tally.count(Part::OpenCosts, Outcome::Known)),
        (1, 1)
    );
    assert_eq!(sums(&conn), (111, 118), "an estimate gives way, a record does not");
}

#[test]
fn what_these_books_say_already_stays() {
    let mut conn = books();
    let tx = conn.transaction().expect("a transaction");
    policies::put(&tx, &Policy { tags: vec!["own".to_owned()], ..Policy::default_for(peer(1)) })
        .expect("stored");
    crate::store::overrides::put(&tx, "min_fee_ppm", "30", NOW).expect("stored");
    tx.commit().expect("committed");
    let one = |key: &str, value: &str| FoundOverride {
        key: key.to_owned(),
        value: value.to_owned(),
        updated_at: UnixTime(5),
    };
    let policies = [1, 2].map(|n| (Policy::default_for(peer(n)), Part::Policies)).to_vec();
    let overrides = vec![one("min_fee_ppm", "99"), one("max_fee_ppm", "900")];
    let tally = take(&mut conn, Adoption { policies, overrides, ..adoption(Vec::new()) });
    for part in [Part::Policies, Part::ConfigOverrides] {
        assert_eq!(
            (tally.count(part, Outcome::Taken), tally.count(part, Outcome::Skipped)),
            (1, 1),
            "{part:?}"
        );
    }
    assert_eq!(policies::get(&conn, &peer(1)).expect("readable").expect("there").tags, ["own"]);
    let kept = crate::store::overrides::load_all(&conn).expect("readable");
    let kept: Vec<_> = kept.iter().map(|row| (row.key.as_str(), row.value.as_str())).collect();
    assert_eq!(kept, [("max_fee_ppm", "900"), ("min_fee_ppm", "30")]);
}

#[test]
fn two_splices_without_a_transaction_are_two() {
    let mut conn = books();
    let tally = take(&mut conn, adoption(vec![cost(1, CostKind::Splice, 5), cost(1, CostKind::Splice, 6)]));
    assert_eq!(tally.count(Part::SpliceCosts, Outcome::Taken), 2);
    assert_eq!(sums(&conn), (11, 11));
}

#[test]
fn a_window_that_begins_in_an_imported_day_takes_all_of_it() {
    let mut conn = books();
    let day = UnixTime(900 * UnixTime::DAY);
    let sum = Delta { out_count: 2, out_msat: 5_000, earned_msat: 70, ..Delta::default() };
    let mut adoption = adoption(Vec::new());
    adoption.found.days.insert((day.0, scid(1)), sum);
    take(&mut conn, adoption);
    for (from, told, earned) in [
        (day.plus(5 * UnixTime::HOUR), day, 70),
        (day, day, 70),
        (day.plus(UnixTime::DAY + 7), day.plus(UnixTime::DAY + 7), 0),
    ] {
        let window = flow::sums_between(&conn, from, NOW).expect("readable");
        assert_eq!((window.from, window.earned), (told, Msat(earned)), "from {from}");
    }
    let own = flow::totals(&conn).expect("readable")[&channel_id(1)];
    assert_eq!((own.sums.earned, own.last_out, own.last_in), (Msat(70), Some(day), None));
}
