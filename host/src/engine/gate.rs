//! Counts the calls under way: it bounds how many run at once, and moves the
//! engine's epoch on while any does, so that an idle node is left to sleep.

use super::limits::CALLS_AT_ONCE;
use std::sync::{Arc, Barrier, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use wasmtime::Engine;

/// Time between two epochs while a call is under way.
const EPOCH: Duration = Duration::from_millis(10);

#[derive(Default)]
struct State {
    running: u32,
    /// Calls that wait for one of the running to end.
    waiting: u32,
    /// The clock's thread waits for a call.
    idle: bool,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// A call began, or the gate closed.
    busy: Condvar,
    /// A call ended.
    room: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A count is never left half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way into the engine.
pub(super) struct Gate(Arc<Shared>);

/// A call under way.
pub(super) struct Pass(Arc<Shared>);

impl Gate {
    /// A gate whose epochs are short: deadlines are met closely.
    pub(super) fn new(engine: &Engine) -> std::io::Result<Gate> {
        Gate::with_epoch(engine, EPOCH)
    }

    /// A gate behind which each epoch, and so each deadline, lasts longer.
    ///
    /// Starts the thread that moves `engine`'s epoch on; it ends with the gate.
    /// That thread has begun when this returns: what a thread does to begin,
    /// a sealed process may not.
    pub(super) fn with_epoch(engine: &Engine, epoch: Duration) -> std::io::Result<Gate> {
        let (shared, begun) = (Arc::new(Shared::default()), Arc::new(Barrier::new(2)));
        let (watched, engine, here) = (Arc::clone(&shared), engine.clone(), Arc::clone(&begun));
        let run = move || {
            here.wait();
            tick(&watched, &engine, epoch);
        };
        thread::Builder::new().name("wasm-epoch".to_owned()).spawn(run)?;
        begun.wait();
        Ok(Gate(shared))
    }

    /// Waits until a call may start.
    pub(super) fn enter(&self) -> Pass {
        let mut state = self.0.lock();
        while state.running >= CALLS_AT_ONCE {
            state.waiting += 1;
            state = self.0.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        state.running += 1;
        if state.idle {
            self.0.busy.notify_one();
        }
        Pass(Arc::clone(&self.0))
    }

    /// Epochs that cover `time`.
    pub(super) fn epochs(time: Duration) -> u64 {
        let whole = time.as_millis().div_ceil(EPOCH.as_millis());
        // The first epoch may begin at once.
        u64::try_from(whole).unwrap_or(u64::MAX).saturating_add(1)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.busy.notify_one();
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running -= 1;
        if state.waiting > 0 {
            self.0.room.notify_one();
        }
    }
}

fn tick(shared: &Shared, engine: &Engine, epoch: Duration) {
    loop {
        let mut state = shared.lock();
        state.idle = true;
        while state.running == 0 && !state.closed {
            state = shared.busy.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.idle = false;
        if state.closed {
            return;
        }
        drop(state);
        thread::sleep(epoch);
        engine.increment_epoch();
    }
}
