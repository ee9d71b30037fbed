//! Which payments are a job's, whatever the clock shows, and for how long what they cost counts.

use super::*;
use crate::model::forward::{Forward, ForwardStatus};
use crate::store::forwards;
use crate::store::testing::scid;

/// What a payment is to the job that fills 1 from 2 and is reserved at [`NOW`].
#[derive(Clone, Copy, Debug, PartialEq)]
enum Booked {
    Before,
    Meanwhile,
    /// After the job was settled, its channels known.
    After,
}

/// A job from 2 to 1 is settled; lightningd had told of payments up to 10 when it began, and up to 20 when
/// it ended. Returns whether the payment became its own.
fn is_its_own(payment: &Payment, booked: Booked, numbers: bool) -> bool {
    let mut conn = memory();
    let told_of = |conn: &mut Connection, index| {
        if numbers {
            told(conn, index);
        }
    };
    told_of(&mut conn, 10);
    if booked == Booked::Before {
        book(&conn, payment);
    }
    let id = try_reserve(&mut conn, 1, 2, 1, 1_000, NOW).expect("room");
    stop(&mut conn, id, moment(NOW.plus(60)));
    if booked == Booked::Meanwhile {
        book(&conn, payment);
    }
    told_of(&mut conn, 20);
    in_tx(&mut conn, |tx| settle(tx, id, false, NOW.plus(90))).expect("ready");
    if booked == Booked::After {
        book(&conn, payment);
    }
    in_tx(&mut conn, assign);
    let job = jobs::get(&conn, id).expect("books").expect("there");
    assert!(job.fee == Msat::ZERO || job.fee == Msat(payment.fee), "{job:?}");
    job.fee > Msat::ZERO
}

#[test]
fn a_payment_is_a_jobs_by_the_order_of_events() {
    use Booked::{After, Before, Meanwhile};
    for (index, booked, expect) in [
        // Under way when the job began, as the number tells; without one it counts rather than not.
        (Some(10), Meanwhile, false),
        (Some(11), Meanwhile, true),
        (None, Meanwhile, true),
        // Complete when it began: nobody needs the number.
        (Some(11), Before, false),
        (None, Before, false),
        // Told late, though lightningd had it by the end; made after that.
        (Some(20), After, true),
        (Some(21), After, false),
        (None, After, false),
    ] {
        // An hour before the job, with it, and a year after, by whatever the clock shows.
        for at in [NOW.minus(3_600), NOW, NOW.plus(365 * UnixTime::DAY)] {
            let payment = Payment { index, at, ends: Some((2, 1)), ..PAID };
            assert_eq!(is_its_own(&payment, booked, true), expect, "{index:?} {booked:?} at {at}");
        }
    }
}

#[test]
fn a_lightningd_that_numbers_nothing_has_the_books_tell() {
    for (booked, expect) in [(Booked::Before, false), (Booked::Meanwhile, true), (Booked::After, false)] {
        let payment = Payment { at: NOW.minus(3_600), ends: Some((2, 1)), ..PAID };
        assert_eq!(is_its_own(&payment, booked, false), expect, "{booked:?}");
    }
}

#[test]
fn of_payments_without_channels_those_since_the_job_began_are_undecided() {
    let mut conn = memory();
    told(&mut conn, 10);
    let one = |hash, index| Payment { hash, index, at: NOW.minus(UnixTime::DAY), ..PAID };
    book(&conn, &one(1, None));
    book(&conn, &one(2, Some(12)));
    let id = try_reserve(&mut conn, 1, 2, 1, 1_000, NOW).expect("room");
    stop(&mut conn, id, moment(NOW));
    for (hash, index) in [(3, Some(11)), (4, Some(13)), (5, None)] {
        book(&conn, &one(hash, index));
    }
    let job = jobs::get(&conn, id).expect("books").expect("there");
    assert_eq!((job.after_index, undecided(&conn, &job)), (Some(12), Ok(2)));
    let settled = in_tx(&mut conn, |tx| settle(tx, id, true, NOW)).expect("assumed");
    assert_eq!(settled.fee, Msat(2 * PAID.fee), "those two");
}

