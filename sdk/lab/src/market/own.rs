//! HTLCs that the market does not draw: those of our own payments, and forwards on demand.

use super::{Direction, Forward, HeldHtlc, Market, Status};

impl Market {
    /// Offers an HTLC of a payment of ours. None, with nothing changed, if the channel can't send
    /// it now.
    pub fn offer_own(&mut self, channel: usize, msat: u64) -> Option<HeldHtlc> {
        let (direction, from) = (Direction::Out, &mut self.channels[channel]);
        if !from.usable || from.full(direction) || from.spendable_msat() < msat {
            return None;
        }
        let htlc = HeldHtlc { channel, direction, id: from.offer(direction, msat), msat };
        self.own.push(htlc);
        Some(htlc)
    }

    /// Ends an HTLC of ours; if it was fulfilled its amount has gone to the peer.
    pub fn end_own(&mut self, htlc: HeldHtlc, fulfilled: bool) {
        let known = self.own.len();
        self.own.retain(|own| *own != htlc);
        if self.own.len() < known {
            self.channels[htlc.channel].resolve(htlc.direction, htlc.msat, fulfilled);
        }
    }

    /// True if the peer can send us an HTLC of this amount now.
    pub fn can_take_own(&self, channel: usize, msat: u64) -> bool {
        let to = &self.channels[channel];
        to.usable && !to.full(Direction::In) && to.receivable_msat() >= msat
    }

    /// Takes in the last HTLC of a payment to ourselves, which we resolve at once, and returns its
    /// id. None, with nothing changed, if the peer can't send it now.
    pub fn take_own(&mut self, channel: usize, msat: u64) -> Option<u64> {
        if !self.can_take_own(channel, msat) {
            return None;
        }
        let to = &mut self.channels[channel];
        let id = to.offer(Direction::In, msat);
        to.resolve(Direction::In, msat, true);
        Some(id)
    }

    /// Fails the forwards that are under way through a channel, and returns them.
    pub fn fail_through(&mut self, channel: usize) -> Vec<Forward> {
        let through = |forward: &Forward| forward.in_channel == channel || forward.out_channel == channel;
        let stuck = self.under_way.iter_mut().filter(|(_, (forward, _))| through(forward));
        let keys: Vec<u64> = stuck
            .map(|(key, (_, fulfilled))| {
                *fulfilled = false;
                *key
            })
            .collect();
        keys.into_iter().filter_map(|key| self.end(key)).collect()
    }

    /// Forwards a payment at once: `in_msat` comes in by one channel, `out_msat` leaves by the other.
    /// None, with nothing changed, if a channel can't take it now.
    pub fn pass(&mut self, input: usize, output: usize, in_msat: u64, out_msat: u64) -> Option<Forward> {
        let to = &self.channels[output];
        let fits = to.usable && !to.full(Direction::Out) && to.spendable_msat() >= out_msat;
        if input == output || !fits || !self.can_take_own(input, in_msat) {
            return None;
        }
        let in_htlc_id = self.channels[input].offer(Direction::In, in_msat);
        let out_htlc_id = Some(self.channels[output].offer(Direction::Out, out_msat));
        self.channels[output].resolve(Direction::Out, out_msat, true);
        self.channels[input].resolve(Direction::In, in_msat, true);
        Some(Forward {
            in_channel: input,
            in_htlc_id,
            out_channel: output,
            out_htlc_id,
            in_msat,
            out_msat,
            status: Status::Settled,
            refusal: None,
            received_us: self.now_us,
            resolved_us: Some(self.now_us),
        })
    }
}
