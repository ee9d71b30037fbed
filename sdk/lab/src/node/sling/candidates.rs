//! Whom a job may use, and over which way.

use super::super::NodeState;
use super::super::channel_json::COMMITMENT_FEE_MSAT;
use super::job::{Job, SatDirection};
use super::routes::effective_ppm;
use super::task::TaskState;
use crate::ids::Scid;
use crate::market::{Direction, Micros, Opener};

/// A channel that failed is left alone this long.
const BAN: Micros = 600_000_000;
/// So is a peer that sent money by the wrong channel.
const BAD_PEER: Micros = 3_600_000_000;
/// A candidate keeps this much beside the amount, msat.
const SPARE_MSAT: u64 = 10_000_000;

/// Whether a job's channel may be worked on now.
pub(super) enum Health {
    Fit,
    /// Not now: say so and rest for so many seconds.
    Rest(TaskState, u64),
    /// Never again: the channel is gone or closing.
    Gone,
}

/// One way around.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub candidate: usize,
    pub from: usize,
    pub to: usize,
    pub fee_msat: u64,
}

impl NodeState {
    /// What `listpeerchannels` says we can send.
    pub(super) fn sling_spendable(&self, index: usize) -> u64 {
        let ours = self.channels[index].opener == Opener::Local;
        let spendable = self.market.channel(index).spendable_msat();
        spendable.saturating_sub(if ours { COMMITMENT_FEE_MSAT } else { 0 })
    }

    fn htlcs(&self, index: usize) -> u64 {
        let channel = self.market.channel(index);
        u64::from(channel.htlc_count(Direction::In) + channel.htlc_count(Direction::Out))
    }

    fn is_banned(&self, scid: Scid) -> bool {
        self.sling.memory.bans.get(&scid).is_some_and(|since| self.now() < since + BAN)
    }

    fn is_bad(&self, index: usize) -> bool {
        let since = self.sling.memory.bad_peers.get(&self.channels[index].peer_id);
        since.is_some_and(|since| self.now() < since + BAD_PEER)
    }

    pub(super) fn job_health(&self, scid: Scid, job: &Job) -> Health {
        let Ok(index) = self.sling_channel(scid) else { return Health::Gone };
        let room = match job.direction {
            SatDirection::Pull => self.market.channel(index).receivable_msat(),
            SatDirection::Push => self.sling_spendable(index),
        };
        if self.is_balanced(index, job) || room < job.amount_msat {
            return Health::Rest(TaskState::Balanced, 600);
        }
        if self.htlcs(index) > self.sling.options.max_htlc_count {
            return Health::Rest(TaskState::HtlcCapped, 10);
        }
        if !self.channels[index].connected {
            return Health::Rest(TaskState::Disconnected, 60);
        }
        if self.is_banned(scid) {
            return Health::Rest(TaskState::PeerNotReady, 20);
        }
        match job.direction == SatDirection::Pull && self.is_bad(index) {
            true => Health::Rest(TaskState::PeerBad, 60),
            false => Health::Fit,
        }
    }

    /// True if a stored job is at its target; a once-job's target is the whole channel.
    fn is_balanced(&self, index: usize, job: &Job) -> bool {
        let money = self.market.channel(index);
        let most = money.capacity_msat - money.reserve_msat;
        let mut wanted = (money.capacity_msat as f64 * job.target.unwrap_or(0.5)) as u64;
        if wanted >= most - 1000 {
            wanted = most - 2000;
        }
        if job.once_msat.is_some() {
            wanted = money.capacity_msat;
        }
        match job.direction {
            SatDirection::Pull => money.our_msat >= wanted,
            SatDirection::Push => money.capacity_msat - money.our_msat >= wanted,
        }
    }

    /// Indices of the channels that may give (pull) or take (push).
    pub(super) fn job_candidates(&self, scid: Scid, job: &Job) -> Vec<usize> {
        (0..self.channels.len()).filter(|&index| self.is_candidate(index, scid, job)).collect()
    }

    fn is_candidate(&self, index: usize, job_scid: Scid, job: &Job) -> bool {
        let channel = &self.channels[index];
        let named = match job.candidates.as_deref() {
            None | Some([]) => true,
            Some(named) => named.contains(&channel.scid),
        };
        let push = job.direction == SatDirection::Push;
        let excluded = self.sling.memory.exclude[usize::from(push)].contains(&channel.scid);
        let youngest = self.block_height.saturating_sub(self.sling.options.candidates_min_age);
        channel.scid != job_scid
            && named
            && !excluded
            && !self.is_banned(channel.scid)
            && !(push && self.is_bad(index))
            && channel.state.carries_payments()
            && channel.connected
            && (channel.scid.0 >> 40) <= u64::from(youngest)
            && self.has_liquidity(index, job)
            && self.has_price(index, job)
            && self.htlcs(index) <= self.sling.options.max_htlc_count
    }

    /// True if the channel has more than it must keep: the amount and some, and the smaller of
    /// what the two deplete parameters say.
    fn has_liquidity(&self, index: usize, job: &Job) -> bool {
        let (money, options) = (self.market.channel(index), &self.sling.options);
        let share = job.depleteuptopercent.unwrap_or(options.depleteuptopercent);
        let amount = job.depleteuptoamount_msat.unwrap_or(options.depleteuptoamount_msat(self.sling.version));
        let keeps = ((share * money.capacity_msat as f64) as u64).min(amount);
        let keeps = keeps.max(job.amount_msat.saturating_add(SPARE_MSAT));
        let has = match job.direction {
            SatDirection::Pull => money.our_msat,
            SatDirection::Push => money.capacity_msat - money.our_msat,
        };
        has > keeps
    }

    fn has_price(&self, index: usize, job: &Job) -> bool {
        let out_ppm = u64::from(effective_ppm(self.fee(index).msat(job.amount_msat), job.amount_msat));
        let in_ppm = effective_ppm(self.peer_fee_msat(index, job.amount_msat), job.amount_msat);
        match job.direction {
            SatDirection::Pull => job.outppm.is_none_or(|most| out_ppm <= most),
            SatDirection::Push => job.outppm.is_none_or(|least| out_ppm >= least) && in_ppm <= job.maxppm,
        }
    }

    /// What the peer asks for sending an amount to us, msat.
    fn peer_fee_msat(&self, index: usize, amount_msat: u64) -> u64 {
        let channel = &self.channels[index];
        let proportional = u128::from(amount_msat) * u128::from(channel.peer_ppm);
        channel.peer_base_msat + proportional.div_ceil(1_000_000) as u64
    }

    /// The cheapest way that sling believes in.
    pub(super) fn cheapest_way(&self, scid: Scid, job: &Job, candidates: &[usize]) -> Option<Way> {
        let index = self.sling_channel(scid).ok()?;
        let ways = candidates.iter().filter_map(|&candidate| {
            let (from, to) = match job.direction {
                SatDirection::Pull => (candidate, index),
                SatDirection::Push => (index, candidate),
            };
            let excepted =
                |index: usize| self.sling.files.except_peers.contains(&self.channels[index].peer_id);
            let largest = self.fee(candidate).htlc_max_msat;
            if excepted(from) || excepted(to) || largest / 2 < job.amount_msat {
                return None;
            }
            let last_hop_msat = self.peer_fee_msat(to, job.amount_msat);
            let fee_msat = self.sling.routes.fee_msat(from, to, job.amount_msat, last_hop_msat)?;
            Some(Way { candidate, from, to, fee_msat })
        });
        ways.min_by_key(|way| (way.fee_msat, way.candidate))
    }
}
