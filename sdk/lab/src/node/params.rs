//! Reading a method's parameters the way lightningd does, with its words for what is wrong.

use serde_json::{Map, Value};

use super::flavour::Flavour;
use crate::ids::Scid;
use crate::rpc::RpcError;

/// A parameter's name and the release that added it.
pub(crate) type ParamSpec = (&'static str, u32);

/// Parameters by name; absent and `null` are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Map<String, Value>);

const UNKNOWN: &str = "this may be caused by a failure to autodetect key=value-style parameters. \
                       Please try using the -k flag and explicit key=value pairs of parameters.";

impl Params {
    /// Takes an object or an array against a method's parameters in a release.
    pub fn parse(raw: &Value, specs: &[ParamSpec], flavour: Flavour) -> Result<Self, RpcError> {
        let known: Vec<&str> =
            specs.iter().filter(|(_, since)| flavour.has(*since)).map(|(name, _)| *name).collect();
        let named = match raw {
            Value::Null => Map::new(),
            Value::Array(values) if values.len() > known.len() => {
                let (got, most) = (values.len(), known.len());
                return Err(RpcError::invalid(format!("too many parameters: got {got}, expected {most}")));
            }
            Value::Array(values) => {
                known.iter().map(ToString::to_string).zip(values.iter().cloned()).collect()
            }
            Value::Object(values) => values.clone(),
            _ => return Err(RpcError::new(-32600, "Expected array or object for params")),
        };
        if let Some(stray) = named.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(RpcError::invalid(format!("unknown parameter: {stray}, {UNKNOWN}")));
        }
        Ok(Self(named.into_iter().filter(|(_, value)| !value.is_null()).collect()))
    }

    /// The raw value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The parameters as an object.
    #[cfg(test)]
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// A value that must be there.
    pub fn need(&self, name: &str) -> Result<&Value, RpcError> {
        self.get(name).ok_or_else(|| RpcError::invalid(format!("missing required parameter: {name}")))
    }

    /// Text; numbers count as their digits.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    /// Text that must be there.
    pub fn need_text(&self, name: &str) -> Result<String, RpcError> {
        self.need(name)?;
        Ok(self.text(name).unwrap_or_default())
    }

    /// A whole number, also as text.
    pub fn integer(&self, name: &str) -> Result<Option<u64>, RpcError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        number.map(Some).ok_or_else(|| bad(name, "should be an integer", value))
    }

    /// A whole number of at most 32 bits.
    pub fn integer32(&self, name: &str) -> Result<Option<u32>, RpcError> {
        let number = self.integer(name)?.map(u32::try_from).transpose();
        number.map_err(|_| bad(name, "should be an integer", &self.0[name]))
    }

    /// An amount: a number of msat, or text ending in `msat`, `sat` or `btc`.
    pub fn msat(&self, name: &str) -> Result<Option<u64>, RpcError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let parsed = match value {
            Value::String(text) => amount(text),
            other => other.as_u64(),
        };
        parsed.map(Some).ok_or_else(|| bad(name, "should be a millisatoshi amount", value))
    }

    /// A short channel id.
    pub fn scid(&self, name: &str) -> Result<Option<Scid>, RpcError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let parsed = value.as_str().and_then(|text| text.parse().ok());
        parsed.map(Some).ok_or_else(|| bad(name, "should be a short_channel_id of form NxNxN", value))
    }

    /// True or false, also as text.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, RpcError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text == "true" => Ok(Some(true)),
            Some(Value::String(text)) if text == "false" => Ok(Some(false)),
            Some(other) => Err(bad(name, "should be 'true' or 'false'", other)),
        }
    }
}

/// lightningd's complaint about one parameter.
pub(crate) fn bad(name: &str, problem: &str, value: &Value) -> RpcError {
    RpcError::invalid(format!("{name}: {problem}: invalid token '{value}'"))
}

fn amount(text: &str) -> Option<u64> {
    if let Some(msat) = text.strip_suffix("msat") {
        return msat.parse().ok();
    }
    if let Some(sat) = text.strip_suffix("sat") {
        return sat.parse::<u64>().ok()?.checked_mul(1000);
    }
    if let Some(btc) = text.strip_suffix("btc") {
        let value: f64 = btc.parse().ok()?;
        return (value >= 0.0).then_some((value * 1e11) as u64);
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    const SPECS: &[ParamSpec] = &[("id", 0), ("feebase", 0), ("index", 2311)];

    #[test]
    fn names_and_positions_mean_the_same() {
        let by_name = Params::parse(&json!({"id": "x", "feebase": 5}), SPECS, Flavour::V24_11).unwrap();
        let by_place = Params::parse(&json!(["x", 5]), SPECS, Flavour::V24_11).unwrap();
        assert_eq!(by_name.as_map(), by_place.as_map());
        assert!(Params::parse(&Value::Null, SPECS, Flavour::V24_11).unwrap().as_map().is_empty());
    }

    #[test]
    fn a_parameter_of_a_later_release_is_unknown() {
        let raw = json!({"index": "updated"});
        let error = Params::parse(&raw, SPECS, Flavour::V23_05).unwrap_err();
        assert_eq!(error.code, -32602);
        assert!(error.message.starts_with("unknown parameter: index, this may be caused"), "{error}");
        assert!(Params::parse(&raw, SPECS, Flavour::V24_11).is_ok());
        let error = Params::parse(&json!([1, 2, 3]), SPECS, Flavour::V23_05).unwrap_err();
        assert_eq!(error.message, "too many parameters: got 3, expected 2");
    }

    #[test]
    fn amounts_come_in_every_form() {
        for (raw, msat) in [(json!(7), 7), (json!("7"), 7), (json!("7msat"), 7), (json!("7sat"), 7000)] {
            let params = Params::parse(&json!({"feebase": raw}), SPECS, Flavour::V26_06).unwrap();
            assert_eq!(params.msat("feebase").unwrap(), Some(msat));
        }
        let params = Params::parse(&json!({"feebase": "many"}), SPECS, Flavour::V26_06).unwrap();
        let error = params.msat("feebase").unwrap_err();
        assert_eq!(error.message, "feebase: should be a millisatoshi amount: invalid token '\"many\"'");
    }
}
