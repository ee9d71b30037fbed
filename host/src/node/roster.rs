//! Which channels are, or were, this node's, and where its records begin.

use super::{BAD_PARAMETERS, CallError, Group, Node};
use crate::model::{ChannelId, PeerId, Scid, UnixTime};
use serde::Deserialize;
use serde_json::{Value, json};

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

#[derive(Debug, Deserialize)]
struct OpenList {
    channels: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
struct ClosedList {
    closedchannels: Vec<Listed>,
}

impl Listed {
    /// The channel, unless it is only being negotiated.
    fn channel(&self) -> Option<ListedChannel> {
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
        let open: OpenList = self.call(Group::Read, "listpeerchannels", json!({})).await?;
        let closed: ClosedList = self.call(Group::Read, "listclosedchannels", json!({})).await?;
        Ok(open.channels.iter().chain(&closed.closedchannels).filter_map(Listed::channel).collect())
    }

    /// When the first settled forward that the node lists was received: one call, which is a long one
    /// before lightningd v23.11.
    pub async fn first_forward(&self) -> Result<Option<UnixTime>, CallError> {
        let answer = self.first(Group::Forwards, "listforwards", "settled").await?;
        let times = answer["forwards"].as_array().into_iter().flatten();
        Ok(times.filter_map(|row| row["received_time"].as_f64()).map(|at| UnixTime(at as u64)).min())
    }

    /// When the first completed payment that the node lists was made: one call, as above.
    pub async fn first_payment(&self) -> Result<Option<UnixTime>, CallError> {
        let answer = self.first(Group::Read, "listsendpays", "complete").await?;
        let times = answer["payments"].as_array().into_iter().flatten();
        Ok(times.filter_map(|row| row["created_at"].as_u64()).map(UnixTime).min())
    }

    /// The first row with this status, or all of them from a lightningd that cannot list pages.
    async fn first(&self, group: Group, method: &str, status: &str) -> Result<Value, CallError> {
        let page = json!({ "status": status, "index": "created", "start": 1, "limit": 1 });
        match self.call(group, method, page).await {
            Err(CallError::Refused { code: Some(BAD_PARAMETERS), .. }) => {
                self.call(group, method, json!({ "status": status })).await
            }
            answer => answer,
        }
    }
}
