//! What the plugin would know of a channel's past: its flow by the hour, its stretches of constant
//! rate, its changes.

use crate::econ::flow::{ChannelFlow, Thresholds, analyze};
use crate::model::flow::{FlowHour, FlowState};
use crate::model::strategy::{FeeInterval, LastVerdict};
use crate::model::{ChannelId, Msat, PeerId, Ppm, UnixTime};
use lab::market::{Forward, Refusal, Status, seconds};
use std::collections::BTreeMap;

/// As the plugin counts: senders act on the rate before for the first hour after a change.
const BURN_IN_S: u64 = 3_600;
/// Most intervals that a strategy is shown.
const SHOWN: usize = 8;
/// Hours of flow that are kept.
const KEPT_S: u64 = 8 * UnixTime::DAY;
/// A channel that cannot send this much is not usable.
pub(super) const LEAST_USABLE: Msat = Msat::from_sats(50_000);

/// One channel's past.
pub(super) struct Book {
    hours: BTreeMap<u64, FlowHour>,
    pub intervals: Vec<FeeInterval>,
    /// When the rate changed, oldest first.
    pub changes: Vec<UnixTime>,
    /// The rate in force was set because of congestion.
    pub from_congestion: bool,
    pub verdict: LastVerdict,
    pub proposed: Option<Ppm>,
    pub last_out: Option<UnixTime>,
    pub forwards_out: u32,
    pub earned: Msat,
    pub flow: Option<FlowState>,
}

/// Settled flow of a window.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    pub incoming: Msat,
    pub outgoing: Msat,
    pub earned: Msat,
    pub sourced: Msat,
    pub count_in: u32,
    pub count_out: u32,
}

impl Book {
    pub fn new(now: UnixTime, fee: Ppm) -> Book {
        Book {
            hours: BTreeMap::new(),
            intervals: vec![running(now, fee)],
            changes: vec![],
            from_congestion: false,
            verdict: LastVerdict::None,
            proposed: None,
            last_out: None,
            forwards_out: 0,
            earned: Msat::ZERO,
            flow: None,
        }
    }

    fn hour(&mut self, at: UnixTime) -> &mut FlowHour {
        let start = at.0 / UnixTime::HOUR * UnixTime::HOUR;
        self.hours.entry(start).or_insert_with(|| FlowHour { start: UnixTime(start), ..FlowHour::default() })
    }

    /// A forward that left here has ended.
    pub fn left(&mut self, forward: &Forward) {
        let received = UnixTime(seconds(forward.received_us) as u64);
        let ended = UnixTime(forward.resolved_us.map_or(received.0, |at| seconds(at) as u64));
        let interval = self.intervals.iter_mut().rev().find(|interval| interval.start <= received);
        let counted = interval.filter(|interval| received >= interval.start.plus(BURN_IN_S));
        if let Some(interval) = counted {
            match (forward.status, forward.refusal) {
                (Status::Settled, _) => {
                    interval.settled += 1;
                    interval.out += Msat(forward.out_msat);
                    interval.earned += Msat(forward.fee_msat());
                }
                (Status::Failed, _) => interval.failed_downstream += 1,
                (Status::LocalFailed, Some(Refusal::TemporaryChannelFailure)) => {
                    interval.failed_liquidity += 1
                }
                (Status::LocalFailed | Status::Offered, _) => {}
            }
        }
        if forward.status == Status::Settled {
            let hour = self.hour(ended);
            hour.out_msat += Msat(forward.out_msat);
            hour.earned += Msat(forward.fee_msat());
            hour.out_count += 1;
            self.earned += Msat(forward.fee_msat());
            self.forwards_out += 1;
            self.last_out = Some(ended);
        }
    }

    /// A forward that entered here has ended.
    pub fn entered(&mut self, forward: &Forward) {
        if forward.status == Status::Settled {
            let ended = UnixTime(seconds(forward.resolved_us.unwrap_or(forward.received_us)) as u64);
            let hour = self.hour(ended);
            hour.in_msat += Msat(forward.in_msat);
            hour.sourced += Msat(forward.fee_msat());
            hour.in_count += 1;
        }
    }

    /// Time went by: adds usable time since the last look, and analyzes the flow anew.
    pub fn look(&mut self, now: UnixTime, usable: bool, capacity: Msat, thresholds: Thresholds, days: u32) {
        if let Some(last) = self.intervals.last_mut() {
            let since = last.end.max(last.start.plus(BURN_IN_S));
            let live = if usable { now.since(since) } else { 0 };
            last.live_s = last.live_s.saturating_add(u32::try_from(live).unwrap_or(u32::MAX));
            last.end = now;
        }
        self.hours = self.hours.split_off(&now.minus(KEPT_S).0);
        let hours: Vec<FlowHour> = self.hours.values().copied().collect();
        // One market knows no ids; the analysis only hands them back.
        let (channel_id, peer_id) = (ChannelId([0; 32]), PeerId([2; 33]));
        let flow = ChannelFlow { channel_id, peer_id, capacity, hours: &hours };
        self.flow = Some(analyze(&flow, self.flow.as_ref(), thresholds, days, now));
    }

    /// A new rate is in force.
    pub fn change(&mut self, now: UnixTime, fee: Ppm, congestion: bool) {
        self.changes.push(now);
        self.intervals.push(running(now, fee));
        self.from_congestion = congestion;
    }

    /// Changes in the last 24 hours.
    pub fn updates_today(&self, now: UnixTime) -> u32 {
        updates_today(&self.changes, now)
    }

    /// The newest intervals, oldest first.
    pub fn shown(&self) -> Vec<FeeInterval> {
        self.intervals[self.intervals.len().saturating_sub(SHOWN)..].to_vec()
    }

    /// Flow since an instant, by whole hours.
    pub fn sums(&self, since: UnixTime) -> Sums {
        self.hours.range(since.0..).fold(Sums::default(), |sums, (_, hour)| Sums {
            incoming: sums.incoming + hour.in_msat,
            outgoing: sums.outgoing + hour.out_msat,
            earned: sums.earned + hour.earned,
            sourced: sums.sourced + hour.sourced,
            count_in: sums.count_in + hour.in_count,
            count_out: sums.count_out + hour.out_count,
        })
    }
}

/// How many of these changes, oldest first, were made in the last 24 hours.
pub(in crate::cli::strategy) fn updates_today(changes: &[UnixTime], now: UnixTime) -> u32 {
    let today = changes.iter().rev().take_while(|at| now.since(**at) < UnixTime::DAY);
    u32::try_from(today.count()).unwrap_or(u32::MAX)
}

fn running(start: UnixTime, fee: Ppm) -> FeeInterval {
    FeeInterval {
        start,
        end: start,
        fee,
        live_s: 0,
        settled: 0,
        failed_liquidity: 0,
        failed_downstream: 0,
        out: Msat::ZERO,
        earned: Msat::ZERO,
    }
}
