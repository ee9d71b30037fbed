//! What the plugin does by itself, and the services that commands share with it.

pub mod admission;
pub mod adopt;
pub mod fee;
pub mod flow;
pub mod forwards;
pub mod journal;
pub mod ledger;
pub mod lifecycle;
mod lists;
pub mod modules;
pub mod push;
pub mod rebalance;
pub mod schedule;
pub mod settings;
pub mod strategies;
mod timekeeping;
pub mod told;
pub mod trust;
pub mod upkeep;

use crate::clock::{Clock, Watch};
use crate::config::Config;
use crate::engine::Engine;
use crate::guard::policy::RateLimiter;
use crate::model::{PeerId, SteadyTime, StrategyName, UnixTime};
use crate::node::clboss::ClbossStatus;
use crate::node::write::Writer;
use crate::node::{Companion, Companions, Node};
use crate::store::Store;
use schedule::{JobName, Jobs, NextVisit};
use settings::Settings;
use std::sync::{Arc, Mutex, PoisonError};

/// Everything that cycles and commands work with, once the plugin is ready.
pub struct Services {
    pub node_id: PeerId,
    pub network: String,
    /// lightningd's version, in its own words.
    pub node_version: String,
    pub node: Node,
    pub writer: Writer,
    pub store: Store,
    pub engine: Engine,
    pub clock: Clock,
    clock_watch: Watch,
    /// The steady time when the clock was started.
    steady_start: SteadyTime,
    pub settings: Arc<Settings>,
    pub jobs: Arc<Jobs>,
    pub policy_quota: Mutex<RateLimiter>,
    /// Keys the numbers by which strategies know channels.
    pub pseudonym_key: [u8; 32],
    /// Why a database of the Python plugin that is there was not taken over.
    pub not_imported: Option<String>,
    next_visit: NextVisit,
    /// What CLBoss is still to be told.
    clboss: Arc<fee::Untold>,
    /// Whole fee cycles and single sets take turns, so that each sees what the last one did. Looks at the node
    /// that note what is in force take part.
    fee_turn: tokio::sync::Mutex<()>,
    /// So do readings of the node's forwards.
    forwards_turn: tokio::sync::Mutex<()>,
    /// So do modules that come in, so that no lower version overtakes a higher one.
    admission_turn: tokio::sync::Mutex<()>,
    /// So do looks at the clock, so that each jump is noted once.
    clock_turn: tokio::sync::Mutex<()>,
    /// So do replays.
    replay_turn: tokio::sync::Mutex<()>,
    /// Rebalances on their way to sling.
    pub desk: rebalance::Desk,
    health: Mutex<Health>,
}

/// What the last looks at the node showed.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// None until looked for.
    pub companions: Option<Companions>,
    /// Why the node is not in step with the chain.
    pub not_synced: Option<String>,
    /// Why the node could not be read.
    pub node_error: Option<String>,
    /// Why bookkeeper could not be read.
    pub books_error: Option<String>,
    /// The evaluator that the settings name could not be used when it was last needed: which, and why.
    pub evaluator: Option<(StrategyName, String)>,
    /// What CLBoss said when it was last asked.
    pub clboss: Option<ClbossSeen>,
}

impl Health {
    /// Whether a companion is there, as far as known.
    pub fn has(&self, companion: Companion) -> bool {
        self.companions.as_ref().is_some_and(|companions| companions.has(companion))
    }

    /// Whether a companion is known not to be there.
    pub fn lacks(&self, companion: Companion) -> bool {
        self.companions.as_ref().is_some_and(|companions| !companions.has(companion))
    }
}

/// What CLBoss said, and when.
#[derive(Clone, Debug)]
pub struct ClbossSeen {
    pub at: UnixTime,
    pub status: ClbossStatus,
}

/// What [`Services`] is made of.
pub struct Parts {
    pub identity: crate::node::Identity,
    pub node: Node,
    pub store: Store,
    pub engine: Engine,
    pub clock: Clock,
    pub steady_start: SteadyTime,
    pub settings: Arc<Settings>,
    pub jobs: Arc<Jobs>,
    pub pseudonym_key: [u8; 32],
    pub not_imported: Option<String>,
}

impl Services {
    /// Puts the parts together. Whether the plugin runs dry is decided here, once.
    pub fn new(parts: Parts) -> Services {
        let writer =
            if parts.settings.current().dry_run { Writer::Dry } else { Writer::Live(parts.node.clone()) };
        Services {
            node_id: parts.identity.node_id,
            network: parts.identity.network,
            node_version: parts.identity.version,
            node: parts.node,
            writer,
            store: parts.store,
            engine: parts.engine,
            clock: parts.clock,
            clock_watch: Watch::new(parts.clock),
            steady_start: parts.steady_start,
            settings: parts.settings,
            jobs: parts.jobs,
            policy_quota: Mutex::default(),
            pseudonym_key: parts.pseudonym_key,
            not_imported: parts.not_imported,
            next_visit: NextVisit::default(),
            clboss: Arc::default(),
            fee_turn: tokio::sync::Mutex::default(),
            forwards_turn: tokio::sync::Mutex::default(),
            admission_turn: tokio::sync::Mutex::default(),
            clock_turn: tokio::sync::Mutex::default(),
            replay_turn: tokio::sync::Mutex::default(),
            desk: rebalance::Desk::default(),
            health: Mutex::default(),
        }
    }

    /// Now, by the plugin's clock.
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The settings now.
    pub fn config(&self) -> Arc<Config> {
        self.settings.current()
    }

    /// What the last looks at the node showed.
    pub fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_health(&self, note: impl FnOnce(&mut Health)) {
        note(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Why a record is missing of what was done all the same, told to the log too.
    fn unrecorded(&self, recorded: anyhow::Result<()>, done: &str) -> Option<String> {
        let why = format!("{done} could not be recorded: {:#}", recorded.err()?);
        tracing::warn!("{why}");
        Some(why)
    }

    /// Has the engine do what may block for long, away from the async threads.
    async fn on_engine<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let engine = self.engine.clone();
        Ok(tokio::task::spawn_blocking(move || work(&engine)).await?)
    }

    /// Sets the fees of these peers' channels within seconds.
    pub fn policy_changed(&self, peers: Vec<PeerId>) {
        self.next_visit.add(peers);
        self.jobs.wake(JobName::Fees);
    }

    /// Sets the fees of all channels within seconds.
    pub fn visit_all(&self) {
        self.next_visit.all();
        self.jobs.wake(JobName::Fees);
    }
}
