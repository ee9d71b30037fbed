//! Values of settings, and the types and bounds that accept them.

use crate::model::{StrategyName, quote};
use std::fmt;

/// A setting's value, or what someone typed for one.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value}"),
            Value::Text(value) => f.write_str(value),
        }
    }
}

impl Value {
    /// As a sentence shows it.
    pub fn shown(&self) -> String {
        quote(&self.to_string())
    }

    /// What it is as a number; none for what is no number.
    pub(super) fn number(&self) -> Option<f64> {
        read_float(self)
    }
}

/// A setting's type and bounds; both ends are allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Bool,
    Int {
        min: i64,
        max: i64,
    },
    Float {
        min: f64,
        max: f64,
    },
    /// Any text.
    Text,
    /// The name of a strategy or an evaluator.
    Name,
    /// Any number of such names, with commas between.
    Names,
    /// One of these words.
    Word(&'static [&'static str]),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Bool => write!(f, "true or false"),
            Kind::Int { min, max } => write!(f, "a whole number from {min} to {max}"),
            Kind::Float { min, max } => write!(f, "a number from {min} to {max}"),
            Kind::Text => write!(f, "any text"),
            Kind::Name => {
                write!(f, "a name of letters, digits, '-' and '_', at most {}", StrategyName::LONGEST)
            }
            Kind::Names => {
                write!(
                    f,
                    "names with commas between, each of letters, digits, '-' and '_', at most {}",
                    StrategyName::LONGEST
                )
            }
            Kind::Word([only]) => write!(f, "{only}"),
            Kind::Word(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}

impl Kind {
    /// The value in this setting's own type, when it is within bounds; else what is
    /// allowed. Texts are read leniently, as config files write them.
    pub fn accept(&self, raw: &Value) -> Result<Value, Kind> {
        let accepted = match *self {
            Kind::Bool => read_bool(raw).map(Value::Bool),
            Kind::Int { min, max } => read_int(raw).filter(|n| (min..=max).contains(n)).map(Value::Int),
            Kind::Float { min, max } => read_float(raw).filter(|n| (min..=max).contains(n)).map(Value::Float),
            Kind::Text => Some(Value::Text(raw.to_string().trim().to_owned())),
            Kind::Name => {
                let name: Option<StrategyName> = raw.to_string().trim().parse().ok();
                name.map(|name| Value::Text(name.as_str().to_owned()))
            }
            Kind::Names => read_names(&raw.to_string()).map(Value::Text),
            Kind::Word(words) => {
                let word = raw.to_string().trim().to_ascii_lowercase();
                words.contains(&word.as_str()).then_some(Value::Text(word))
            }
        };
        accepted.ok_or(*self)
    }

    /// The type's name in the generated documentation.
    pub fn type_name(&self) -> &'static str {
        match self {
            Kind::Bool => "bool",
            Kind::Int { .. } => "integer",
            Kind::Float { .. } => "number",
            Kind::Text | Kind::Name | Kind::Names | Kind::Word(_) => "text",
        }
    }
}

/// Names with commas between, one blank after each comma.
fn read_names(text: &str) -> Option<String> {
    let read: Result<Vec<StrategyName>, String> = super::listed(text).map(str::parse).collect();
    Some(read.ok()?.iter().map(StrategyName::as_str).collect::<Vec<_>>().join(", "))
}

fn read_bool(raw: &Value) -> Option<bool> {
    match raw.to_string().trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn read_int(raw: &Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match raw {
        Value::Int(value) => Some(*value),
        Value::Float(value) if value.fract() == 0.0 && value.abs() < EXACT => Some(*value as i64),
        Value::Text(text) => text.trim().parse().ok(),
        Value::Float(_) | Value::Bool(_) => None,
    }
}

fn read_float(raw: &Value) -> Option<f64> {
    match raw {
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        Value::Text(text) => text.trim().parse().ok(),
        Value::Bool(_) => None,
    }
    .filter(|value| value.is_finite())
}

/// How a Rust field holds a setting's value.
pub(super) trait Field: Sized {
    fn to_value(&self) -> Value;
    /// `None` only for a value of another type than the setting's own.
    fn from_value(value: Value) -> Option<Self>;
}

impl Field for bool {
    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Bool(value) = value { Some(value) } else { None }
    }
}

impl Field for u64 {
    fn to_value(&self) -> Value {
        Value::Int(i64::try_from(*self).unwrap_or(i64::MAX))
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Int(value) = value { u64::try_from(value).ok() } else { None }
    }
}

impl Field for u32 {
    fn to_value(&self) -> Value {
        Value::Int(i64::from(*self))
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Int(value) = value { u32::try_from(value).ok() } else { None }
    }
}

impl Field for f64 {
    fn to_value(&self) -> Value {
        Value::Float(*self)
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Float(value) = value { Some(value) } else { None }
    }
}

impl Field for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Text(value) = value { Some(value) } else { None }
    }
}
