//! From the first answer to lightningd to the services being ready, in the background:
//! nothing that lightningd waits for waits for this.

use super::Services;
use super::settings::Settings;
use crate::config::Config;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long a command waits for a plugin that is just starting.
const COMMAND_PATIENCE: Duration = Duration::from_secs(3);

/// How far the plugin is.
#[derive(Clone)]
pub enum Phase {
    /// Not ready yet; what is being done, or what went wrong and is tried again.
    Starting(String),
    Ready(Arc<Services>),
}

/// Where commands learn how far the plugin is.
#[derive(Clone)]
pub struct Lifecycle {
    phase: watch::Receiver<Phase>,
    settings: Arc<Settings>,
}

impl Lifecycle {
    /// A plugin that has just been started, and the means to move it on.
    pub fn starting(settings: Arc<Settings>) -> (watch::Sender<Phase>, Lifecycle) {
        let (sender, phase) = watch::channel(Phase::Starting("the plugin has just been started".to_owned()));
        (sender, Lifecycle { phase, settings })
    }

    /// How far the plugin is now.
    pub fn phase(&self) -> Phase {
        self.phase.borrow().clone()
    }

    /// The settings as far as they are read: until the plugin is ready, what lightningd's options say.
    pub fn config(&self) -> Arc<Config> {
        self.settings.current()
    }

    /// The services, if they are ready now.
    pub fn services_now(&self) -> Option<Arc<Services>> {
        match self.phase() {
            Phase::Ready(services) => Some(services),
            Phase::Starting(_) => None,
        }
    }

    /// The services, as soon as they are ready, but within a few seconds; else what the
    /// plugin waits for.
    pub async fn services(&self) -> Result<Arc<Services>, String> {
        let mut phase = self.phase.clone();
        let ready = phase.wait_for(|phase| matches!(phase, Phase::Ready(_)));
        // A time-out, or a start that was given up, shows in the phase below.
        let _ = tokio::time::timeout(COMMAND_PATIENCE, ready).await;
        match self.phase() {
            Phase::Ready(services) => Ok(services),
            Phase::Starting(step) => Err(format!("the plugin is still starting: {step}")),
        }
    }
}
