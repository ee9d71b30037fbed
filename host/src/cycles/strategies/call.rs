//! One call of a module in a cycle, and what is written down of it.

use super::{Decider, Trial, Unusable, note_call, note_trial};
use crate::cycles::Services;
use crate::engine::{Module, World};
use crate::model::strategy::{Decision, LastVerdict};
use crate::model::{ChannelId, Digest, Ppm, StrategyName, Transcript, UnixTime};
use crate::store::cycles::{ModuleFault, ModuleRun};
use crate::store::journal::{self, Ready};
use crate::store::modules::ModuleFaults;
use crate::store::states::{self, Memory, NodeStateRecord, StateRecord};
use crate::store::{Connection, Transaction};
use anyhow::Result;
use std::sync::Arc;
use std::time::Duration;

/// A call, made or not.
pub struct Call<W: World> {
    /// The strategy that the policies name.
    pub strategy: StrategyName,
    /// None when the module could not be loaded.
    pub digest: Option<Digest>,
    pub version: String,
    pub state_version: u32,
    /// Whose memory the call reads and writes; none when there was no call.
    pub decider: Option<Decider>,
    /// Wall time of the call.
    pub took: Duration,
    /// The rows of the input.
    pub channels: Vec<ChannelId>,
    /// The call, to be made again; none when there was no call.
    pub transcript: Option<Arc<Transcript>>,
    /// The decision, or what went wrong: code and text.
    pub result: Result<W::Decision, (&'static str, String)>,
    /// The strategy that answered instead.
    pub fallback: Option<StrategyName>,
}

impl<W: World> Call<W> {
    /// The call that was not made since the module may not be asked.
    pub(in crate::cycles) fn not_made(
        unusable: Unusable,
        strategy: &StrategyName,
        channels: Vec<ChannelId>,
        instead: &StrategyName,
    ) -> Call<W> {
        Call {
            strategy: strategy.clone(),
            digest: unusable.digest,
            version: String::new(),
            state_version: 0,
            decider: None,
            took: Duration::ZERO,
            channels,
            transcript: None,
            result: Err((unusable.code, unusable.text)),
            fallback: Some(instead.clone()),
        }
    }

    /// Digest of what the module was told.
    pub fn inputs_digest(&self) -> Option<Digest> {
        self.transcript.as_ref().map(|call| call.input.digest())
    }

    /// What the decision cost; none after a fault.
    pub fn fuel(&self) -> Option<u64> {
        self.result.as_ref().ok().map(Decision::fuel)
    }

    /// Code and text of the fault.
    pub fn fault(&self) -> Option<(&'static str, &str)> {
        self.result.as_ref().err().map(|(code, text)| (*code, text.as_str()))
    }

    pub(in crate::cycles) fn took_us(&self) -> u64 {
        u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX)
    }

    pub(in crate::cycles) fn channel_count(&self) -> u32 {
        u32::try_from(self.channels.len()).unwrap_or(u32::MAX)
    }

    /// The call in numbers.
    pub(in crate::cycles) fn run(&self) -> ModuleRun {
        ModuleRun {
            strategy: self.strategy.clone(),
            digest: self.digest,
            version: self.version.clone(),
            fuel: self.fuel(),
            took_us: self.took_us(),
            channels: self.channel_count(),
            fault: self
                .fault()
                .map(|(code, text)| ModuleFault { code: code.to_owned(), text: text.to_owned() }),
            fallback: self.fallback.clone(),
        }
    }

