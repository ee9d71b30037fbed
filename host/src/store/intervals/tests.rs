use super::*;
use crate::model::fee::Outcome;
use crate::model::forward::{Forward, ForwardStatus};
use crate::model::{ChannelState, Tick};
use crate::store::changes::ChangeOrigin;
use crate::store::cycles::{self, CycleRecord, DecisionRecord};
use crate::store::testing::{channel, channel_id, memory, scid};
use crate::store::{forwards, names};

const T: u64 = 1_700_000_000;

fn look(tx: &Transaction<'_>, at: u64, channels: &[Channel]) {
    observe(tx, UnixTime(T + at), channels, |_| Msat(1_000)).expect("stored");
}

fn spans(conn: &Connection, at: u64) -> Vec<FeeInterval> {
    load(conn, UnixTime(0), 24, UnixTime(T + at))
        .expect("intervals")
        .remove(&channel_id(1))
        .unwrap_or_default()
}

fn with_rate(ppm: u32) -> Channel {
    Channel { fee_ppm: Ppm(ppm), ..channel(1) }
}

#[test]
fn live_time_leaves_out_the_first_hour_gaps_and_idle_times() {
    let cut_off = Channel { peer_connected: false, ..channel(1) };
    let empty = Channel { spendable: Msat(999), ..channel(1) };
    let full = channel(1);
    for (name, looks, live_s) in [
        ("within the first hour", vec![(0, &full), (1_800, &full), (3_600, &full)], 0),
        ("half an hour past the first", vec![(0, &full), (1_800, &full), (5_400, &full)], 1_800),
        ("a gap of two hours counts", vec![(0, &full), (7_200, &full)], 3_600),
        ("a longer gap does not", vec![(0, &full), (7_201, &full)], 0),
        ("disconnected at one end", vec![(0, &full), (3_600, &full), (5_400, &cut_off), (7_200, &full)], 0),
        ("empty at one end", vec![(0, &full), (3_600, &empty), (5_400, &full), (7_200, &full)], 1_800),
    ] {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        for (at, channel) in looks {
            look(&tx, at, std::slice::from_ref(channel));
        }
        assert_eq!(spans(&tx, 8_000)[0].live_s, live_s, "{name}");
    }
}

#[test]
fn a_foreign_change_starts_an_interval_and_is_recorded() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    look(&tx, 0, &[with_rate(100)]);
    assert_eq!(changes::recent(&tx, 9), Ok(vec![]), "the first sight is no change");
    look(&tx, 5_400, &[with_rate(250)]);
    look(&tx, 7_200, &[with_rate(250)]);
    let made = spans(&tx, 9_000);
    let bounds: Vec<_> = made.iter().map(|one| (one.fee.0, one.start.0 - T, one.end.0 - T)).collect();
    assert_eq!(bounds, [(100, 0, 5_400), (250, 5_400, 9_000)]);
    assert_eq!(made[0].live_s, 1_800);
    let recorded = changes::recent(&tx, 9).expect("changes");
    assert_eq!(recorded.len(), 1);
    let (_, change) = &recorded[0];
    assert_eq!((change.old, change.new, change.reason.as_str()), (Ppm(100), Ppm(250), "external"));
    assert_eq!((change.origin, change.at), (ChangeOrigin::External, UnixTime(T + 5_400)));
}

/// Records a cycle that set the first channel from 100 to 180 ppm.
fn record_cycle(tx: &Transaction<'_>, at: u64, outcome: Outcome) {
    record_wish(tx, at, outcome, ChangeOrigin::Strategy);
}

fn record_wish(tx: &Transaction<'_>, at: u64, outcome: Outcome, origin: ChangeOrigin) {
    let decision = DecisionRecord { origin, ..cycles::tests::decision(1, 100, 180, Some(outcome)) };
    let cycle = CycleRecord {
        tick: Tick { now: UnixTime(T + at), seed: 1 },
        decisions: vec![decision],
        ..cycles::tests::empty_cycle()
    };
    cycles::record(tx, &cycle).expect("stored");
}

#[test]
fn our_own_change_starts_an_interval_at_once() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    look(&tx, 0, &[with_rate(100)]);
    look(&tx, 5_400, &[with_rate(100)]);
    record_cycle(&tx, 5_460, Outcome::Applied);
    look(&tx, 7_200, &[with_rate(180)]);
    look(&tx, 10_800, &[with_rate(180)]);
    let bounds: Vec<_> =
        spans(&tx, 10_800).iter().map(|one| (one.fee.0, one.start.0 - T, one.live_s)).collect();
    assert_eq!(bounds, [(100, 0, 1_860), (180, 5_460, 10_800 - 5_460 - 3_600)]);
    let recorded = changes::recent(&tx, 9).expect("changes");
    assert_eq!(recorded.iter().map(|(_, one)| one.origin).collect::<Vec<_>>(), [ChangeOrigin::Strategy]);
}

