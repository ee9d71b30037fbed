//! `strategy digest` and `strategy inspect`: what a file is, without deciding anything.

use super::Verdict;
use super::bench::{Bench, Source, Subject};
use crate::cli::print;
use crate::engine::LimitClass;
use crate::model::strategy::{Description, ParamSpec, ParamValue};
pub(super) use crate::rpc::strategy::param_value as value;
use anyhow::Result;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// Which file.
#[derive(clap::Args)]
pub struct Digest {
    /// A `.wasm` file, or the name of a built-in strategy.
    file: PathBuf,
}

/// Which file, and how to show it.
#[derive(clap::Args)]
pub struct Inspect {
    /// A `.wasm` file, or the name of a built-in strategy.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Give it the limits of modules named in revenue-ops-interpreted-modules.
    #[arg(long)]
    interpreted: bool,
}

/// Prints the file's SHA-256 alone; the file may be anything.
pub(super) fn digest(options: &Digest) -> Result<Verdict> {
    print(&format!("{}\n", Source::open(&options.file)?.digest))?;
    Ok(Verdict::Good)
}

/// Prints what the component says of itself.
pub(super) fn inspect(options: &Inspect) -> Result<Verdict> {
    let source = Source::open(&options.file)?;
    let subject = Bench::new(class(options.interpreted))?.subject(&source)?;
    if options.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&as_json(&source, &subject))?))?;
    } else {
        print(&as_text(&source, &subject))?;
    }
    Ok(Verdict::Good)
}

/// The limits that were asked for.
pub(super) fn class(interpreted: bool) -> LimitClass {
    if interpreted { LimitClass::Interpreted } else { LimitClass::Native }
}

impl Subject {
    /// What it says of itself, in each world that it is for.
    pub(super) fn descriptions(&self) -> Vec<(&'static str, &Description)> {
        let fees = self.fees.as_ref().map(|module| ("fee-strategy", &module.description));
        let rebalances = self.rebalances.as_ref().map(|module| ("rebalance-strategy", &module.description));
        fees.into_iter().chain(rebalances).collect()
    }
}

fn as_json(source: &Source, subject: &Subject) -> Value {
    let worlds: Vec<Value> = subject
        .descriptions()
        .into_iter()
        .map(|(world, about)| {
            json!({
                "world": world,
                "name": about.name,
                "version": about.version,
                "state_version": about.state_version,
                "params": about.params.iter().map(param_json).collect::<Vec<_>>(),
                "signals": about.signals,
                "reasons": about.reasons,
                "factors": about.factors,
            })
        })
        .collect();
    json!({
        "file": subject.label,
        "sha256": source.digest.to_string(),
        "bytes": source.wasm.len(),
        "imports": subject.names.imports,
        "exports": subject.names.exports,
        "worlds": worlds,
    })
}

/// The word for a parameter's type.
pub(super) fn type_name(value: &ParamValue) -> &'static str {
    match value {
        ParamValue::Flag(_) => "flag",
        ParamValue::Integer(_) => "integer",
        ParamValue::Number(_) => "number",
        ParamValue::Text(_) => "text",
    }
}

fn param_json(spec: &ParamSpec) -> Value {
    json!({
        "name": spec.name,
        "type": type_name(&spec.default),
        "default": value(&spec.default),
        "minimum": spec.minimum,
        "maximum": spec.maximum,
        "doc": spec.doc,
    })
}

fn as_text(source: &Source, subject: &Subject) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: &str| {
        writeln!(out, "{name:9} {text}").expect("writing to a String does not fail");
    };
    for (world, about) in subject.descriptions() {
        line(&about.name, &about.version);
        line("world", world);
        line("abi", &abi(subject));
        line("state", &format!("version {}", about.state_version));
        for spec in &about.params {
            line("parameter", &param_text(spec));
        }
        for (what, words) in
            [("signals", &about.signals), ("reasons", &about.reasons), ("factors", &about.factors)]
        {
            line(what, &listed(words));
        }
    }
    line("imports", &listed(&subject.names.imports));
    line("exports", &listed(&subject.names.exports));
    line("size", &format!("{} bytes", source.wasm.len()));
    line("sha256", &source.digest.to_string());
    out
}

/// The version of the contract that it was built against.
fn abi(subject: &Subject) -> String {
    let versions = subject.names.exports.iter().filter_map(|name| name.split_once('@'));
    versions.map(|(_, version)| version).next().unwrap_or("unknown").to_owned()
}

fn listed(words: &[String]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn param_text(spec: &ParamSpec) -> String {
    let bounds = match (spec.minimum, spec.maximum) {
        (Some(low), Some(high)) => format!(", {low} to {high}"),
        (Some(low), None) => format!(", at least {low}"),
        (None, Some(high)) => format!(", at most {high}"),
        (None, None) => String::new(),
    };
    let (kind, default) = (type_name(&spec.default), value(&spec.default));
    format!("{} ({kind}, {default}{bounds}): {}", spec.name, spec.doc)
}
