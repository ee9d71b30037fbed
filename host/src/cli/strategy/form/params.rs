//! Parameters and signals: objects by name.

use crate::cli::strategy::inspect::{type_name, value};
use crate::cycles::fee::is_signal;
use crate::cycles::told::HostParam;
use crate::guard::params::within;
use crate::model::strategy::{Description, ParamSpec, ParamValue};
use serde_json::{Map, Value};

pub(in crate::cli::strategy) type Params = Map<String, Value>;
/// One value per channel, `null` where there is none.
pub(in crate::cli::strategy) type Signals = std::collections::BTreeMap<String, Vec<Option<f64>>>;

/// The parameters of a call: the host's, with what is given over them, and those of the strategy
/// that are given. A name that neither has, a value of another type or out of bounds is refused.
pub(in crate::cli::strategy) fn read(
    given: &Params,
    specs: &[ParamSpec],
    host: &[HostParam],
) -> Result<Vec<(String, ParamValue)>, String> {
    let mut params: Vec<(String, ParamValue)> =
        host.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    for (name, json) in given {
        if let Some((_, value)) = params.iter_mut().find(|(host, _)| host == name) {
            *value = typed(name, json, value)?;
        } else if let Some(spec) = specs.iter().find(|spec| spec.name == *name) {
            let value = typed(name, json, &spec.default)?;
            within(spec, &value).map_err(|why| format!("params: {why}"))?;
            params.push((name.clone(), value));
        } else {
            return Err(unknown(name, specs));
        }
    }
    Ok(params)
}

fn unknown(name: &str, specs: &[ParamSpec]) -> String {
    let own: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let own = if own.is_empty() { "none".to_owned() } else { own.join(", ") };
    format!("params: there is no '{name}'; the strategy's own are: {own}; the host's begin with 'host.'")
}

/// The value in the type of `like`.
fn typed(name: &str, json: &Value, like: &ParamValue) -> Result<ParamValue, String> {
    let read = match like {
        ParamValue::Flag(_) => json.as_bool().map(ParamValue::Flag),
        ParamValue::Integer(_) => json.as_i64().map(ParamValue::Integer),
        ParamValue::Number(_) => json.as_f64().map(ParamValue::Number),
        ParamValue::Text(_) => json.as_str().map(|text| ParamValue::Text(text.to_owned())),
    };
    read.ok_or_else(|| {
        let example = value(like);
        format!("params: '{name}' is {json}, and not a value of type {} such as {example}", type_name(like))
    })
}

/// The signals of a call; those that the strategy does not ask for stay out of it.
pub(super) fn signals(
    given: &Signals,
    rows: usize,
    about: &Description,
) -> Result<Vec<(String, Vec<f64>)>, String> {
    let mut signals = Vec::new();
    for (name, values) in given {
        if !about.signals.contains(name) && !is_signal(name) {
            return Err(format!("signals: neither the host nor the strategy knows '{name}'"));
        }
        if values.len() != rows {
            return Err(format!("signals: '{name}' has {} values for {rows} channels", values.len()));
        }
        signals.push((name.clone(), values.iter().map(|value| value.unwrap_or(f64::NAN)).collect()));
    }
    Ok(signals)
}
