//! What is remembered of a channel from one cycle to the next.

use revenue_strategy::state::{Reader, Writer};

use crate::evidence::Evidence;

/// Why the price is what it is: the last thing that moved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The price that earns most, as far as is known.
    Climb,
    /// A price tried to learn from it.
    Explore,
    /// Liquidity became scarcer, or less scarce.
    Scarcity,
}

impl Cause {
    const ALL: [Self; 3] = [Self::Climb, Self::Explore, Self::Scarcity];
}

/// How far the running interval has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// When the interval began, seconds since 1970.
    pub start_s: u64,
    /// Usable seconds of it that were read.
    pub live_s: u32,
    /// Settled forwards of it that were read.
    pub settled: u32,
}

/// The state of one channel. The observations stay bytes until they are
/// needed, which is when a window closes.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory<'a> {
    /// HTLC slots were used up at the last cycle.
    pub congested: bool,
    /// Congestion is over, but the price for it may still be in force.
    pub easing: bool,
    /// The last rate proposed was a floor that a feerate spike raised.
    pub spiked: bool,
    /// The last thing that moved the price.
    pub cause: Cause,
    /// The climber's price, ppm: without scarcity, floors or congestion.
    pub base_ppm: u32,
    /// How scarce liquidity is in the price: 0 not at all, 1 empty.
    pub depth: f32,
    /// How scarce it has been of late, 0 to 1, without the noise of the balance.
    pub smooth: f32,
    /// The last cycle, seconds since 1970.
    pub cycle_s: u64,
    /// Base price with scarcity, ppm.
    pub priced_ppm: u32,
    /// The rate in force at the last cycle, ppm.
    pub seen_ppm: u32,
    /// The last rate proposed, ppm, and when, seconds since 1970.
    pub asked_ppm: u32,
    pub asked_s: u64,
    /// Usable seconds observed since the price was chosen.
    pub held_s: u32,
    /// Usable seconds to observe before the next choice.
    pub hold_s: u32,
    /// Forwards per hour expected at the base price; 0 while nothing is expected.
    pub expected: f32,
    /// How much better less demand than expected, and more, explains what
    /// came since, in nats.
    pub drift: [f32; 2],
    /// What was read of the intervals.
    pub cursor: Cursor,
    /// Observations, encoded.
    pub evidence: &'a [u8],
}

const CONGESTED: u8 = 1;
const EASING: u8 = 2;
const SPIKED: u8 = 4;
const VERSION: u8 = 1;
/// Length of a state without observations.
const HEAD_BYTES: usize = 79;

impl<'a> Memory<'a> {
    /// A channel seen for the first time, with the rate in force as its price.
    pub fn new(base_ppm: u32, hold_s: u32) -> Self {
        Self {
            congested: false,
            easing: false,
            spiked: false,
            cause: Cause::Climb,
            base_ppm,
            depth: 0.0,
            smooth: 0.0,
            cycle_s: 0,
            priced_ppm: base_ppm,
            seen_ppm: base_ppm,
            asked_ppm: 0,
            asked_s: 0,
            held_s: 0,
            hold_s,
            expected: 0.0,
            drift: [0.0; 2],
            cursor: Cursor::default(),
            evidence: &[],
        }
    }

