//! Calls written down so that they can be made again.

use super::fault::StrategyFault;
use super::module::Module;
use super::world::World;
use super::{Cost, Engine};
use crate::model::transcript::FORMAT;
use crate::model::{Answer, StrategyName, Transcript};
use std::time::{Duration, Instant};

impl Engine {
    /// Lets `module`, which goes by `strategy`, decide about `input`, and writes the call down. Says how
    /// long the call itself took.
    pub fn transcribe<W: World>(
        &self,
        strategy: &StrategyName,
        module: &Module<W>,
        input: &W::Input,
    ) -> (Result<W::Decision, StrategyFault>, Duration, Transcript) {
        let started = Instant::now();
        let (result, cost) = self.measure(module, input);
        let took = started.elapsed();
        let transcript = Transcript {
            kind: W::CYCLE,
            strategy: strategy.clone(),
            module: module.digest,
            class: module.class.name().to_owned(),
            format: FORMAT,
            input: bytes(input).into(),
            answer: answer::<W>(&result, cost),
        };
        (result, took, transcript)
    }
}

/// What came of a call, as it is stored and compared.
pub(super) fn answer<W: World>(result: &Result<W::Decision, StrategyFault>, cost: Cost) -> Answer {
    match result {
        Ok(decision) => Answer::Decided { fuel: cost.fuel, decision: bytes(decision) },
        Err(fault) => Answer::Failed { fuel: fault.fuel, code: fault.kind.code().to_owned() },
    }
}

/// The canonical bytes of an input or a decision.
fn bytes(value: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("plain data has a canonical form")
}
