//! Names that channels bore only while the plugin was down.

#![allow(clippy::unwrap_used)]

use super::lives::{RATE, assert_whole, until_equal};
use crate::support::Stage;
use lab::{Flavour, Lab};

/// What forwards through each of the two channels earn, msat.
const FEES: [u64; 2] = [1_111, 2_222];

/// Both channels are spliced in one block, earn something, and are spliced again: each has another name
/// than before, that neither the plugin nor any list of channels ever saw.
pub(super) fn splice_twice(lab: &Lab) {
    lab.with_node(|node| {
        for fees in [Some(FEES), None] {
            node.mine(1);
            for index in 0..2 {
                node.splice(index, 100_000_000);
            }
            for (index, fee_msat) in fees.into_iter().flatten().enumerate() {
                node.forward(index + 2, index, 1_000_000, fee_msat);
            }
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn two_channels_spliced_in_one_block_while_nobody_looks_keep_their_own_histories() {
    for flavour in Flavour::ALL {
        let mut stage = Stage::on(flavour).channels(4).rate(RATE).start().await;
        until_equal(&stage, "before").await;
        stage.plugin.stop().await.unwrap();
        splice_twice(&stage.lab);
        stage.start_again().await;
        until_equal(&stage, &format!("{flavour:?} after splices")).await;
        stage.plugin.stop().await.unwrap();
        assert_whole(&stage);
    }
}
