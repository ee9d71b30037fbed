//! A channel that more went through than anybody wants to hold in memory.

#![allow(clippy::unwrap_used)]

use super::lives::{Books, RATE, of_node, of_store};
use crate::support::{DEADLINE, Stage, wait_until};
use lab::Flavour;
use serde_json::json;

/// What opening the channels cost, which only their accounts tell.
fn openings(books: Books) -> Books {
    books.into_iter().filter(|(key, _)| key.ends_with(" open")).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn two_hundred_thousand_movements_of_one_channel_are_read_in_little_memory() {
    let setup = Stage::on(Flavour::V26_06).channels(2).rate(RATE).option("rpc-timeout-seconds", 300);
    let backstage = setup.build().await;
    // Seven of ten settle, and each leaves a row in the accounts of both channels.
    backstage.lab.with_node(|node| {
        let now = node.now_unix_s();
        node.inject_forwards(290_000, now - 30.0 * 86_400.0, now);
    });
    let stage = backstage.start().await;
    stage.until_ready().await;
    wait_until(5 * DEADLINE, async || {
        let (stored, listed) = (openings(of_store(&stage)), openings(of_node(&stage)));
        if stored == listed { Ok(()) } else { Err(json!(format!("{stored:?} stored, {listed:?} listed"))) }
    })
    .await;
    let peak = stage.plugin.peak_rss_kib().unwrap() / 1024;
    eprintln!("{peak} MiB at most");
    assert!(peak < 150, "{peak} MiB");
    stage.plugin.kill().await.unwrap();
}
