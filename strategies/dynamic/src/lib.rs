//! The built-in strategy `dynamic`: the Alpha Sequence.
//!
//! For each channel, in this order:
//!
//! 1. **Congestion.** When the HTLC slots of one direction are used up, the
//!    highest rate that the host accepts; afterwards the price from before.
//! 2. **Vegas reflex.** A feerate spike raises the floor for everything below.
//! 3. **Scarcity.** Below a share of the capacity our liquidity costs up to
//!    three times the base price.
//! 4. **Climbing.** The base price moves towards what earns most per hour.
//!
//! Each term works on the base price, never on the rate in force, so none
//! compounds. A rate that the host would suppress is not proposed; the base
//! price and the observations are kept all the same.

mod climb;
mod demand;
mod evidence;
mod grid;
mod memory;
mod price;
mod propose;
mod settings;
mod vegas;

use std::cell::Cell;

use revenue_strategy::state::{State, Writer};
use revenue_strategy::{Decision, Description, FeeInput, FeeStrategy, Rng, Row};

use crate::evidence::Evidence;
use crate::memory::Memory;
use crate::settings::Settings;
use crate::vegas::Vegas;

pub use crate::settings::{factor, reason};

/// The strategy.
#[derive(Debug)]
pub struct Dynamic;

impl FeeStrategy for Dynamic {
    fn describe() -> Description {
        settings::description()
    }

    fn decide(input: &FeeInput) -> Result<Decision<'_>, String> {
        let settings = Settings::of(input);
        let vegas = Vegas::decode(&input.node_state).unwrap_or_default().next(input, &settings);
        let cycle = Cycle { input, settings, vegas, choices_left: Cell::new(choices(input.channels.len())) };
        let mut decision = Decision::new(input);
        decision.set_node_state(vegas.encode());
        let mut buffer = Writer::default();
        for row in input.rows() {
            cycle.decide_row(&row, &mut decision, &mut buffer);
        }
        Ok(decision)
    }
}

revenue_strategy::arena!();
revenue_strategy::export!(Dynamic);

/// How many windows may close in one cycle with so many channels. Weighing the
/// evidence is most of the work, and after a pause all windows are due at once:
/// those that do not fit wait for the next cycle. So work stays far below the
/// fuel of a call, and a node does not change all its fees in one breath.
fn choices(channels: usize) -> usize {
    4 + channels / 16
}

/// What all channels of a cycle share.
struct Cycle<'a> {
    input: &'a FeeInput,
    settings: Settings,
    vegas: Vegas,
    /// How many windows may still close in this cycle.
    choices_left: Cell<usize>,
}

impl Cycle<'_> {
    fn decide_row(&self, row: &Row<'_>, decision: &mut Decision<'_>, buffer: &mut Writer) {
        let mut memory = Memory::decode(row.state).unwrap_or_else(|| self.first_sight(row));
        let moved = row.fee_ppm != memory.seen_ppm;
        let before = (memory.base_ppm, memory.depth.to_bits());
        // In this order: a rate set by somebody else contains the scarcity of now, and is not
        // taken from what congestion left.
        price::note_scarcity(&mut memory, row, &self.settings, self.input.now_s);
        propose::adopt(&mut memory, row);
        price::note_congestion(&mut memory, row, &self.settings);
        let evidence = self.climb(&mut memory, row);
        if before != (memory.base_ppm, memory.depth.to_bits()) {
            memory.priced_ppm = price::priced(&memory);
        }
        let wanted = price::wanted(&memory, row, self.vegas, self.input.feerate_perkb);
        memory.seen_ppm = row.fee_ppm;
        let worth_it = self.worth_proposing(&memory, row, &wanted, moved);
        if worth_it || self.settings.explain {
            self.propose(&memory, row, &wanted, evidence.as_deref(), decision);
        }
        if worth_it {
            memory.asked_ppm = wanted.ppm as u32;
            memory.asked_s = self.input.now_s;
            memory.spiked = wanted.reason == reason::VEGAS;
        }
        memory.encode_into(evidence.as_deref(), buffer);
        decision.keep(row, buffer.as_bytes());
    }

    /// A channel without a state begins with the rate in force.
    fn first_sight(&self, row: &Row<'_>) -> Memory<'static> {
        let start = if row.fee_ppm == 0 { self.settings.prior_ppm as u64 } else { u64::from(row.fee_ppm) };
        let base = row.clamp_ppm(start).max(1) as u32;
        let mut memory = Memory::new(base, climb::first_hold_s(&self.settings));
        memory.seen_ppm = row.fee_ppm;
        memory
    }

    fn climb(&self, memory: &mut Memory<'_>, row: &Row<'_>) -> Option<Box<Evidence>> {
        let scene = climb::Scene {
            now_s: self.input.now_s,
            intervals: row.intervals,
            may_choose: self.choices_left.get() > 0,
            bounds_ppm: (row.min_fee_ppm, row.max_fee_ppm),
        };
        let rng = || Rng::new(self.input.seed, row.pseudonym);
        let climbed = climb::climb(memory, &scene, &self.settings, rng);
        if climbed.as_ref().is_some_and(|climbed| climbed.chose) {
            self.choices_left.set(self.choices_left.get() - 1);
        }
        climbed.map(|climbed| climbed.evidence)
    }
}
