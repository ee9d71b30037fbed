//! A channel that more went through than anybody wants to hold in memory.

#![allow(clippy::unwrap_used)]

use super::lives::{RATE, until_equal};
use crate::support::Stage;
use lab::Flavour;

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
    let at_start = stage.plugin.peak_rss_kib().unwrap() / 1024;
    until_equal(&stage, "after a month").await;
    let peak = stage.plugin.peak_rss_kib().unwrap() / 1024;
    eprintln!("{at_start} MiB at the start, {peak} MiB at most");
    assert!(peak < 150, "{peak} MiB");
    stage.end().await;
}
