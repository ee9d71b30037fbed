//! A module's first decision: on the node as it is now, twice, with nothing applied.

use crate::cycles::Services;
use crate::engine::{Engine, Module, StrategyFault, World};
use crate::model::Digest;
use anyhow::Result;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    /// Has a module decide twice about the same input. It must not fail, and both times want the
    /// same for the same fuel.
    pub(super) async fn try_twice<W: World>(
        &self,
        module: Arc<Module<W>>,
        input: W::Input,
        channels: usize,
    ) -> Result<Result<SelfTest, String>>
    where
        W::Input: Send + 'static,
        W::Decision: serde::Serialize,
    {
        let engine = self.engine.clone();
        let tried = tokio::task::spawn_blocking(move || {
            let first = once(&engine, &module, &input, channels)?;
            let second = once(&engine, &module, &input, channels)?;
            if first.decision != second.decision || first.fuel != second.fuel {
                return Err(
                    "it decided differently about the same input: it must not depend on anything else"
                        .to_owned(),
                );
            }
            Ok(first)
        });
        Ok(tried.await?)
    }
}

fn once<W: World>(
    engine: &Engine,
    module: &Module<W>,
    input: &W::Input,
    channels: usize,
) -> Result<SelfTest, String>
where
    W::Decision: serde::Serialize,
{
    let started = Instant::now();
    let (decision, cost) = engine.measure(module, input);
    let took = started.elapsed();
    let failed = |fault: StrategyFault| format!("it failed on the present snapshot ({fault})");
    let decision = crate::cycles::fee::digest(&decision.map_err(failed)?);
    Ok(SelfTest { channels, fuel: cost.fuel, took, decision })
}
