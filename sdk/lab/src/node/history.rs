//! Random lives of the node, for tests of whatever keeps its books.

use super::{ChannelState, CloseKind, NodeState, Opening, Part, Paying};
use crate::market::ChannelSpec;
use crate::rng::Rng;

/// What one step of a life was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Forwards that are alike, in one moment, as the parts of one payment are.
    EqualForwards,
    /// A forward with a fee below one sat.
    TinyFee,
    /// Forwards of all sizes.
    Forwards,
    /// Channels opened by us or by peers, alone or together, some with leased money.
    Open,
    /// Money spliced in or out.
    Splice,
    /// A channel that ends one way or the other.
    Close,
    /// Payments to ourselves, in one part or several; some fail.
    Rebalance,
    /// A payment to somebody else.
    PayOther,
    /// Time and blocks.
    Wait,
}

/// Steps by how often they come.
const MENU: [Step; 16] = [
    Step::EqualForwards,
    Step::EqualForwards,
    Step::TinyFee,
    Step::TinyFee,
    Step::Forwards,
    Step::Forwards,
    Step::Forwards,
    Step::Forwards,
    Step::Open,
    Step::Splice,
    Step::Close,
    Step::Rebalance,
    Step::Rebalance,
    Step::PayOther,
    Step::Wait,
    Step::Wait,
];

/// Seconds between two blocks.
const BLOCK_S: f64 = 600.0;

impl NodeState {
    /// Lives through `count` random steps that follow from the seed alone, and returns what they
    /// were. A step that the balances don't allow passes without effect. The market's own demand
    /// goes on meanwhile; give it none for a life that is made of these steps only.
    pub fn live(&mut self, seed: u64, count: usize) -> Vec<Step> {
        let mut rng = Rng::new(seed);
        (0..count).map(|_| self.step(&mut rng)).collect()
    }

    /// One random step.
    pub fn step(&mut self, rng: &mut Rng) -> Step {
        let step = MENU[rng.below(MENU.len())];
        match step {
            Step::EqualForwards => {
                let (from, to) = self.pair(rng);
                let (msat, fee_msat) = (1_000_000 + rng.below(50_000_000) as u64, rng.below(20_000) as u64);
                for _ in 0..2 + rng.below(4) {
                    self.forward(from, to, msat, fee_msat);
                }
            }
            Step::TinyFee => self.forward_some(rng, 1_000_000, 1000),
            Step::Forwards => {
                for _ in 0..1 + rng.below(6) {
                    self.forward_some(rng, 400_000_000, 200_000);
                }
            }
            Step::Open => self.open_some(rng),
            Step::Splice => self.splice_some(rng),
            Step::Close => self.close_some(rng),
            Step::Rebalance => self.pay_some(rng, true),
            Step::PayOther => self.pay_some(rng, false),
            Step::Wait => self.pass_time(rng.between(1.0, 40.0) * BLOCK_S),
        }
        // Some things happen in one second, others apart.
        if rng.below(3) > 0 {
            self.pass_time(rng.between(0.1, 90.0));
        }
        step
    }

    fn pass_time(&mut self, wait_s: f64) {
        self.advance(self.now_unix_s() + wait_s);
    }

    fn open_channels(&self) -> Vec<usize> {
        let open =
            self.channels.iter().enumerate().filter(|(_, channel)| channel.state == ChannelState::Normal);
        open.map(|(index, _)| index).collect()
    }

    /// Two open channels, if there are; the same twice otherwise, between which nothing passes.
    fn pair(&self, rng: &mut Rng) -> (usize, usize) {
        let open = self.open_channels();
        if open.len() < 2 {
            return (0, 0);
        }
        let first = rng.below(open.len());
        (open[first], open[(first + 1 + rng.below(open.len() - 1)) % open.len()])
    }

    fn forward_some(&mut self, rng: &mut Rng, most_msat: usize, most_fee_msat: usize) {
        let (from, to) = self.pair(rng);
        self.forward(from, to, 1 + rng.below(most_msat) as u64, rng.below(most_fee_msat) as u64);
    }

    fn open_some(&mut self, rng: &mut Rng) {
        let together = [1, 1, 2, 3][rng.below(4)];
        let remote = rng.below(3) == 0;
        let mut openings = Vec::new();
        for _ in 0..if remote { 1 } else { together } {
            let number = self.channels.len() + openings.len();
            let spec = ChannelSpec::new(&format!("peer{number}"), number);
            let spec = spec.size(1_000_000 + rng.below(4_000_000) as u64, rng.between(0.3, 0.7));
            let spec = if remote { spec.remote(0.0) } else { spec };
            let lease = (rng.below(4) == 0).then(|| 1_000_000 + rng.below(9_000) as u64 * 1000);
            openings.push(Opening { lease_msat: lease, spec });
        }
        self.open_together(openings);
    }

    fn splice_some(&mut self, rng: &mut Rng) {
        let (index, _) = self.pair(rng);
        // Two fundings of one channel in one block would have one name.
        if self.channels[index].scid.place().0 == u64::from(self.block_height) {
            self.pass_time(BLOCK_S);
        }
        let out = self.market.channel(index).spendable_msat() / 2 / 1000 * 1000;
        if self.channels[index].state != ChannelState::Normal {
            return;
        }
        if rng.below(2) == 0 {
            self.splice(index, 100_000_000 + rng.below(900_000) as i64 * 1000);
        } else if out > 10_000_000 {
            self.splice(index, -(out as i64));
        }
    }

    fn close_some(&mut self, rng: &mut Rng) {
        const KINDS: [CloseKind; 4] =
            [CloseKind::Mutual, CloseKind::Local, CloseKind::Remote, CloseKind::Breach];
        let (index, _) = self.pair(rng);
        let busy = self.market.htlcs().any(|htlc| htlc.channel == index);
        if self.open_channels().len() > 3 && !busy {
            self.close_channel(index, KINDS[rng.below(4)]);
        }
    }

    fn pay_some(&mut self, rng: &mut Rng, to_ourselves: bool) {
        let (from, to) = self.pair(rng);
        let parts = [1, 1, 1, 3][rng.below(4)];
        let amount_msat = 1_000_000 + rng.below(100_000_000) as u64;
        let part = |_| Part {
            from,
            to: to_ourselves.then_some(to),
            amount_msat,
            fee_msat: rng.below(60_000) as u64,
        };
        let paying = Paying { parts: (0..parts).map(part).collect(), ..Paying::default() };
        let complete = rng.below(5) > 0;
        if from != to {
            self.pay(&paying, complete);
        }
    }
}
