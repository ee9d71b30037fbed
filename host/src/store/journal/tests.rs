use super::*;
use crate::store::testing::memory;
use std::sync::Arc;

fn strategy(name: &str) -> StrategyName {
    name.parse().expect("a name")
}

/// A call whose input is long, and differs a little from `n` to `n`.
fn call(name: &str, module: u8, n: u32) -> Transcript {
    let mut input: Vec<u8> =
        (0..4_000_u32).flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    input[..4].copy_from_slice(&n.to_le_bytes());
    Transcript {
        kind: CycleKind::Fee,
        strategy: strategy(name),
        module: Digest([module; 32]),
        class: "native".to_owned(),
        format: FORMAT,
        input: input.into(),
        answer: Answer::Decided { fuel: u64::from(n), decision: n.to_be_bytes().repeat(9) },
    }
}

/// Keeps a call as a cycle does.
fn record(tx: &Transaction<'_>, cycle: i64, at: UnixTime, call: &Transcript) -> Result<()> {
    let ready = Ready::new(Arc::new(call.clone()), base(tx, call)?)?;
    super::record(tx, cycle, at, &ready)
}

fn count(conn: &Connection, sql: &str) -> i64 {
    conn.query_row(sql, [], |row| row.get(0)).expect("a number")
}

#[test]
fn calls_come_back_and_like_ones_take_little_room() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    let failed = Transcript {
        answer: Answer::Failed { fuel: Some(7), code: "trap".to_owned() },
        kind: CycleKind::Rebalance,
        ..call("other", 2, 0)
    };
    for n in 1..=100 {
        record(&tx, i64::from(n), UnixTime(u64::from(n)), &call("mine", 1, n)).expect("kept");
    }
    record(&tx, 1, UnixTime(5), &failed).expect("kept");
    record(&tx, 1, UnixTime(5), &Transcript { kind: CycleKind::Fee, ..failed.clone() }).expect("kept");
    for n in [1, 2, 49, 50, 100] {
        let kept = calls(&tx, CycleKind::Fee, u64::from(n), Some(&strategy("mine"))).expect("calls");
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].transcript, call("mine", 1, n));
        assert_eq!(
            (kept[0].at, kept[0].program.as_str()),
            (UnixTime(u64::from(n)), env!("CARGO_PKG_VERSION"))
        );
    }
    let kept = calls(&tx, CycleKind::Rebalance, 1, None).expect("calls");
    assert_eq!(kept.into_iter().map(|kept| kept.transcript).collect::<Vec<_>>(), [failed]);
    assert_eq!(calls(&tx, CycleKind::Fee, 1, None).expect("calls").len(), 2);
    assert_eq!(calls(&tx, CycleKind::Fee, 101, None).expect("no calls"), []);
    assert_eq!(modules(&tx).expect("digests"), BTreeSet::from([Digest([1; 32]), Digest([2; 32])]));

    // 49 calls, the base included, then a new base.
    assert_eq!(count(&tx, "SELECT count(*) FROM journal WHERE base_id IS NULL AND strategy = 'mine'"), 3);
    let (whole, like) = (
        count(&tx, "SELECT max(packed_bytes) FROM journal WHERE base_id IS NULL"),
        count(&tx, "SELECT max(packed_bytes) FROM journal WHERE base_id IS NOT NULL"),
    );
    assert!(like * 20 < whole, "{like} and {whole} bytes");
    assert_eq!(size(&tx).expect("sums").0, 102);
}

#[test]
fn the_oldest_go_first_and_what_stays_can_be_read() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    for n in 1..=200 {
        record(&tx, i64::from(n), UnixTime(u64::from(n)), &call("mine", 1, n)).expect("kept");
    }
    let all_read = || {
        let left: Vec<i64> = tx
            .prepare("SELECT cycle_id FROM journal")
            .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
            .expect("numbers");
        for n in &left {
            let kept = calls(&tx, CycleKind::Fee, *n as u64, None).expect("readable");
            assert_eq!(kept[0].transcript, call("mine", 1, u32::try_from(*n).expect("small")));
        }
        left
    };
    while prune(&tx, UnixTime(121), u64::MAX).expect("pruned") {}
    let left = all_read();
    // 99 is the base of 100 to 147.
    assert_eq!((left[0], left[1], left.len()), (99, 121, 81));

    let most = size(&tx).expect("sums").1 - 1;
    assert!(prune(&tx, UnixTime(0), most).expect("pruned"));
    assert!(size(&tx).expect("sums").1 <= most);
    assert_eq!(all_read()[1], 122, "one was enough");
    while prune(&tx, UnixTime(0), 0).expect("pruned") {}
    assert_eq!(size(&tx).expect("sums"), (0, 0));
    assert_eq!(modules(&tx).expect("none"), BTreeSet::new());
    // Numbers that were used are not used again.
    record(&tx, 300, UnixTime(300), &call("mine", 1, 1)).expect("kept");
    assert_eq!(count(&tx, "SELECT max(id) FROM journal"), 201);
}

#[test]
fn damage_is_told_and_ends_with_what_depends_on_it() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    for n in 1..=2 {
        record(&tx, i64::from(n), UnixTime(1), &call("mine", 1, n)).expect("kept");
    }
    tx.execute("UPDATE journal SET input_digest = zeroblob(32) WHERE cycle_id = 2", []).expect("spoilt");
    let told = calls(&tx, CycleKind::Fee, 2, None).expect_err("spoilt").to_string();
    assert!(told.contains("digest differs"), "{told}");
    tx.execute("UPDATE journal SET packed = zeroblob(40) WHERE cycle_id = 1", []).expect("spoilt");
    for n in [1, 2] {
        let told = calls(&tx, CycleKind::Fee, n, None).expect_err("spoilt").to_string();
        assert_eq!(told, "what is kept of the call of 'mine' is damaged");
    }
    record(&tx, 3, UnixTime(1), &call("mine", 1, 3)).expect("kept");
    assert_eq!(calls(&tx, CycleKind::Fee, 3, None).expect("whole").len(), 1);
}

#[test]
fn a_base_that_was_forgotten_meanwhile_is_not_needed() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    record(&tx, 1, UnixTime(1), &call("mine", 1, 1)).expect("kept");
    let next = call("mine", 1, 2);
    let ready = Ready::new(Arc::new(next.clone()), base(&tx, &next).expect("found")).expect("packed");
    assert!(ready.base.is_some());
    while prune(&tx, UnixTime(2), u64::MAX).expect("pruned") {}
    super::record(&tx, 2, UnixTime(2), &ready).expect("kept");
    assert_eq!(calls(&tx, CycleKind::Fee, 2, None).expect("calls")[0].transcript, next);
}
