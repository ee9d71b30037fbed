use super::*;
use crate::store::testing::{channel, channel_id, memory};

const ONE: Digest = Digest([1; 32]);
const TWO: Digest = Digest([2; 32]);

fn intent(digest: Digest, before: u64, asked: u64) -> Intent {
    let channel_id = channel_id(1);
    Intent { channel_id, term: Term::HtlcMax, digest, before: Msat(before), asked: Msat(asked) }
}

/// A module is about to set this, in place of `before`.
fn wants(tx: &Transaction<'_>, digest: Digest, before: u64, asked: u64) {
    intend(tx, UnixTime(5), &[intent(digest, before, asked)]).expect("noted");
}

/// It did, and the node allowed this much.
fn sets(tx: &Transaction<'_>, (digest, before, asked): (Digest, u64, u64), got: u64) {
    wants(tx, digest, before, asked);
    settle(tx, &[Settled { of: intent(digest, before, asked), got: Msat(got) }]).expect("noted");
}

/// By which module the largest HTLC is held, with what was before, what was asked for, and what was set.
fn held(tx: &Transaction<'_>) -> Option<(Digest, u64, u64, u64)> {
    let held = load(tx).expect("rows").remove(&channel_id(1))?.htlc_max?;
    Some((held.digest, held.before.0, held.asked.0, held.set.0))
}

/// The same once a look at the node found this largest HTLC.
fn seen(tx: &Transaction<'_>, htlc_max: u64) -> Option<(Digest, u64, u64, u64)> {
    seen_at(tx, 5, htlc_max)
}

fn seen_at(tx: &Transaction<'_>, now: u64, htlc_max: u64) -> Option<(Digest, u64, u64, u64)> {
    let channel = Channel { htlc_max: Msat(htlc_max), ..channel(1) };
    observe(tx, UnixTime(now), &[channel]).expect("looked at");
    held(tx)
}

#[test]
fn what_was_there_first_stays_known_until_it_is_back_or_somebody_else_speaks() {
    for (what, last, expect) in [
        ("kept while in force", 700, Some((TWO, 900, 700, 700))),
        ("what was there before is back", 900, None),
        ("somebody else set another", 650, None),
    ] {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        wants(&tx, ONE, 900, 800);
        let lost = "the answer was lost, the list shows it";
        assert_eq!(seen(&tx, 800), Some((ONE, 900, 800, 800)), "{what}: {lost}");
        wants(&tx, TWO, 800, 700);
        assert_eq!(seen(&tx, 800), Some((ONE, 900, 800, 800)), "{what}: it was not done");
        sets(&tx, (TWO, 800, 700), 700);
        assert_eq!(seen(&tx, last), expect, "{what}");
        assert_eq!(seen(&tx, 700), expect.filter(|_| last == 700), "{what}: nothing comes back");
    }
}

#[test]
fn what_fails_leaves_what_was_asked_before_and_may_still_come_to_be() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    wants(&tx, ONE, 900, 800);
    assert_eq!(seen(&tx, 900), None, "nobody set anything yet");
    assert_eq!(seen(&tx, 800), Some((ONE, 900, 800, 800)), "lightningd was late");
    wants(&tx, ONE, 800, 700);
    let before = Some((ONE, 900, 800, 800));
    assert_eq!(seen(&tx, 800), before, "700 is not what was asked for and lowered");
    assert_eq!(seen(&tx, 800), before);
    assert_eq!(seen(&tx, 700), Some((ONE, 900, 700, 700)), "lightningd was late");
    wants(&tx, ONE, 700, 900);
    assert_eq!(seen(&tx, 900), None, "what was there before is back, by a module's own word");
    assert!(all(&tx).expect("rows").is_empty());
}

#[test]
fn what_nothing_came_of_is_later_anybodys_word() {
    let before = Some((ONE, 900, 800, 800));
    for (what, look, then, expect) in [
        ("may still come to be", 5 + COMES_TRUE_S, 700, Some((TWO, 900, 700, 700))),
        ("somebody asks for the same", 6 + COMES_TRUE_S, 700, None),
        ("the clock was set back", 4, 700, None),
        ("what was set before still holds", 6 + COMES_TRUE_S, 800, before),
    ] {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        sets(&tx, (ONE, 900, 800), 800);
        wants(&tx, TWO, 800, 700);
        assert_eq!(seen_at(&tx, look, 800), before, "{what}");
        assert_eq!(seen_at(&tx, look + 1, then), expect, "{what}");
    }
}

#[test]
fn a_first_intent_of_which_nothing_came_leaves_nothing() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    wants(&tx, ONE, 900, 800);
    assert_eq!(seen_at(&tx, 6 + COMES_TRUE_S, 900), None);
    assert!(all(&tx).expect("rows").is_empty());
    wants(&tx, ONE, 900, 800);
    let dead = "nobody looked in between: the plugin died over the answer";
    assert_eq!(seen_at(&tx, 6 + 100 * COMES_TRUE_S, 800), Some((ONE, 900, 800, 800)), "{dead}");
}

#[test]
fn what_somebody_else_sets_ends_an_intent() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    wants(&tx, ONE, 900, 800);
    assert_eq!(seen(&tx, 850), None);
    assert_eq!(seen(&tx, 800), None, "not the module's");
}

#[test]
fn less_than_asked_for_counts_as_set_by_the_module() {
    for got in [850, 500] {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        sets(&tx, (ONE, 500, 900), got);
        for look in 0..2 {
            assert_eq!(seen(&tx, got), Some((ONE, 500, 900, got)), "lowered to {got}, look {look}");
        }
        assert_eq!(seen(&tx, 400), None, "somebody else set another than {got}");
        sets(&tx, (ONE, 500, 900), got);
        observe(&tx, UnixTime(6), &[]).expect("looked at");
        assert_eq!(load(&tx), Ok(HashMap::new()), "a channel that is gone");
    }
}

#[test]
fn an_answer_without_an_intent_is_kept_all_the_same() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    settle(&tx, &[Settled { of: intent(ONE, 900, 800), got: Msat(800) }]).expect("noted");
    assert_eq!(seen(&tx, 800), Some((ONE, 900, 800, 800)));
}

#[test]
fn what_a_power_failure_could_undo_is_no_intent() {
    let mut conn = memory();
    conn.pragma_update(None, "synchronous", "NORMAL").expect("a pragma");
    let tx = conn.transaction().expect("a transaction");
    intend(&tx, UnixTime(5), &[intent(ONE, 900, 800)]).expect_err("it could be undone");
}
