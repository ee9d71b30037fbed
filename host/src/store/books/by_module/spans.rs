//! Who was in force on a channel at an instant.

use crate::model::{ChannelId, UnixTime};
use crate::store::tenures::Tenure;
use crate::store::window::FOR_EVER;
use std::collections::HashMap;

struct Span {
    from: UnixTime,
    to: UnixTime,
    /// The module's place among all.
    module: usize,
}

/// The tenures of all channels, each channel's in order of time.
pub(super) struct Spans(HashMap<ChannelId, Vec<Span>>);

impl Spans {
    /// From tenures in order of channel and time, with their modules' places; each end as `round` has it.
    pub fn new(tenures: &[Tenure], places: &[usize], round: impl Fn(UnixTime) -> UnixTime) -> Spans {
        let mut spans: HashMap<ChannelId, Vec<Span>> = HashMap::new();
        for (tenure, module) in tenures.iter().zip(places) {
            let (from, to) = (round(tenure.from), tenure.to.map_or(FOR_EVER, &round));
            if from < to {
                let of_channel = spans.entry(tenure.held.channel_id).or_default();
                of_channel.push(Span { from, to, module: *module });
            }
        }
        Spans(spans)
    }

    /// The module in force at an instant.
    pub fn at(&self, channel: &ChannelId, at: UnixTime) -> Option<usize> {
        self.begun(channel, at).filter(|span| at < span.to).map(|span| span.module)
    }

    /// The module in force at an instant, or before it if none was any more.
    pub fn last(&self, channel: &ChannelId, at: UnixTime) -> Option<usize> {
        self.begun(channel, at).map(|span| span.module)
    }

    /// All instants at which a module came or went.
    pub fn ends(&self) -> impl Iterator<Item = UnixTime> {
        let spans = self.0.values().flatten();
        spans.flat_map(|span| [span.from, span.to]).filter(|end| *end < FOR_EVER)
    }

    fn begun(&self, channel: &ChannelId, at: UnixTime) -> Option<&Span> {
        let spans = self.0.get(channel)?;
        spans.partition_point(|span| span.from <= at).checked_sub(1).map(|place| &spans[place])
    }
}
