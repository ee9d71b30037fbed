//! A node that answers what a real one answered: the recordings of one run, in phases.
//!
//! A phase is the moment of the run that some answers were taken at. What a phase lacks follows
//! from its neighbours, so that a whole phase describes one moment: the books are cut out of a
//! later recording at that moment, everything else is as it was last seen.

mod answers;
mod derived;
mod notices;
mod setchannel;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::{Flavour, Notification};
pub(super) use answers::is_of;

/// The phases in the order of a run. The first one's recordings have no suffix.
const PHASES: [&str; 5] = ["start", "after-sling", "after-splice", "onchain", "after-close"];

/// Methods whose whole list was recorded, and the member that holds it.
const LISTS: [(&str, &str); 11] = [
    ("listforwards", "forwards"),
    ("listsendpays", "payments"),
    ("listpays", "pays"),
    ("listpeerchannels", "channels"),
    ("listclosedchannels", "closedchannels"),
    ("listpeers", "peers"),
    ("listnodes", "nodes"),
    ("listchannels", "channels"),
    ("bkpr-listaccountevents", "events"),
    ("bkpr-listincome", "income_events"),
    ("bkpr-listbalances", "accounts"),
];

/// Methods of other shapes that are answered as recorded.
const OTHERS: [&str; 3] = ["getinfo", "feerates", "listfunds"];

/// Seconds from the last moment of a recording to the start of the clock.
const CLOCK_AFTER_S: u64 = 60;
/// Blocks that lightningd keeps a channel after its last output was resolved.
const BLOCKS_TO_FORGET: u32 = 100;

/// One moment of a run: what each method answered.
#[derive(Debug, Clone)]
struct Phase {
    name: &'static str,
    /// The latest moment that its answers name, unix time in seconds.
    at: u64,
    /// Results, lists included whole.
    results: BTreeMap<String, Value>,
}

impl Phase {
    fn rows(&self, method: &str) -> &[Value] {
        let key = list_key(method).unwrap_or_default();
        self.results.get(method).and_then(|result| result[key].as_array()).map_or(&[], Vec::as_slice)
    }

    fn block_height(&self) -> u32 {
        let seen =
            self.rows("bkpr-listaccountevents").iter().filter_map(|event| event["blockheight"].as_u64());
        let seen = seen.max().unwrap_or(0) as u32;
        let forgotten = !self.rows("listclosedchannels").is_empty();
        if forgotten { seen + BLOCKS_TO_FORGET } else { seen }
    }
}

fn list_key(method: &str) -> Option<&'static str> {
    LISTS.iter().find(|(name, _)| *name == method).map(|(_, key)| *key)
}

/// The recordings of one run of a real node; see the module's text.
#[derive(Debug, Clone)]
pub struct Recorded {
    flavour: Flavour,
    phases: Vec<Phase>,
    current: usize,
    notifications: Vec<Notification>,
    moves: bool,
}

impl Recorded {
    /// Reads the recordings of a directory: files named after a method, with the phase behind it
    /// (`listpeerchannels-after-close.json`), each `{"request": .., "result": ..}`, and
    /// `notifications.jsonl`. The node stands at the first phase.
    pub fn load(dir: impl AsRef<Path>, flavour: Flavour) -> Result<Self> {
        let dir = dir.as_ref();
        let mut phases: Vec<Phase> =
            PHASES.iter().map(|&name| Phase { name, at: 0, results: BTreeMap::new() }).collect();
        for file in files(dir)? {
            let text =
                std::fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?;
            let recorded: Value =
                serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
            let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let method = recorded["request"]["method"].as_str().unwrap_or_default();
            if let (Some(phase), Some(result)) = (phase_of(&stem, method), recorded.get("result")) {
                phases[phase].results.insert(method.to_owned(), result.clone());
            }
        }
        phases.retain(|phase| !phase.results.is_empty());
        ensure!(
            phases
                .first()
                .is_some_and(|first| OTHERS.iter().all(|method| first.results.contains_key(*method))),
            "{} has no recordings of {}",
            dir.display(),
            OTHERS.join(", ")
        );
        derived::complete(&mut phases);
        let notifications = notices::load(&dir.join("notifications.jsonl"))?;
        Ok(Self { flavour, phases, current: 0, notifications, moves: false })
    }

    /// The same node at another phase.
    pub fn at(mut self, phase: &str) -> Result<Self> {
        self.enter(phase)?;
        Ok(self)
    }

    /// The same node with `listchannelmoves` and `listchainmoves` made from its books. Without this
    /// it does not know these methods, since they were not recorded.
    #[must_use]
    pub fn with_moves(mut self) -> Self {
        self.moves = true;
        self
    }

    /// The release that was recorded.
    pub fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// The phases of the run, in order.
    pub fn phases(&self) -> Vec<&'static str> {
        self.phases.iter().map(|phase| phase.name).collect()
    }

    /// What the node told its plugins, in order, over the whole run.
    pub fn notifications(&self) -> &[Notification] {
        &self.notifications
    }

    /// A moment after everything that was recorded, unix time in seconds.
    pub fn after_end_s(&self) -> u64 {
        let told = self.notifications.iter().map(|notification| derived::latest(&notification.params));
        self.phases.iter().map(|phase| phase.at).chain(told).max().unwrap_or(0) + CLOCK_AFTER_S
    }

    /// The height at the phase the node stands at.
    pub(crate) fn block_height(&self) -> u32 {
        self.phase().block_height()
    }

    pub(super) fn enter(&mut self, name: &str) -> Result<()> {
        match self.phases.iter().position(|phase| phase.name == name) {
            Some(position) => self.current = position,
            None => bail!("there is no phase {name}: {}", self.phases().join(", ")),
        }
        Ok(())
    }

    fn phase(&self) -> &Phase {
        &self.phases[self.current]
    }

    /// The node id that `getinfo` tells.
    pub(super) fn node_id(&self) -> String {
        self.phase().results["getinfo"]["id"].as_str().unwrap_or_default().to_owned()
    }

    /// True for methods that the release has and the recording does not.
    pub(super) fn hides(&self, method: &str) -> bool {
        match method {
            "listchannelmoves" | "listchainmoves" => !self.moves,
            "listhtlcs" | "listtransactions" => true,
            _ => false,
        }
    }
}

/// The JSON files of a directory, sorted.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("can't read {}", dir.display()))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.with_context(|| format!("can't read {}", dir.display()))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    Ok(paths)
}

/// The phase whose whole answer a file holds; none if it holds something else.
fn phase_of(stem: &str, method: &str) -> Option<usize> {
    if list_key(method).is_none() && !OTHERS.contains(&method) {
        return None;
    }
    match stem.strip_prefix(method)? {
        "" => Some(0),
        suffix => PHASES.iter().position(|phase| suffix.strip_prefix('-') == Some(phase)),
    }
}

/// The answer of a list method with these rows.
fn listing(method: &str, rows: Vec<Value>) -> Value {
    json!({list_key(method).unwrap_or_default(): rows})
}
