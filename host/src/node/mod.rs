//! The only code that speaks to lightningd.
//!
//! Answers are read into tolerant structs, since one binary serves lightningd v23.05 to
//! v26.06. Nothing here judges: this layer translates, waits no longer than it must, and
//! says what went wrong.

mod bookkeeper;
mod breaker;
pub mod clboss;
mod closed;
mod companions;
pub mod forwards;
mod funds;
mod lives;
pub mod pages;
mod payment_sides;
pub mod pending;
pub mod roster;
mod rows;
mod sendpays;
pub mod sling;
mod snapshot;
mod stream;
mod timestamp;
mod transactions;
mod wire;
pub mod write;

pub use breaker::{BreakerState, Group};
pub use companions::{Companion, Companions};
pub use payment_sides::side_from_notification;
pub use snapshot::Identity;
pub use wire::{ForwardRow, StateChangeRow};

use breaker::Breakers;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// lightningd's code for a method that nobody offers.
pub const UNKNOWN_METHOD: i32 = -32601;
/// lightningd's code for parameters it does not take.
pub const BAD_PARAMETERS: i32 = -32602;

/// Why a call brought no answer to work with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// lightningd answered with an error.
    Refused { code: Option<i32>, message: String },
    /// No answer in time. The call may have been carried out all the same.
    TimedOut { after: Duration },
    /// The connection failed or the answer made no sense. The call may have been carried out.
    Broken(String),
    /// Not sent: the group rests after a lost call.
    Resting { group: Group, seconds_left: u64 },
}

impl CallError {
    /// Whether lightningd may have done what was asked, although no answer says so.
    pub fn leaves_doubt(&self) -> bool {
        matches!(self, CallError::TimedOut { .. } | CallError::Broken(_))
    }

    /// Whether nobody offers the method.
    pub fn is_unknown_method(&self) -> bool {
        matches!(self, CallError::Refused { code: Some(UNKNOWN_METHOD), .. })
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Refused { code: Some(code), message } => write!(f, "{message} (code {code})"),
            CallError::Refused { code: None, message } => f.write_str(message),
            CallError::TimedOut { after } => write!(f, "no answer within {} s", after.as_secs()),
            CallError::Broken(why) => write!(f, "the connection to lightningd failed: {why}"),
            CallError::Resting { group, seconds_left } => {
                write!(f, "not sent: {group} calls rest for another {seconds_left} s after one was lost")
            }
        }
    }
}

impl std::error::Error for CallError {}

/// How patient calls are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// After this a call counts as lost.
    pub timeout: Duration,
    /// How long a group rests after a lost call; zero turns the breaker off.
    pub rest: Duration,
}

/// The way to one lightningd. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
}

struct Shared {
    socket: PathBuf,
    patience: Mutex<Patience>,
    breakers: Breakers,
    /// Calls sent since the start.
    calls: AtomicU64,
    /// What this lightningd turned out not to know.
    abilities: Mutex<pages::Abilities>,
    /// Reading CLBoss's tags and writing them back is one step: what another changed in between would
    /// be lost.
    clboss_turn: tokio::sync::Mutex<()>,
}

impl Node {
    /// Connects on demand: each call has its own connection, so that an answer that comes
    /// too late is never taken for the next call's.
    pub fn new(socket: PathBuf, patience: Patience) -> Node {
        Node {
            shared: Arc::new(Shared {
                socket,
                patience: Mutex::new(patience),
                breakers: Breakers::default(),
                calls: AtomicU64::new(0),
                abilities: Mutex::default(),
                clboss_turn: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// Changes how patient calls are from the next one on.
    pub fn set_patience(&self, patience: Patience) {
        *lock(&self.shared.patience) = patience;
    }

    /// Each group's breaker, for the status.
    pub fn breakers(&self) -> Vec<(Group, BreakerState)> {
        self.shared.breakers.states()
    }

    /// Calls sent since the start.
    pub fn calls_sent(&self) -> u64 {
        self.shared.calls.load(Ordering::Relaxed)
    }

    /// Sends one call and reads its answer as `T`, at once: for short answers and pages.
    pub async fn call<T>(&self, group: Group, method: &str, params: impl Serialize) -> Result<T, CallError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let timeout = lock(&self.shared.patience).timeout;
        self.call_within(timeout, group, method, params).await
    }

    /// The same with a patience of its own, for those who are known to take long.
    async fn call_within<T>(
        &self,
        timeout: Duration,
        group: Group,
        method: &str,
        params: impl Serialize,
    ) -> Result<T, CallError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.guarded(timeout, group, self.exchange(method, params)).await
    }

    /// Sees one exchange through: not while its group rests, and no longer than `timeout`.
    async fn guarded<T>(
        &self,
        timeout: Duration,
        group: Group,
        exchange: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let rest = lock(&self.shared.patience).rest;
        let permit = self.shared.breakers.enter(group, rest)?;
        self.shared.calls.fetch_add(1, Ordering::Relaxed);
        let answer = match tokio::time::timeout(timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::TimedOut { after: timeout }),
        };
        match &answer {
            Err(error) if error.leaves_doubt() => permit.lost(&error.to_string()),
            Ok(_) | Err(_) => permit.answered(),
        }
        answer
    }
}

/// Locks, also after a panic elsewhere: what these mutexes hold is valid between any two
/// statements.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
