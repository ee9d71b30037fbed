//! Which channels are, or were, this node's, and where its records begin.

use super::rows::Rows;
use super::{BAD_PARAMETERS, CallError, Group, Node};
use crate::model::{ChannelId, PeerId, Scid, UnixTime};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::time::Duration;

/// How long a list of everything that ever happened may take: without it nothing starts.
const PATIENCE: Duration = Duration::from_secs(300);

/// A channel that the node lists, open or closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedChannel {
    pub channel_id: ChannelId,
    /// Absent for a closed channel whose peer the node has forgotten.
    pub peer_id: Option<PeerId>,
    /// Its short channel id and alias, as far as there are any.
    pub names: Vec<Scid>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    peer_id: Option<String>,
    channel_id: Option<String>,
    short_channel_id: Option<String>,
    alias: Option<Alias>,
}

#[derive(Debug, Deserialize)]
struct Alias {
    local: Option<String>,
}

#[derive(Deserialize)]
struct Forwarded {
    received_time: Option<f64>,
}

#[derive(Deserialize)]
struct Paid {
    created_at: Option<u64>,
}

impl Listed {
    /// The channel, unless it is only being negotiated.
    fn channel(self) -> Option<ListedChannel> {
        let alias = self.alias.as_ref().and_then(|alias| alias.local.as_deref());
        let names = self.short_channel_id.as_deref().into_iter().chain(alias);
        Some(ListedChannel {
            channel_id: self.channel_id.as_deref()?.parse().ok()?,
            peer_id: self.peer_id.as_deref().and_then(|id| id.parse().ok()),
            names: names.filter_map(|name| name.parse().ok()).collect(),
        })
    }
}

impl Node {
    /// Every channel that the node lists, the closed ones too: two calls.
    pub async fn roster(&self) -> Result<Vec<ListedChannel>, CallError> {
        let list = |list, method| {
            self.call_streamed(Rows::of(list, Listed::channel), Group::Read, method, json!({}))
        };
        let mut channels = list("channels", "listpeerchannels").await?;
        channels.extend(list("closedchannels", "listclosedchannels").await?);
        Ok(channels)
    }

    /// When the first settled forward that the node lists was received: one call, which is a long one
    /// before lightningd v23.11.
    pub async fn first_forward(&self) -> Result<Option<UnixTime>, CallError> {
        let rows = || Rows::of("forwards", |row: Forwarded| Some(UnixTime(row.received_time? as u64)));
        self.first(rows, Group::Forwards, "listforwards", "settled").await
    }

    /// When the first completed payment that the node lists was made: one call, as above.
    pub async fn first_payment(&self) -> Result<Option<UnixTime>, CallError> {
        let rows = || Rows::of("payments", |row: Paid| row.created_at.map(UnixTime));
        self.first(rows, Group::Read, "listsendpays", "complete").await
    }

    /// The earliest of the first row with this status, or of all of them from a lightningd that cannot
    /// list pages.
    async fn first<Row, Keep>(
        &self,
        rows: impl Fn() -> Rows<Row, Keep>,
        group: Group,
        method: &str,
        status: &str,
    ) -> Result<Option<UnixTime>, CallError>
    where
        Row: DeserializeOwned + 'static,
        Keep: FnMut(Row) -> Option<UnixTime> + Send + 'static,
    {
        let page = json!({ "status": status, "index": "created", "start": 1, "limit": 1 });
        let ask = |params| self.call_streamed_within(PATIENCE, rows(), group, method, params);
        let times = match ask(page).await {
            Err(CallError::Refused { code: Some(BAD_PARAMETERS), .. }) => {
                ask(json!({ "status": status })).await?
            }
            answer => answer?,
        };
        Ok(times.into_iter().min())
    }
}
