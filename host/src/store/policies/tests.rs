use super::*;
use crate::model::{Ppm, RebalanceMode};
use crate::store::testing::{memory, peer};
use proptest::prelude::*;
use std::collections::HashMap;

fn policy(n: u8, at: u64) -> Policy {
    Policy { updated_at: UnixTime(at), ..Policy::default_for(peer(n)) }
}

#[test]
fn policies_come_back_whole() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    let full = Policy {
        peer_id: peer(2),
        strategy: "my-module".parse().expect("a name"),
        rebalance_mode: RebalanceMode::SinkOnly,
        rebalance_strategy: Some(StrategyName::rebalance_ev()),
        fee_ppm_target: Some(Ppm(0)),
        tags: vec!["a \"b\"".to_owned(), "é".to_owned()],
        updated_at: UnixTime(9),
        fee_multiplier_min: Some(0.1),
        fee_multiplier_max: Some(5.0),
        expires_at: Some(UnixTime(99)),
    };
    put(&tx, &policy(2, 3)).expect("stored");
    put(&tx, &full).expect("stored");
    put(&tx, &policy(1, 10)).expect("stored");
    assert_eq!(get(&tx, &peer(2)), Ok(Some(full.clone())));
    assert_eq!(get(&tx, &peer(3)), Ok(None));
    assert_eq!(load_all(&tx), Ok(vec![policy(1, 10), full]));
    assert_eq!(expired(&tx, UnixTime(98)), Ok(vec![]));
    assert_eq!(expired(&tx, UnixTime(99)), Ok(vec![peer(2)]));
}

#[test]
fn a_cursor_rises_though_the_clock_does_not() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    assert_eq!(last_cursor(&tx), Ok(0));
    let cursors: Vec<u64> = [100, 100, 40, 100, 200]
        .into_iter()
        .enumerate()
        .map(|(n, at)| put(&tx, &policy(n as u8, at)).expect("stored"))
        .collect();
    assert_eq!(cursors, [100, 101, 102, 103, 200]);
    assert_eq!(last_cursor(&tx), Ok(200));
    let seen: Vec<u64> =
        changes_since(&tx, 101).expect("changes").iter().map(|change| change.cursor).collect();
    assert_eq!(seen, [200, 103, 102]);
    assert_eq!(changes_since(&tx, u64::MAX), Ok(vec![]));
}

#[test]
fn a_deleted_policy_leaves_a_tombstone_for_a_time() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    put(&tx, &policy(1, 100)).expect("stored");
    put(&tx, &policy(2, 100)).expect("stored");
    assert_eq!(delete(&tx, &peer(1), UnixTime(150), ChangeKind::Expired), Ok(Some(150)));
    assert_eq!(delete(&tx, &peer(1), UnixTime(160), ChangeKind::Deleted), Ok(None));
    let changes = changes_since(&tx, 0).expect("changes");
    assert_eq!(changes.len(), 2);
    assert_eq!(
        (changes[0].peer_id, changes[0].kind, &changes[0].policy),
        (peer(1), ChangeKind::Expired, &None)
    );
    assert_eq!((changes[1].kind, changes[1].policy.clone()), (ChangeKind::Set, Some(policy(2, 100))));

    assert_eq!(prune_tombstones(&tx, UnixTime(150)), Ok(0));
    assert_eq!(prune_tombstones(&tx, UnixTime(151)), Ok(1));
    assert_eq!(changes_since(&tx, 0).expect("changes").len(), 1);
    assert_eq!(put(&tx, &policy(1, 1)), Ok(151), "no cursor is given twice");
}

#[test]
fn a_new_policy_replaces_the_tombstone() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    put(&tx, &policy(1, 100)).expect("stored");
    delete(&tx, &peer(1), UnixTime(100), ChangeKind::Deleted).expect("stored");
    put(&tx, &policy(1, 100)).expect("stored");
    let changes = changes_since(&tx, 0).expect("changes");
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].cursor, changes[0].kind), (102, ChangeKind::Set));
}

proptest! {
    /// Whoever polls now and then, passing the last cursor it saw, ends up with
    /// the same policies as the store.
    #[test]
    fn a_follower_misses_nothing(steps in prop::collection::vec((0u8..4, 0u64..5, any::<bool>(), any::<bool>()), 1..40)) {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let mut followed: HashMap<PeerId, Policy> = HashMap::new();
        let mut since = 0;
        for (n, at, set, poll) in steps {
            if set {
                put(&tx, &policy(n, at)).expect("stored");
            } else {
                delete(&tx, &peer(n), UnixTime(at), ChangeKind::Deleted).expect("stored");
            }
            if poll {
                for change in changes_since(&tx, since).expect("changes") {
                    since = since.max(change.cursor);
                    match change.policy {
                        Some(policy) => followed.insert(change.peer_id, policy),
                        None => followed.remove(&change.peer_id),
                    };
                }
                let kept: HashMap<_, _> =
                    load_all(&tx).expect("policies").into_iter().map(|one| (one.peer_id, one)).collect();
                prop_assert_eq!(&followed, &kept);
                prop_assert_eq!(since.max(last_cursor(&tx).expect("a cursor")), since);
            }
        }
    }
}
