//! A module's first decision: on the node as it is now, twice, with nothing applied.

use crate::cycles::Services;
use crate::engine::{Engine, Module, World};
use crate::model::{Digest, StrategyName};
use anyhow::Result;
use std::sync::Arc;
use std::time::Duration;

/// What a module did when it was tried on the present snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfTest {
    pub channels: usize,
    /// Of one call.
    pub fuel: u64,
    pub took: Duration,
    /// Of the decision's canonical bytes.
    pub decision: Digest,
}

impl Services {
    /// Has a module, which goes by `name`, decide twice about the same input. It must not fail, and both
    /// times want the same for the same fuel.
    pub(super) async fn try_twice<W: World>(
        &self,
        name: &StrategyName,
        module: Arc<Module<W>>,
        (input, channels): (W::Input, usize),
    ) -> Result<Result<SelfTest, String>>
    where
        W::Input: Send + 'static,
    {
        let name = name.clone();
        let once = move |engine: &Engine| {
            let (result, took, transcript) = engine.transcribe(&name, &module, &input);
            result.map_err(|fault| format!("it failed on the present snapshot ({fault})"))?;
            let decided = transcript.answer.digest().zip(transcript.answer.fuel());
            let (decision, fuel) = decided.ok_or("it gave no decision")?;
            Ok::<_, String>(SelfTest { channels, fuel, took, decision })
        };
        self.on_engine(move |engine| {
            let (first, second) = (once(engine)?, once(engine)?);
            if first.decision != second.decision || first.fuel != second.fuel {
                return Err(
                    "it decided differently about the same input: it must not depend on anything else"
                        .to_owned(),
                );
            }
            Ok(first)
        })
        .await
    }
}
