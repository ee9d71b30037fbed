//! The adapter of contract version 1: `wit/v1` to and from the host's types.

mod fee;
mod packed;
mod rebalance;

use super::world::Interface;
use crate::model::flow::FlowClass;
use crate::model::strategy::{Description, GUEST_INTEGER_LIMIT, ParamSpec, ParamValue};
use crate::model::{Msat, Opener};
use fee::generated::revenue_ops::strategy::types as wit;
pub(super) use wit::Description as RawDescription;

/// The version of the contract, and the prefix of versions that this adapter speaks.
const VERSION: &str = "1.0.0";

/// What a component that sets fees exports.
pub(super) const FEE: Interface =
    Interface { name: "revenue-ops:strategy/fee", version: VERSION, purpose: "sets fees" };
/// What a component that evaluates rebalances exports.
pub(super) const REBALANCE: Interface =
    Interface { name: "revenue-ops:strategy/rebalance", version: VERSION, purpose: "evaluates rebalances" };

/// Nothing above what every guest language can hold exactly.
fn lowered(value: u64) -> u64 {
    value.min(GUEST_INTEGER_LIMIT - 1)
}

fn msat(amount: Msat) -> u64 {
    lowered(amount.0)
}

fn param_value(value: &ParamValue) -> wit::ParamValue {
    const MOST: i64 = (GUEST_INTEGER_LIMIT - 1) as i64;
    match value {
        ParamValue::Flag(flag) => wit::ParamValue::Flag(*flag),
        ParamValue::Integer(integer) => wit::ParamValue::Integer((*integer).clamp(-MOST, MOST)),
        ParamValue::Number(number) => wit::ParamValue::Number(*number),
        ParamValue::Text(text) => wit::ParamValue::Text(text.clone()),
    }
}

/// The parameters of a call; those of the module's own that nobody set have its defaults.
fn params(given: &[(String, ParamValue)], about: &Description) -> Vec<wit::Param> {
    let param = |name: &String, value| wit::Param { name: name.clone(), value: param_value(value) };
    let is_set = |spec: &&ParamSpec| given.iter().any(|(name, _)| *name == spec.name);
    let defaults = about.params.iter().filter(|spec| !is_set(spec));
    let given = given.iter().map(|(name, value)| param(name, value));
    given.chain(defaults.map(|spec| param(&spec.name, &spec.default))).collect()
}

fn base_fee(fee: Msat) -> u32 {
    u32::try_from(fee.0).unwrap_or(u32::MAX)
}

fn opener(opener: Opener) -> wit::Opener {
    match opener {
        Opener::Local => wit::Opener::Local,
        Opener::Remote => wit::Opener::Remote,
    }
}

fn flow(class: FlowClass) -> wit::FlowClass {
    match class {
        FlowClass::Source => wit::FlowClass::Source,
        FlowClass::Sink => wit::FlowClass::Sink,
        FlowClass::Balanced => wit::FlowClass::Balanced,
    }
}

/// A position in one of the input's lists: those are far below 4 G entries.
fn end(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// The signals that `about` asks for and that have a value for each of the `rows`.
fn signals(all: &[(String, Vec<f64>)], rows: usize, about: &Description) -> Vec<wit::Signal> {
    let wanted = |(name, values): &&(String, Vec<f64>)| about.signals.contains(name) && values.len() == rows;
    all.iter()
        .filter(wanted)
        .map(|(name, values)| wit::Signal { name: name.clone(), values: values.clone() })
        .collect()
}

/// What a component says of itself, still to be checked.
pub(super) fn description(raw: RawDescription) -> Description {
    let value = |value| match value {
        wit::ParamValue::Flag(flag) => ParamValue::Flag(flag),
        wit::ParamValue::Integer(integer) => ParamValue::Integer(integer),
        wit::ParamValue::Number(number) => ParamValue::Number(number),
        wit::ParamValue::Text(text) => ParamValue::Text(text),
    };
    let param = |spec: wit::ParamSpec| ParamSpec {
        name: spec.name,
        doc: spec.doc,
        default: value(spec.default),
        minimum: spec.minimum,
        maximum: spec.maximum,
    };
    Description {
        name: raw.name,
        version: raw.version,
        state_version: raw.state_version,
        params: raw.params.into_iter().map(param).collect(),
        signals: raw.signals,
        reasons: raw.reasons,
        factors: raw.factors,
    }
}