    /// Reads a state. None if it is empty or makes no sense.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (head, evidence) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let mut from = Reader::new(head);
        if from.u8()? != VERSION {
            return None;
        }
        let flags = from.u8()?;
        let cause = *Cause::ALL.get(usize::from(from.u8()?))?;
        let depth = |from: &mut Reader<'_>| from.finite_f32().filter(|d| (0.0..=1.0).contains(d));
        let memory = Self {
            congested: flags & CONGESTED != 0,
            easing: flags & EASING != 0,
            spiked: flags & SPIKED != 0,
            cause,
            base_ppm: from.u32()?,
            depth: depth(&mut from)?,
            smooth: depth(&mut from)?,
            cycle_s: from.u64()?,
            priced_ppm: from.u32()?,
            seen_ppm: from.u32()?,
            asked_ppm: from.u32()?,
            asked_s: from.u64()?,
            held_s: from.u32()?,
            hold_s: from.u32()?,
            expected: from.finite_f32()?,
            drift: [from.finite_f32()?, from.finite_f32()?],
            cursor: Cursor { start_s: from.u64()?, live_s: from.u32()?, settled: from.u32()? },
            evidence,
        };
        (memory.base_ppm > 0).then_some(memory)
    }

    /// Writes the state, with `evidence` in place of the bytes it was read with.
    pub fn encode_into(&self, evidence: Option<&Evidence>, to: &mut Writer) {
        to.clear();
        to.raw(&self.head());
        match evidence {
            Some(evidence) => evidence.write(to),
            None => to.raw(self.evidence),
        }
    }

    /// All but the observations. Every channel's is written in every cycle, so it is put together where
    /// no number has to ask for room.
    fn head(&self) -> [u8; HEAD_BYTES] {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = flag(self.congested, CONGESTED) | flag(self.easing, EASING) | flag(self.spiked, SPIKED);
        let mut head = [0; HEAD_BYTES];
        let mut left = &mut head[..];
        put(&mut left, [VERSION, flags, self.cause as u8]);
        put(&mut left, self.base_ppm.to_le_bytes());
        put(&mut left, self.depth.to_le_bytes());
        put(&mut left, self.smooth.to_le_bytes());
        put(&mut left, self.cycle_s.to_le_bytes());
        put(&mut left, self.priced_ppm.to_le_bytes());
        put(&mut left, self.seen_ppm.to_le_bytes());
        put(&mut left, self.asked_ppm.to_le_bytes());
        put(&mut left, self.asked_s.to_le_bytes());
        put(&mut left, self.held_s.to_le_bytes());
        put(&mut left, self.hold_s.to_le_bytes());
        put(&mut left, self.expected.to_le_bytes());
        self.drift.iter().for_each(|nats| put(&mut left, nats.to_le_bytes()));
        put(&mut left, self.cursor.start_s.to_le_bytes());
        put(&mut left, self.cursor.live_s.to_le_bytes());
        put(&mut left, self.cursor.settled.to_le_bytes());
        head
    }
}

/// Writes `bytes` where the room begins that is `left`.
fn put<const N: usize>(left: &mut &mut [u8], bytes: [u8; N]) {
    let (here, rest) =
        std::mem::take(left).split_first_chunk_mut().expect("the head has room for its numbers");
    *here = bytes;
    *left = rest;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(memory: &Memory<'_>, evidence: Option<&Evidence>) -> Vec<u8> {
        let mut to = Writer::default();
        memory.encode_into(evidence, &mut to);
        to.as_bytes().to_vec()
    }

    #[test]
    fn a_full_memory_comes_back_and_fits() {
        let mut evidence = Evidence::new(77);
        evidence.hours.fill(1.5);
        evidence.forwards.fill(2.5);
        let memory = Memory {
            congested: true,
            easing: false,
            spiked: true,
            cause: Cause::Scarcity,
            depth: 0.5,
            smooth: 0.25,
            cycle_s: 9,
            priced_ppm: 11,
            seen_ppm: 12,
            asked_ppm: 13,
            asked_s: 14,
            held_s: 15,
            expected: 16.0,
            drift: [17.0, 18.0],
            cursor: Cursor { start_s: 19, live_s: 20, settled: 21 },
            ..Memory::new(10, 22)
        };
        let written = bytes(&memory, Some(&evidence));
        assert!(written.len() <= 1024, "{} bytes", written.len());
        let read = Memory::decode(&written).expect("what was written is read");
        assert_eq!(Evidence::read(read.evidence), Some(evidence));
        assert_eq!(Memory { evidence: &[], ..read.clone() }, memory);
        assert_eq!(bytes(&read, None), written);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_memory_that_comes_back_or_none(
            tail in prop::collection::vec(any::<u8>(), 0..150), cause in 0..4u8, flags in 0..8u8,
        ) {
            let mut given = vec![VERSION, flags, cause];
            given.extend(tail);
            if let Some(memory) = Memory::decode(&given) {
                prop_assert_eq!(bytes(&memory, None), given);
            }
        }
    }
}
