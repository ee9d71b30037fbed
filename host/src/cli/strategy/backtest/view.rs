//! What the plugin would see of the market, and what it would tell a strategy.

use super::Entrant;
use super::world::{START_S, World};
use crate::guard::fee::bounds;
use crate::model::strategy::{ChannelRow, FeeInput};
use crate::model::{
    Channel, ChannelId, ChannelState, Htlcs, Msat, NodeSnapshot, Opener, PeerId, Policy, Ppm, Scid, Tick,
    UnixTime,
};
use anyhow::Result;
use lab::market::{self, Direction};
use lab::rng::Rng;

/// Seconds between blocks.
const BLOCK_S: u64 = 600;
/// Height of the chain at the start.
const HEIGHT: u32 = 900_000;

impl World<'_> {
    /// Feerate now, sat per 1000 vbytes.
    pub(super) fn feerate(&self) -> u32 {
        let since = (self.now.0 - START_S) as f64;
        let steps = &self.stage.spec.feerates;
        let step = steps.iter().rev().find(|step| step.at_s <= since).or(steps.first());
        step.map_or(0, |step| (step.sat_per_vb * 1_000.0) as u32)
    }

    pub(super) fn snapshot(&self) -> Result<NodeSnapshot> {
        let height = HEIGHT + u32::try_from((self.now.0 - START_S) / BLOCK_S)?;
        let mut rng = Rng::stream(self.seed, self.now.0);
        let channels = self.stage.channels.iter().map(|(index, _)| self.channel(*index)).collect();
        Ok(NodeSnapshot {
            tick: Tick { now: self.now, seed: rng.next_u64() >> 11 },
            node_id: PeerId([2; 33]),
            network: "regtest".to_owned(),
            blockheight: height,
            not_synced: None,
            feerate_perkb: Some(self.feerate()),
            channels,
        })
    }

    fn channel(&self, index: usize) -> Channel {
        let (now, spec) = (self.market.channel(index), &self.stage.spec.channels[index]);
        let fee = now.fee();
        let opened = HEIGHT - ((spec.age_days * 144.0) as u32).min(HEIGHT);
        let mut id = [0; 32];
        id[..8].copy_from_slice(&(index as u64 + 1).to_be_bytes());
        let mut peer = [2; 33];
        peer[..8].copy_from_slice(&(spec.peer as u64 + 1).to_be_bytes());
        Channel {
            channel_id: ChannelId(id),
            scid: Some(Scid { block: opened, transaction: 1, output: 0 }),
            alias_local: None,
            peer_id: PeerId(peer),
            peer_connected: now.usable,
            state: ChannelState::Normal,
            opener: match spec.opener {
                market::Opener::Local => Opener::Local,
                market::Opener::Remote => Opener::Remote,
            },
            private: !spec.public,
            total: Msat(now.capacity_msat),
            to_us: Msat(now.our_msat),
            spendable: Msat(now.spendable_msat()),
            receivable: Msat(now.receivable_msat()),
            fee_base: Msat(fee.base_msat),
            fee_ppm: Ppm(fee.ppm),
            htlc_min: Msat(fee.htlc_min_msat),
            htlc_max: Msat(fee.htlc_max_msat),
            peer_fee_ppm: Some(Ppm(spec.peer_ppm)),
            htlcs: Htlcs {
                incoming: now.htlc_count(Direction::In),
                outgoing: now.htlc_count(Direction::Out),
                slots: u32::from(now.slots),
            },
            funding_txid: None,
        }
    }

    pub(super) fn input(
        &mut self,
        entrant: &Entrant,
        snapshot: &NodeSnapshot,
        policies: &[Policy],
    ) -> FeeInput {
        let (feerate, day) = (self.feerate(), self.now.minus(UnixTime::DAY));
        let hours: Vec<u32> =
            self.feerates.range(day.0 / UnixTime::HOUR..).map(|(_, feerate)| *feerate).collect();
        let mean = hours.iter().map(|feerate| u64::from(*feerate)).sum::<u64>() / hours.len().max(1) as u64;
        let rows = snapshot.channels.iter().zip(policies).zip(self.states.0.iter()).enumerate();
        let channels: Vec<ChannelRow> = rows
            .map(|(row, ((channel, policy), state))| {
                let index = self.stage.channels[row].0;
                self.row(index, channel, policy, state.to_vec())
            })
            .collect();
        let sum = |amount: fn(&ChannelRow) -> Msat| channels.iter().map(amount).sum::<Msat>();
        FeeInput {
            now: self.now,
            cycle_s: u32::try_from(self.config.fee_interval).unwrap_or(u32::MAX),
            seed: snapshot.tick.seed,
            block_height: snapshot.blockheight,
            feerate_perkb: feerate,
            feerate_mean_day_perkb: if hours.is_empty() { feerate } else { mean as u32 },
            feerate_hours_perkb: hours,
            node_capacity: sum(|row| row.capacity),
            node_local: sum(|row| row.local),
            node_earned_day: sum(|row| row.earned_day),
            node_earned_week: sum(|row| row.earned_week),
            params: entrant.params.clone(),
            signals: vec![],
            node_state: self.states.1.clone(),
            channels,
        }
    }

    fn row(&self, index: usize, channel: &Channel, policy: &Policy, state: Vec<u8>) -> ChannelRow {
        let book = &self.books[index];
        let (day, week) =
            (book.sums(self.now.minus(UnixTime::DAY)), book.sums(self.now.minus(7 * UnixTime::DAY)));
        let bounds = bounds(policy, &self.config, Some(self.feerate()), false);
        let flow = book.flow.as_ref();
        ChannelRow {
            pseudonym: index as u64 + 1,
            peer_pseudonym: self.stage.spec.channels[index].peer as u64 + 1,
            opener: channel.opener,
            public: !channel.private,
            connected: channel.peer_connected,
            age_blocks: channel.age_blocks(HEIGHT + ((self.now.0 - START_S) / BLOCK_S) as u32),
            capacity: channel.total,
            local: channel.to_us,
            spendable: channel.spendable,
            receivable: channel.receivable,
            htlcs_in: channel.htlcs.incoming,
            htlcs_out: channel.htlcs.outgoing,
            htlc_slots: channel.htlcs.slots,
            fee: channel.fee_ppm,
            base_fee: channel.fee_base,
            htlc_max: channel.htlc_max,
            peer_fee: channel.peer_fee_ppm,
            min_fee: bounds.min,
            max_fee: bounds.max,
            target: None,
            in_day: day.incoming,
            out_day: day.outgoing,
            in_week: week.incoming,
            out_week: week.outgoing,
            earned_day: day.earned,
            earned_week: week.earned,
            sourced_week: week.sourced,
            forwards_out_week: week.count_out,
            forwards_in_week: week.count_in,
            forwards_out_total: book.forwards_out,
            last_out: book.last_out,
            flow: flow.map(|flow| flow.class).unwrap_or_default(),
            flow_ratio: flow.map_or(0.0, |flow| flow.flow_ratio),
            velocity: flow.map_or(0.0, |flow| flow.velocity),
            confidence: flow.map_or(0.0, |flow| flow.confidence),
            rebalance_cost: None,
            last_verdict: book.verdict,
            last_proposed: book.proposed,
            last_change: book.changes.last().copied().unwrap_or_default(),
            updates_left: self.config.max_updates_per_day.saturating_sub(book.updates_today(self.now)),
            intervals: book.shown(),
            state,
        }
    }
}
