//! The look at the node: its channels, open and closed, and what it owns.

use crate::cycles::Services;
use crate::model::life::LiveChannel;
use crate::store::{forwards, funds, lives};
use anyhow::{Context, Result};

impl Services {
    /// Notes channels, closures and funds as they are now. Returns how many channels there ever were.
    pub(super) async fn look_at_channels(&self) -> Result<usize> {
        let (live, count) = self.observe_channels().await?;
        let node = self.node.funds().await.context("looking at what the node owns")?;
        let splicing = self.node.splicing_peers().await.context("listpeers")?;
        let now = self.now();
        self.store
            .write(move |tx| {
                funds::put_channels(tx, &live, &splicing, now)?;
                Ok(funds::put_node(tx, &node, now)?)
            })
            .await?;
        Ok(count)
    }

    /// Notes channels and closures as they are now. Returns the channels that live, and how many there ever
    /// were.
    pub(in crate::cycles) async fn observe_channels(&self) -> Result<(Vec<LiveChannel>, usize)> {
        let live = self.node.live_channels().await.context("listpeerchannels")?;
        let closed = self.node.closed_channels().await.context("listclosedchannels")?;
        let now = self.now();
        self.store
            .write(move |tx| {
                lives::observe_live(tx, &live, now)?;
                lives::observe_closed(tx, &closed, now)?;
                forwards::claim_strays(tx)?;
                let count = live.len() + closed.len();
                Ok((live, count))
            })
            .await
    }
}
