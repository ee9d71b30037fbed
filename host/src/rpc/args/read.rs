//! One value, read as its parameter's kind.

use super::{Arg, Kind};
use crate::model::quote;
use serde_json::{Number, Value};
use std::fmt;

/// Beyond this, a floating-point number does not say which integer it is.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::PeerId => f.write_str("a node's public key (66 hexadecimal digits)"),
            Kind::Channel => {
                f.write_str("a short channel id such as 700000x12x0, or a channel_id (64 hexadecimal digits)")
            }
            Kind::Int { min, max } => write!(f, "a whole number from {min} to {max}"),
            Kind::Number { min, max } if (*min, *max) == (f64::MIN, f64::MAX) => f.write_str("a number"),
            Kind::Number { min: f64::MIN, max } => write!(f, "a number of at most {max}"),
            Kind::Number { min, max } => write!(f, "a number from {min} to {max}"),
            Kind::Bool => f.write_str("true or false"),
            Kind::Text => f.write_str("a text"),
            Kind::Word => f.write_str("a text without '='"),
            Kind::List => f.write_str("a JSON array of texts, or texts with commas between them"),
            Kind::Array => f.write_str("a JSON array"),
            Kind::Object => f.write_str("a JSON object"),
            Kind::Any => f.write_str("a value"),
            Kind::OrNone(inner) => write!(f, "{inner}, or none"),
        }
    }
}

impl Kind {
    /// The value in this kind's type; else a sentence that says what is allowed.
    pub(super) fn read(&self, name: &str, value: &Value) -> Result<Arg, String> {
        let accepted = match self {
            Kind::PeerId => return read_peer_id(name, value),
            Kind::Channel => read_channel(value),
            Kind::Int { min, max } => {
                read_int(value).filter(|number| (min..=max).contains(&number)).map(Arg::Int)
            }
            Kind::Number { min, max } => {
                read_number(value).filter(|number| (min..=max).contains(&number)).map(Arg::Number)
            }
            Kind::Bool => read_bool(value).map(Arg::Bool),
            Kind::Word | Kind::List if value.as_str().is_some_and(|text| text.contains('=')) => None,
            Kind::Text => read_text(value).map(Arg::Text),
            Kind::Word => read_text(value).filter(|text| !text.is_empty()).map(Arg::Text),
            Kind::List => read_list(value).map(Arg::List),
            Kind::Array => read_json(value, Value::is_array),
            Kind::Object => read_json(value, Value::is_object),
            Kind::Any => Some(Arg::Json(value.clone())),
            Kind::OrNone(_) if is_none(value) => Some(Arg::Cleared),
            Kind::OrNone(inner) => inner.read(name, value).ok(),
        };
        accepted.ok_or_else(|| format!("{name}: '{}' is not allowed: use {self}", shown(value)))
    }
}

/// What a caller wrote, as a sentence shows it.
pub(in crate::rpc) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        other => quote(&other.to_string()),
    }
}

fn is_none(value: &Value) -> bool {
    let word = |text: &str| text.eq_ignore_ascii_case("none") || text.eq_ignore_ascii_case("null");
    value.as_str().is_some_and(|text| word(text.trim()))
}

fn read_peer_id(name: &str, value: &Value) -> Result<Arg, String> {
    let text = read_text(value).unwrap_or_else(|| shown(value));
    text.parse().map(Arg::PeerId).map_err(|error| match name {
        "peer_id" => format!("{error}"),
        _ => format!("{name}: {error}"),
    })
}

fn read_channel(value: &Value) -> Option<Arg> {
    value.as_str()?.trim().parse().ok().map(Arg::Channel)
}

fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < EXACT_INTEGERS).then_some(number as i64)
}

fn read_int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => {
            let text = text.trim();
            let exact = text.parse().ok();
            exact.or_else(|| text.parse().ok().and_then(whole))
        }
        _ => None,
    }
}

fn read_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

fn read_bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(_) | Value::String(_) => match read_text(value)?.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn read_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(Number::to_string(number)),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn read_list(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) => items.iter().map(read_text).collect(),
        Value::String(text) if text.trim_start().starts_with('[') => {
            match serde_json::from_str(text).ok()? {
                Value::Array(items) => items.iter().map(read_text).collect(),
                _ => None,
            }
        }
        Value::String(text) if text.trim().is_empty() => Some(Vec::new()),
        Value::String(text) => Some(text.split(',').map(|item| item.trim().to_owned()).collect()),
        other => read_text(other).map(|text| vec![text]),
    }
}

fn read_json(value: &Value, wanted: fn(&Value) -> bool) -> Option<Arg> {
    let value = match value {
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    wanted(&value).then_some(Arg::Json(value))
}
