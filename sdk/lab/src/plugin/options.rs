//! The options given to `init`: the manifest's defaults under the operator's values, typed.

use anyhow::{Result, anyhow, bail};
use serde_json::{Map, Value};

/// An operator's value in the type that the manifest declares.
pub(super) fn typed(option: &Value, value: &Value) -> Result<Value> {
    if option["multi"] == true {
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        return values.iter().map(|value| single(option, value)).collect();
    }
    single(option, value)
}

fn single(option: &Value, value: &Value) -> Result<Value> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match option["type"].as_str() {
        Some("string") => Ok(Value::String(text)),
        Some("int") => text.parse::<i64>().map(Value::from).map_err(|_| anyhow!("{text} is not a number")),
        Some("bool" | "flag") => match text.as_str() {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => bail!("{text} is neither true nor false"),
        },
        other => bail!("the manifest declares no known type: {other:?}"),
    }
}

/// The `options` of `init`. Options without value and default are left out, as lightningd does; a
/// name that the manifest does not declare stops the start.
pub(super) fn resolve(manifest: &Value, given: &Map<String, Value>) -> Result<Map<String, Value>> {
    let declared = manifest["options"].as_array().cloned().unwrap_or_default();
    let mut values = Map::new();
    for option in &declared {
        let name = option["name"].as_str().ok_or_else(|| anyhow!("an option has no name"))?;
        if option["description"].as_str().is_none() {
            bail!("option {name} has no description");
        }
        let value = match (given.get(name), option.get("default")) {
            (Some(value), _) => typed(option, value).map_err(|problem| anyhow!("{name}: {problem}"))?,
            (None, Some(default)) if !default.is_null() => default.clone(),
            (None, _) => continue,
        };
        // A flag is sent only when set.
        if option["type"] != "flag" || value == true {
            values.insert(name.to_owned(), value);
        }
    }
    match given.keys().find(|name| !declared.iter().any(|option| option["name"] == name.as_str())) {
        Some(stray) => bail!("{stray}: unrecognized option"),
        None => Ok(values),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn manifest() -> Value {
        json!({"options": [
            {"name": "count", "type": "int", "default": 5, "description": "n"},
            {"name": "name", "type": "string", "default": "x", "description": "n"},
            {"name": "on", "type": "bool", "default": false, "description": "n"},
            {"name": "flag", "type": "flag", "default": false, "description": "n"},
            {"name": "many", "type": "string", "multi": true, "description": "n"},
        ]})
    }

    fn given(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn defaults_stand_and_text_takes_the_declared_type() {
        let plain = resolve(&manifest(), &Map::new()).unwrap();
        assert_eq!(Value::Object(plain), json!({"count": 5, "name": "x", "on": false}));
        let set = given(json!({"count": "7", "name": 3, "on": "true", "flag": true, "many": "a"}));
        let set = resolve(&manifest(), &set).unwrap();
        assert_eq!(
            Value::Object(set),
            json!({"count": 7, "name": "3", "on": true, "flag": true, "many": ["a"]})
        );
    }

    #[test]
    fn what_lightningd_refuses_is_refused() {
        for bad in [json!({"count": "many"}), json!({"on": "maybe"}), json!({"stray": 1})] {
            assert!(resolve(&manifest(), &given(bad.clone())).is_err(), "{bad}");
        }
    }
}
