//! Lists of the node that begin anew: it was rebuilt from its key.

#![allow(clippy::unwrap_used)]

use super::lives::{RATE, until_equal};
use crate::support::{Stage, why_degraded};
use lab::Flavour;

/// Forwards, and payments to ourselves, one after another.
fn pass(stage: &Stage, forwards: usize, payments: usize) {
    stage.lab.with_node(|node| {
        for n in 0..forwards as u64 {
            assert!(node.forward(0, 1, 1_000_000 + n, 700 + n), "a channel is empty");
        }
        for n in 0..payments as u64 {
            assert!(node.rebalance(2, 3, 2_000_000 + n, 300 + n), "a channel is empty");
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_does_after_it_was_rebuilt_is_booked_with_what_it_did_before() {
    for (flavour, has_counters) in
        [(Flavour::V23_05, false), (Flavour::V24_11, true), (Flavour::V26_06, true)]
    {
        let mut stage = Stage::on(flavour).channels(5).rate(RATE).start().await;
        pass(&stage, 12, 6);
        until_equal(&stage, &format!("{flavour:?} before")).await;
        stage.plugin.stop().await.unwrap();
        stage.lab.with_node(|node| node.begin_lists_anew());
        pass(&stage, 5, 2);
        stage.start_again().await;
        until_equal(&stage, &format!("{flavour:?} rebuilt")).await;
        let status = stage.status().await;
        for part in ["forwards", "payments"] {
            let why = why_degraded(&status, part);
            assert_eq!(why.is_some(), has_counters, "{flavour:?} {part}: {status}");
            assert!(why.is_none_or(|why| why.contains(&format!("list of {part} began anew"))), "{status}");
        }
        pass(&stage, 20, 10);
        until_equal(&stage, &format!("{flavour:?} later")).await;
        stage.end().await;
    }
}