#[test]
fn a_change_whose_answer_was_lost_is_ours_when_the_node_shows_it() {
    use ChangeOrigin::{External, Operator, Policy, Strategy};
    for (wanted_by, shown, origin, outcome) in [
        (Strategy, 180, Strategy, "reconciled"),
        (Policy, 180, Policy, "reconciled"),
        (Operator, 180, Operator, "reconciled"),
        (Operator, 170, External, "unknown"),
    ] {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        look(&tx, 0, &[with_rate(100)]);
        record_wish(&tx, 60, Outcome::Unknown("no answer in 15 s".to_owned()), wanted_by);
        assert_eq!(changes::recent(&tx, 9), Ok(vec![]));
        look(&tx, 1_800, &[with_rate(shown)]);
        let recorded = changes::recent(&tx, 9).expect("changes");
        assert_eq!((recorded.len(), recorded[0].1.origin, recorded[0].1.new), (1, origin, Ppm(shown)));
        let decision = crate::store::decisions::latest_for(&tx, &channel_id(1)).expect("decisions");
        assert_eq!(decision.and_then(|one| one.outcome).as_deref(), Some(outcome));
    }
}

#[test]
fn a_closing_channel_ends_its_interval() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    look(&tx, 0, &[channel(1)]);
    look(
        &tx,
        60,
        &[Channel { state: ChannelState::Other("CHANNELD_SHUTTING_DOWN".to_owned()), ..channel(1) }],
    );
    look(&tx, 120, &[]);
    let made = spans(&tx, 500);
    assert_eq!((made.len(), made[0].end), (1, UnixTime(T + 60)));
}

#[test]
fn changes_in_one_second_and_a_clock_that_goes_back_leave_no_empty_stretches() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    look(&tx, 100, &[with_rate(100)]);
    look(&tx, 100, &[with_rate(200)]);
    look(&tx, 50, &[with_rate(300)]);
    look(&tx, 400, &[with_rate(400)]);
    let bounds: Vec<_> =
        spans(&tx, 500).iter().map(|one| (one.fee.0, one.start.0 - T, one.end.0 - T)).collect();
    assert_eq!(bounds, [(300, 100, 400), (400, 400, 500)]);
}

#[test]
fn an_interval_that_a_clock_far_ahead_began_gives_way_to_the_next() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    look(&tx, 100, &[with_rate(100)]);
    look(&tx, 900_000, &[with_rate(200)]);
    look(&tx, 200, &[with_rate(300)]);
    let running: Vec<_> = spans(&tx, 500).into_iter().filter(|one| one.end == UnixTime(T + 500)).collect();
    assert_eq!((running.len(), running[0].fee, running[0].start), (1, Ppm(300), UnixTime(T + 200)));
}

#[test]
fn only_the_latest_intervals_are_loaded() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    for step in 0..6 {
        look(&tx, u64::from(step) * 100, &[with_rate(step)]);
    }
    let rates = |since: u64, most: usize| -> Vec<u32> {
        let mut loaded = load(&tx, UnixTime(T + since), most, UnixTime(T + 600)).expect("intervals");
        loaded.remove(&channel_id(1)).unwrap_or_default().iter().map(|one| one.fee.0).collect()
    };
    assert_eq!(rates(0, 24), [0, 1, 2, 3, 4, 5]);
    assert_eq!(rates(0, 2), [4, 5]);
    assert_eq!(rates(300, 24), [3, 4, 5]);
    assert_eq!(prune(&tx, UnixTime(T + 300)), Ok(2));
    assert_eq!(rates(0, 24), [2, 3, 4, 5]);
}

#[test]
fn forwards_of_the_first_hour_speak_for_no_rate() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    names::observe(&tx, &[channel(1)], UnixTime(T)).expect("stored");
    look(&tx, 0, &[with_rate(100)]);
    look(&tx, 9_000, &[with_rate(200)]);
    let page: Vec<Forward> = [3_599, 3_600, 8_999, 9_000, 12_599, 12_600]
        .into_iter()
        .map(|at| Forward {
            in_channel: scid(50),
            in_htlc_id: at,
            out_channel: Some(scid(1)),
            in_msat: Msat(1_001_000),
            out_msat: Msat(1_000_000),
            fee_msat: Msat(1_000),
            status: ForwardStatus::Settled,
            received_ms: (T + at) * 1000,
            resolved_ms: None,
            failcode: None,
            created_index: None,
            updated_index: None,
        })
        .collect();
    forwards::ingest(&tx, &page).expect("stored");
    let counted: Vec<_> = spans(&tx, 20_000).iter().map(|one| (one.settled, one.out, one.earned)).collect();
    assert_eq!(counted, [(2, Msat(2_000_000), Msat(2_000)), (1, Msat(1_000_000), Msat(1_000))]);
}