    /// What the module is to remember, where its memory lies by now. States move only with a decision that
    /// was made: a failed call keeps the old ones.
    fn memory(
        &self,
        conn: &Connection,
        verdict: impl Fn(&ChannelId) -> Option<(LastVerdict, Ppm)>,
        (states, node_states): &mut (Vec<StateRecord>, Vec<NodeStateRecord>),
    ) -> Result<()> {
        let (Ok(decision), Some(decider)) = (&self.result, &self.decider) else { return Ok(()) };
        let Some(holder) = decider.holder(conn)? else { return Ok(()) };
        let state_version = self.state_version;
        node_states.push(NodeStateRecord {
            holder: holder.clone(),
            state_version,
            bytes: decision.node_state().to_vec(),
        });
        states.extend(self.channels.iter().zip(decision.states().iter()).map(|(channel_id, bytes)| {
            let verdict = verdict(channel_id);
            StateRecord {
                holder: holder.clone(),
                channel_id: *channel_id,
                state_version,
                bytes: bytes.to_vec(),
                last_verdict: verdict.map_or(LastVerdict::None, |(verdict, _)| verdict),
                last_proposed: verdict.map(|(_, fee)| fee),
            }
        }));
        Ok(())
    }
}

impl Services {
    /// What a decider remembers in this format.
    pub(in crate::cycles) async fn remembered(&self, decider: &Decider, version: u32) -> Result<Memory> {
        let decider = decider.clone();
        let read = move |conn: &Connection| {
            let holder = decider.holder(conn)?;
            Ok(holder.map(|holder| states::memory(conn, &holder, version)).transpose()?)
        };
        Ok(self.store.read(read).await?.unwrap_or_default())
    }

    /// Has a module decide about `input`, whose rows are `channels`.
    pub(in crate::cycles) async fn call<W: World>(
        &self,
        strategy: StrategyName,
        decider: Decider,
        module: &Arc<Module<W>>,
        channels: Vec<ChannelId>,
        input: W::Input,
    ) -> Result<Call<W>>
    where
        W::Input: Send + 'static,
        W::Decision: Send + 'static,
    {
        let (result, took, transcript) = self.transcribe(&strategy, module, input).await?;
        Ok(Call {
            strategy,
            digest: Some(module.digest),
            version: module.description.version.clone(),
            state_version: module.description.state_version,
            decider: Some(decider),
            took,
            channels,
            transcript: Some(Arc::new(transcript)),
            result: result.map_err(|fault| (fault.kind.code(), fault.detail)),
            fallback: None,
        })
    }
}

/// What the modules of a cycle are to remember, for the transaction that records it; `applied` is the host's
/// word on what they wanted.
pub(in crate::cycles) fn memories<W: World>(
    conn: &Connection,
    (calls, trials): (&[Call<W>], &[Trial<W>]),
    applied: impl Fn(&ChannelId) -> Option<(LastVerdict, Ppm)>,
) -> Result<(Vec<StateRecord>, Vec<NodeStateRecord>)> {
    let mut memories = (Vec::new(), Vec::new());
    for call in calls {
        call.memory(conn, &applied, &mut memories)?;
    }
    for trial in trials {
        let verdict = |channel: &ChannelId| trial.verdicts.get(channel).copied().or_else(|| applied(channel));
        trial.call.memory(conn, verdict, &mut memories)?;
    }
    Ok(memories)
}

/// Writes down the calls of a recorded cycle: into the journal, as far as they are ready for it, and
/// into the records of faults and trials. Gives the modules that came into quarantine now.
pub(in crate::cycles) fn note_calls<W: World>(
    tx: &Transaction<'_>,
    (cycle, now): (i64, UnixTime),
    (calls, trials): (&[Call<W>], &[Trial<W>]),
    ready: &[Ready],
) -> Result<Vec<ModuleFaults>> {
    for call in ready {
        journal::record(tx, cycle, now, call)?;
    }
    let mut quarantined = Vec::new();
    for call in calls {
        let result = call.fault().map_or(Ok(()), Err);
        quarantined.extend(note_call(tx, &call.strategy, (call.digest, W::CYCLE), result, now)?);
    }
    for trial in trials {
        quarantined.extend(note_trial(tx, &trial.module, &trial.run, cycle, now)?);
    }
    Ok(quarantined)
}