#[test]
fn what_a_job_cost_counts_for_a_day_that_truly_passes() {
    let mut conn = memory();
    let id = try_reserve(&mut conn, 1, 2, 1, 1_000, NOW).expect("room");
    book(&conn, &Payment { ends: Some((2, 1)), ..PAID });
    stop(&mut conn, id, moment(NOW));
    in_tx(&mut conn, |tx| settle(tx, id, false, NOW)).expect("ready");
    let spent = |now, passed_s| {
        let at = Moment { now, steady: SteadyTime(NOW.0).plus(passed_s) };
        ledger(&conn, at).expect("books").spent.iter().map(|one| one.fee).sum::<Msat>()
    };
    for now in [NOW.minus(UnixTime::DAY), NOW, NOW.plus(2 * UnixTime::DAY), NOW.plus(1_000 * UnixTime::DAY)] {
        for (passed_s, expect) in [(0, PAID.fee), (UnixTime::DAY, PAID.fee), (UnixTime::DAY + 1, 0)] {
            assert_eq!(spent(now, passed_s), Msat(expect), "{passed_s} s later, shown {now}");
        }
    }
}

/// A forward that earned 1,000 msat.
fn forward(id: u64, at: UnixTime) -> Forward {
    Forward {
        in_channel: scid(1),
        in_htlc_id: id,
        out_channel: Some(scid(2)),
        in_msat: Msat(101_000),
        out_msat: Msat(100_000),
        fee_msat: Msat(1_000),
        status: ForwardStatus::Settled,
        received_ms: at.0 * 1_000,
        resolved_ms: Some(at.0 * 1_000),
        failcode: None,
        created_index: None,
        updated_index: None,
    }
}

#[test]
fn earnings_raise_the_budget_only_while_the_clock_is_right() {
    let mut conn = memory();
    // One an hour, from three days ago until three days from now.
    let hours = (0..=144).map(|hour| forward(hour, NOW.minus(3 * UnixTime::DAY).plus(hour * UnixTime::HOUR)));
    in_tx(&mut conn, |tx| forwards::ingest(tx, &hours.collect::<Vec<_>>()));
    let earned = |conn: &Connection, now: UnixTime, passed_s| {
        let at = Moment { now, steady: SteadyTime(NOW.0).plus(passed_s) };
        ledger(conn, at).expect("books").earned
    };
    assert_eq!(earned(&conn, NOW, 0), Msat(25_000), "none of the future");
    let back = NOW.minus(UnixTime::DAY);
    let jump = ClockJump { at: back, by_s: -86_400 };
    in_tx(&mut conn, |tx| clock::note(tx, Moment { now: back, ..moment(NOW) }, Some(jump)));
    for (passed_s, expect) in [(0, 0), (UnixTime::DAY - 1, 0), (UnixTime::DAY, 25_000)] {
        assert_eq!(earned(&conn, back.plus(passed_s), passed_s), Msat(expect), "{passed_s} s after a jump");
    }
}

/// lightningd had told of payments up to 10 when a job began. After its list began anew it gives the numbers
/// from 1 on again.
#[test]
fn payments_of_a_list_that_began_anew_are_a_jobs_by_the_order_in_the_books() {
    let mut conn = memory();
    let paid = |hash, index| Payment { hash, index, ends: Some((2, 1)), ..PAID };
    told(&mut conn, 10);
    book(&conn, &paid(1, Some(9)));
    let id = try_reserve(&mut conn, 1, 2, 3, 1_000, NOW).expect("room");
    book(&conn, &paid(2, Some(12)));
    let anew = |conn: &mut Connection| {
        in_tx(conn, |tx| lists::begin_anew(tx, List::Payments, [2, 2], NOW));
        let indices = "SELECT count(*) FROM rebalances WHERE created_index IS NOT NULL";
        conn.query_row(indices, [], |row| row.get::<_, i64>(0)).expect("books")
    };
    assert_eq!(anew(&mut conn), 0);
    let job = jobs::get(&conn, id).expect("books").expect("there");
    assert_eq!(job.after_index, None, "a payment under way with any number may be its own");
    // Read again, as it stands in the books, and after it what came since.
    for (hash, index) in [(1, 1), (3, 2)] {
        book(&conn, &paid(hash, Some(index)));
    }
    told(&mut conn, 2);
    stop(&mut conn, id, moment(NOW));
    let settled = in_tx(&mut conn, |tx| settle(tx, id, false, NOW)).expect("ready");
    assert_eq!(settled.fee, Msat(2 * PAID.fee), "all but the first");
    // Made after the end, by the new numbers, and by the order where those went again.
    book(&conn, &paid(4, Some(3)));
    assert_eq!(in_tx(&mut conn, assign), 0);
    told(&mut conn, 3);
    assert_eq!(anew(&mut conn), 0);
    assert_eq!(in_tx(&mut conn, assign), 0);
}
