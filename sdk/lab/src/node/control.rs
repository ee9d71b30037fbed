//! What tests and the demo may look at and change behind the node's back.

use anyhow::Context;

use super::books::Move;
use super::{Channel, Extra, NodeState, Recorded};
use crate::ids::Scid;
use crate::market::{Direction, Fee, Forward, Market, Status, micros};
use crate::rng::Rng;

impl NodeState {
    /// All channels, closed ones included, in the order of their indices.
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// The market behind the channels.
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// Index of the channel with a scid or local alias.
    pub fn index_of(&self, scid: Scid) -> Option<usize> {
        self.channels.iter().position(|channel| channel.is_named(scid))
    }

    /// The fee in force on a channel.
    pub fn fee(&self, index: usize) -> Fee {
        self.market.channel(index).fee()
    }

    /// Sets our proportional fee as another user of `setchannel` would, ppm.
    pub fn set_fee_ppm(&mut self, index: usize, ppm: u32) {
        let (fee, now) = (Fee { ppm, ..self.fee(index) }, self.now_unix_s());
        self.market.set_fee(index, fee, now);
        self.channels[index].fee_changed = micros(now);
    }

    /// Our balance, msat.
    pub fn balance_msat(&self, index: usize) -> u64 {
        self.market.channel(index).our_msat
    }

    /// Sets our balance, msat, without any record of how it came about.
    pub fn set_balance_msat(&mut self, index: usize, our_msat: u64) {
        self.market.set_balance(index, our_msat);
        let our_msat = self.balance_msat(index);
        self.channels[index].note_balance(our_msat);
    }

    /// Sets how many HTLCs fit in one direction of a channel.
    pub fn set_slots(&mut self, index: usize, slots: u16) {
        self.market.channel_mut(index).slots = slots;
    }

    /// Puts `count` HTLCs of `msat` each into a channel, where they stay until released.
    pub fn hold_htlcs(&mut self, index: usize, direction: Direction, count: usize, msat: u64) {
        for _ in 0..count {
            self.market.hold_htlc(index, direction, msat);
        }
    }

    /// Releases the HTLCs put into a channel and returns how many there were.
    pub fn release_htlcs(&mut self, index: usize) -> usize {
        self.market.release_htlcs(index)
    }

    /// Sets the on-chain feerate, sat per virtual byte, until the next call; the market's own
    /// course no longer counts.
    pub fn set_feerate(&mut self, sat_per_vb: f64) {
        self.feerate = Some(Some(sat_per_vb));
    }

    /// Takes all fee estimates away, as after bitcoind's start.
    pub fn clear_feerate(&mut self) {
        self.feerate = Some(None);
    }

    /// Block height.
    pub fn block_height(&self) -> u32 {
        self.block_height
    }

    /// Mines `count` blocks at once.
    pub fn mine(&mut self, count: u32) {
        for _ in 0..count {
            self.new_block();
        }
    }

    /// Says which played plugins are there: one that leaves ends as by a kill.
    pub fn set_extra(&mut self, extra: Extra, present: bool) {
        let changed = if present { self.present.insert(extra) } else { self.present.remove(&extra) };
        match (changed, extra, present) {
            (true, Extra::Sling, true) => self.begin_sling(),
            (true, Extra::Sling, false) => self.end_sling(),
            _ => {}
        }
    }

    /// Our tier in the played hive: member, neophyte or admin.
    pub fn set_hive_tier(&mut self, tier: &str) {
        self.extras.tier = Some(tier.to_owned());
    }

    /// Answers from now on as a recorded node did, wherever the recording says something.
    pub fn replay(&mut self, recorded: Recorded) {
        self.id = recorded.node_id();
        self.block_height = self.block_height.max(recorded.block_height());
        self.recorded = Some(recorded);
    }

    /// Moves a recorded node on, or back, to a phase of its run.
    pub fn enter_phase(&mut self, name: &str) -> anyhow::Result<()> {
        let recorded = self.recorded.as_mut().context("this node plays no recording")?;
        recorded.enter(name)?;
        self.block_height = self.block_height.max(recorded.block_height());
        Ok(())
    }

    /// The recording that the node plays.
    pub fn recorded(&self) -> Option<&Recorded> {
        self.recorded.as_ref()
    }

    /// True for methods that the release has, but the recording that the node plays does not.
    pub(super) fn hides(&self, method: &str) -> bool {
        self.recorded.as_ref().is_some_and(|recorded| recorded.hides(method))
    }

    /// How much a subsystem of `wait` has created and updated in the recording.
    pub(super) fn recorded_indexes(&self, subsystem: &str) -> (u64, u64) {
        self.recorded.as_ref().map_or((0, 0), |recorded| recorded.indexes(subsystem))
    }

    /// Every forward, in the order of its creation.
    pub fn forwards(&self) -> impl Iterator<Item = &Forward> {
        self.forwards.iter()
    }

    /// Fees of all settled forwards, msat.
    pub fn fees_collected_msat(&self) -> u64 {
        self.forwards.fees_msat()
    }

    /// Writes `count` random past forwards between two moments (simulated unix time, seconds) into
    /// the records: 70 % settled, the rest failed either way. Balances stay, nobody is told.
    pub fn inject_forwards(&mut self, count: usize, from_unix_s: f64, to_unix_s: f64) {
        let n = self.channels.len();
        if n < 2 || count == 0 {
            return;
        }
        let mut rng = Rng::stream(self.rng.next_u64(), 0);
        let step = (to_unix_s - from_unix_s) / count as f64;
        for k in 0..count {
            let at = micros(from_unix_s + step * (k as f64 + rng.uniform()));
            let input = rng.below(n);
            let output = (input + 1 + rng.below(n - 1)) % n;
            self.inject(&mut rng, input, output, at);
        }
    }

    fn inject(&mut self, rng: &mut Rng, input: usize, output: usize, at: u64) {
        let out_msat = (8e7 * rng.normal().exp()) as u64 + 1000;
        let fate = rng.uniform();
        let (in_id, out_id) = self.market.reserve_ids(input, output);
        let status = match fate {
            fate if fate < 0.7 => Status::Settled,
            fate if fate < 0.85 => Status::Failed,
            _ => Status::LocalFailed,
        };
        let refused = status == Status::LocalFailed;
        let forward = Forward {
            in_channel: input,
            in_htlc_id: in_id,
            out_channel: output,
            out_htlc_id: (!refused).then_some(out_id),
            in_msat: out_msat + self.fee(output).msat(out_msat),
            out_msat,
            status: if refused { Status::LocalFailed } else { Status::Offered },
            refusal: refused.then_some(crate::market::Refusal::TemporaryChannelFailure),
            received_us: at,
            resolved_us: refused.then_some(at),
        };
        let names = (self.channels[input].forward_name(), self.channels[output].forward_name());
        let position = self.forwards.add(forward, names);
        if !refused {
            let resolved_us = Some(at + 2_500_000);
            self.forwards.resolve(Forward { status, resolved_us, ..forward });
        }
        if status == Status::Settled {
            self.books.moves.push(Move::Routed { position, incoming: false });
            self.books.moves.push(Move::Routed { position, incoming: true });
        }
    }
}
