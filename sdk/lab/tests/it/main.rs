//! The lab seen from outside: over its socket, and by a plugin.
#![allow(clippy::unwrap_used)]

mod components;
mod flavours;
mod misbehaves;
mod plugins;
mod recorded;
mod sling;
mod socket;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use lab::{Flavour, LabConfig, PluginCommand};

/// A directory of its own, short enough for a socket; gone with the value.
pub struct Dir(pub PathBuf);

impl Default for Dir {
    fn default() -> Self {
        Self::new()
    }
}

impl Dir {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let n = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("lab-{}-{n}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Self(path),
                // An earlier process with this one's number left it behind.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }

    /// A lab here whose time stands still until moved.
    pub fn manual(&self, flavour: Flavour) -> LabConfig {
        LabConfig { manual: true, ..LabConfig::new(&self.0, flavour) }
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The plugin in `examples/`, which `cargo test` builds beside the tests.
pub fn fake_plugin() -> PluginCommand {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples/fake-plugin");
    assert!(program.exists(), "{} is missing: run `cargo test -p lab` without --test", program.display());
    PluginCommand::new(program)
}
