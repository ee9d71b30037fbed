//! HTLCs of our own payments.

use super::{Direction, HeldHtlc, Market};

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

    /// Takes in the last HTLC of a payment to ourselves, which we resolve at once. False, with
    /// nothing changed, if the peer can't send it now.
    pub fn take_own(&mut self, channel: usize, msat: u64) -> bool {
        if !self.can_take_own(channel, msat) {
            return false;
        }
        let to = &mut self.channels[channel];
        to.offer(Direction::In, msat);
        to.resolve(Direction::In, msat, true);
        true
    }
}
