//! The flow cycle: which channels drain, which fill, and how sure that is.

use super::Services;
use crate::config::Config;
use crate::econ::flow::{self as analysis, ChannelFlow};
use crate::model::flow::FlowState;
use crate::model::{Channel, UnixTime};
use crate::store::{flow, senders};
use anyhow::{Context, Result};

/// A channel's flow, with what the analysis was made from.
pub struct Analyzed {
    pub channel: Channel,
    pub flow: FlowState,
}

impl Services {
    /// Analyzes all open channels and stores the result.
    pub async fn flow_cycle(&self) -> Result<String> {
        if let Err(error) = self.ingest_forwards().await {
            tracing::warn!("analyzing without the newest forwards: {error:#}");
        }
        let analyzed = self.analyze().await?;
        let count = analyzed.len();
        let states: Vec<FlowState> = analyzed.into_iter().map(|analyzed| analyzed.flow).collect();
        let (config, now) = (self.config(), self.now());
        self.store
            .write(move |tx| {
                senders::advance(tx, config.reputation_decay, config.flow_interval, now)?;
                Ok(flow::put_states(tx, &states)?)
            })
            .await?;
        Ok(format!("{count} channels analyzed"))
    }

    /// Analyzes all open channels as they are now, and stores nothing.
    pub async fn analyze(&self) -> Result<Vec<Analyzed>> {
        let channels = self.node.channels().await.context("listpeerchannels")?;
        let (now, config) = (self.now(), self.config());
        self.store
            .read(move |conn| {
                let since = now.minus(config.flow_window_days * UnixTime::DAY);
                let (mut hours, previous) = (flow::hours(conn, since)?, flow::load_states(conn)?);
                let open = channels.into_iter().filter(|channel| channel.state.is_open());
                Ok(open
                    .map(|channel| {
                        let hours = hours.remove(&channel.channel_id).unwrap_or_default();
                        let previous = previous.get(&channel.channel_id);
                        let flow = analyze_one(&channel, &hours, previous, &config, now);
                        Analyzed { channel, flow }
                    })
                    .collect())
            })
            .await
    }
}

fn analyze_one(
    channel: &Channel,
    hours: &[crate::model::flow::FlowHour],
    previous: Option<&FlowState>,
    config: &Config,
    now: UnixTime,
) -> FlowState {
    analysis::analyze(
        &ChannelFlow {
            channel_id: channel.channel_id,
            peer_id: channel.peer_id,
            capacity: channel.total,
            hours,
        },
        previous,
        analysis::Thresholds { source: config.source_threshold, sink: config.sink_threshold },
        u32::try_from(config.flow_window_days).unwrap_or(u32::MAX),
        now,
    )
}
