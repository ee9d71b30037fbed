//! What a check found, for people and for programs.

use crate::cli::strategy::bench::Source;
use crate::engine::LimitClass;
use crate::model::strategy::Description;
use serde::Serialize;
use std::fmt;

/// Everything that a check found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    file: String,
    sha256: String,
    bytes: usize,
    /// Whose limits it got.
    class: &'static str,
    pub ok: bool,
    /// The worlds that it is for, and what it calls itself there.
    worlds: Vec<World>,
    findings: Vec<Finding>,
    notes: Vec<String>,
    costs: Vec<CostLine>,
}

#[derive(Debug, Serialize)]
struct World {
    world: &'static str,
    name: String,
    version: String,
}

/// One thing that was tried.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    check: &'static str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    world: Option<&'static str>,
    detail: String,
}

impl Finding {
    pub fn good(check: &'static str, detail: String) -> Finding {
        Finding { check, ok: true, world: None, detail }
    }

    pub fn bad(check: &'static str, detail: String) -> Finding {
        Finding { check, ok: false, world: None, detail }
    }
}

/// What a call with so many channels took.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct CostLine {
    pub world: &'static str,
    pub channels: usize,
    pub fuel: u64,
    pub fuel_allowed: u64,
    pub memory_bytes: usize,
    pub us_per_channel: f64,
}

impl Report {
    pub fn new(source: &Source, class: LimitClass) -> Report {
        Report {
            file: source.label.clone(),
            sha256: source.digest.to_string(),
            bytes: source.wasm.len(),
            class: class.name(),
            ok: true,
            worlds: vec![],
            findings: vec![],
            notes: vec![],
            costs: vec![],
        }
    }

    /// What is added from here on is about this world.
    pub fn begin(&mut self, world: &'static str, about: &Description) {
        self.worlds.push(World { world, name: about.name.clone(), version: about.version.clone() });
    }

    pub fn add(&mut self, finding: Finding) {
        self.ok &= finding.ok;
        let world = self.worlds.last().map(|world| world.world);
        self.findings.push(Finding { world, ..finding });
    }

    pub fn note(&mut self, notes: Vec<String>) {
        self.notes.extend(notes);
    }

    pub fn cost(&mut self, line: CostLine) {
        self.costs.push(line);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for World { world, name, version } in &self.worlds {
            writeln!(f, "{name} {version}, {world}, sha256 {}", self.sha256)?;
        }
        for Finding { check, ok, detail, .. } in &self.findings {
            let word = if *ok { "ok" } else { "FAULT" };
            writeln!(f, "{word:6} {check:12} {}", detail.replace('\n', "\n                    "))?;
        }
        for note in &self.notes {
            writeln!(f, "note                {note}")?;
        }
        if !self.costs.is_empty() {
            writeln!(f, "\nchannels         fuel   of allowed       memory   us per channel")?;
        }
        for line in &self.costs {
            let share = line.fuel as f64 / line.fuel_allowed as f64 * 100.0;
            let kib = line.memory_bytes / 1024;
            writeln!(
                f,
                "{:8} {:12} {share:10.1} % {kib:8} KiB {:16.2}",
                line.channels, line.fuel, line.us_per_channel
            )?;
        }
        Ok(())
    }
}
