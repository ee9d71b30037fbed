//! What real nodes recorded of their history, replayed.

#![allow(clippy::unwrap_used)]

use crate::support::{DEADLINE, Stage, wait_until};
use lab::Flavour;
use rusqlite::Connection;
use serde_json::{Value, json};

/// What the books add up to, in msat and numbers.
#[derive(Clone, Debug, Default, PartialEq)]
struct Books {
    routed: i64,
    forwards: i64,
    open: i64,
    close: i64,
    sweep: i64,
    splice: i64,
    other: i64,
    rebalances: (i64, i64),
    /// Rebalances of which both channels are known.
    paired: i64,
    channels: i64,
    closed: i64,
    /// Kinds of closes, sorted.
    kinds: Vec<String>,
    pushed: i64,
    estimated: i64,
    /// Forwards that left by a channel whose name is known.
    named: i64,
}

impl Books {
    fn net(&self) -> i64 {
        let on_chain = self.open + self.close + self.sweep + self.splice + self.other;
        self.routed - on_chain - self.rebalances.1
    }
}

fn read(db: &Connection) -> Books {
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let cost =
        |kind: &str| number(&format!("SELECT coalesce(sum(msat), 0) FROM costs WHERE kind = '{kind}'"));
    let mut kinds =
        db.prepare("SELECT close_kind FROM channel_lives WHERE closed_at_s IS NOT NULL ORDER BY 1").unwrap();
    Books {
        routed: number("SELECT coalesce(sum(earned_msat), 0) FROM flow_days"),
        forwards: number("SELECT coalesce(sum(out_count), 0) FROM flow_days"),
        open: cost("open"),
        close: cost("close"),
        sweep: cost("sweep"),
        splice: cost("splice"),
        other: cost("penalty") + cost("lease"),
        rebalances: (
            number("SELECT count(*) FROM rebalances"),
            number("SELECT coalesce(sum(fee_msat), 0) FROM rebalances"),
        ),
        paired: number(
            "SELECT count(*) FROM rebalances WHERE out_channel IS NOT NULL AND in_channel IS NOT NULL",
        ),
        channels: number("SELECT count(*) FROM channels"),
        closed: number("SELECT count(*) FROM channel_lives WHERE closed_at_s IS NOT NULL"),
        kinds: kinds.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect(),
        pushed: number("SELECT coalesce(sum(pushed_msat), 0) FROM channel_lives"),
        estimated: number("SELECT count(*) FROM costs WHERE source = 'estimate'"),
        named: number(
            "SELECT coalesce(sum(out_count), 0) FROM flow_days d JOIN channel_names n ON n.scid = d.scid",
        ),
    }
}

async fn until(stage: &Stage, what: &str, expected: &Books) {
    wait_until(DEADLINE, async || {
        let found = read(&Connection::open(stage.db_path()).unwrap());
        if found == *expected { Ok(()) } else { Err(json!(format!("{what}: {found:?}, not {expected:?}"))) }
    })
    .await;
}

/// The whole history of a recorded node.
fn whole(flavour: Flavour) -> (Books, i64) {
    let kinds = vec!["local_unilateral".to_owned(), "mutual".to_owned()];
    let common = Books { channels: 3, closed: 2, kinds, pushed: 1_000_000_000, ..Books::default() };
    match flavour {
        Flavour::V26_06 => (
            Books {
                routed: 47_508,
                forwards: 33,
                named: 33,
                open: 332_000,
                // Of the unilateral close, 978 msat went with the commitment and 134,000 with the sweep.
                close: 195_000 + 978,
                sweep: 134_000,
                splice: 258_000,
                rebalances: (15, 900_225),
                paired: 15,
                ..common
            },
            -1_772_695,
        ),
        Flavour::V24_11 => (
            Books {
                routed: 8_598,
                forwards: 10,
                named: 10,
                open: 332_000,
                close: 195_000 + 416,
                sweep: 134_000,
                rebalances: (3, 72_027),
                paired: 3,
                ..common
            },
            8_598 - 661_416 - 72_027,
        ),
        Flavour::V23_05 => (
            Books {
                routed: 7_149,
                forwards: 11,
                named: 11,
                open: 308_000,
                close: 171_000 + 550,
                sweep: 121_000,
                ..common
            },
            7_149 - 600_550,
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_start_books_the_whole_history_of_every_recorded_node() {
    for flavour in Flavour::ALL {
        let (expected, net) = whole(flavour);
        assert_eq!(expected.net(), net, "{flavour:?}");
        let mut stage = Stage::on(flavour).recorded("after-close").start().await;
        until(&stage, &format!("{flavour:?}"), &expected).await;
        // Again from the start, and told everything once more: nothing is booked twice.
        stage.restart().await;
        for news in stage.lab.recorded_notifications() {
            stage.lab.notify(&news);
        }
        let done = |status: &Value| {
            ["forwards", "ledger", "accounts"]
                .iter()
                .all(|job| status["jobs"][job]["runs"].as_u64() > Some(0))
        };
        let status = stage.until_status(done).await;
        until(&stage, &format!("{flavour:?} again"), &expected).await;
        let ledger = &status["ledger"];
        assert_eq!(ledger["forwards_settled"], expected.forwards, "{ledger}");
        assert_eq!(
            (&ledger["channels_closed"], &ledger["accounts_closing"]),
            (&json!(2), &json!(0)),
            "{ledger}"
        );
        assert_eq!(ledger["estimated_share"], 0.0, "{ledger}");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_watched_all_the_way_comes_to_the_same_books() {
    let (expected, _) = whole(Flavour::V26_06);
    let stage = Stage::on(Flavour::V26_06).recorded("start").start().await;
    let at_start = Books {
        routed: 47_508,
        forwards: 33,
        named: 33,
        open: 332_000,
        channels: 3,
        pushed: 1_000_000_000,
        ..Books::default()
    };
    until(&stage, "at the start", &at_start).await;
    let after_sling = Books { rebalances: (15, 900_225), paired: 15, ..at_start.clone() };
    let after_splice = Books { splice: 258_000, ..after_sling.clone() };
    for (phase, books) in
        [("after-sling", after_sling), ("after-splice", after_splice), ("after-close", expected)]
    {
        stage.lab.enter_phase(phase).unwrap();
        for news in stage.lab.recorded_notifications() {
            stage.lab.notify(&news);
        }
        until(&stage, phase, &books).await;
    }
    stage.end().await;
}
