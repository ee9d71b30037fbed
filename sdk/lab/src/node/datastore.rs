//! lightningd's key-value store for plugins.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::NodeState;
use super::params::{Params, bad};
use crate::rpc::{RpcError, RpcResult};

#[derive(Debug)]
struct Entry {
    bytes: Vec<u8>,
    generation: u64,
}

/// Entries by key path.
#[derive(Debug, Default)]
pub(super) struct Datastore(BTreeMap<Vec<String>, Entry>);

fn key(params: &Params) -> Result<Option<Vec<String>>, RpcError> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match params.get("key") {
        None => Ok(None),
        Some(Value::Array(parts)) if parts.is_empty() => Err(bad("key", "should not be empty", &json!([]))),
        Some(Value::Array(parts)) => Ok(Some(parts.iter().map(text).collect())),
        Some(one) => Ok(Some(vec![text(one)])),
    }
}

fn bytes(params: &Params) -> Result<Vec<u8>, RpcError> {
    if let Some(text) = params.text("string") {
        return Ok(text.into_bytes());
    }
    let hex = params.need_text("hex").map_err(|_| RpcError::invalid("Must have either hex or string"))?;
    let pairs = (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16));
    let parsed: Result<Vec<u8>, _> = pairs.collect();
    match parsed {
        Ok(bytes) if hex.len() % 2 == 0 => Ok(bytes),
        _ => Err(bad("hex", "should be a hex value", &json!(hex))),
    }
}

fn entry_json(key: &[String], entry: &Entry) -> Value {
    let hex: String = entry.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut json = json!({"key": key, "generation": entry.generation, "hex": hex});
    if let Ok(text) = std::str::from_utf8(&entry.bytes) {
        json["string"] = json!(text);
    }
    json
}

impl NodeState {
    pub(super) fn datastore_set(&mut self, params: &Params) -> RpcResult {
        params.need("key")?;
        let key = key(params)?.unwrap_or_default();
        let new = bytes(params)?;
        let mode = params.text("mode").unwrap_or_else(|| "must-create".into());
        let (creates, replaces, appends) = match mode.as_str() {
            "must-create" => (true, false, false),
            "must-replace" => (false, true, false),
            "create-or-replace" => (true, true, false),
            "must-append" => (false, false, true),
            "create-or-append" => (true, false, true),
            _ => return Err(bad("mode", "unknown mode", &json!(mode))),
        };
        let generation = params.integer("generation")?;
        let store = &mut self.datastore.0;
        let below =
            store.range(key.clone()..).any(|(other, _)| other.len() > key.len() && other.starts_with(&key));
        let above = (1..key.len()).any(|len| store.contains_key(&key[..len]));
        let problem = match store.get(&key) {
            _ if below => Some((1205, "Key has children already")),
            _ if above => Some((1206, "Parent key already exists")),
            Some(_) if !replaces && !appends => Some((1202, "Key already exists")),
            Some(entry) if generation.is_some_and(|wanted| wanted != entry.generation) => {
                Some((1204, "generation is different"))
            }
            None if !creates => Some((1203, "Key does not exist")),
            _ => None,
        };
        if let Some((code, message)) = problem {
            return Err(RpcError::new(code, message));
        }
        let entry = match store.remove(&key) {
            Some(old) if appends => {
                Entry { bytes: [old.bytes, new].concat(), generation: old.generation + 1 }
            }
            Some(old) => Entry { bytes: new, generation: old.generation + 1 },
            None => Entry { bytes: new, generation: 0 },
        };
        let json = entry_json(&key, &entry);
        store.insert(key, entry);
        Ok(json)
    }

    pub(super) fn datastore_list(&mut self, params: &Params) -> RpcResult {
        let wanted = key(params)?.unwrap_or_default();
        let mut listed: Vec<Value> = Vec::new();
        let mut last: Option<Vec<String>> = None;
        for (key, entry) in self.datastore.0.iter().filter(|(key, _)| key.starts_with(&wanted)) {
            if *key == wanted || key.len() == wanted.len() + 1 {
                listed.push(entry_json(key, entry));
                continue;
            }
            let parent = key[..=wanted.len()].to_vec();
            if last.as_ref() != Some(&parent) {
                listed.push(json!({"key": parent}));
                last = Some(parent);
            }
        }
        Ok(json!({"datastore": listed}))
    }

    pub(super) fn datastore_delete(&mut self, params: &Params) -> RpcResult {
        params.need("key")?;
        let key = key(params)?.unwrap_or_default();
        let generation = params.integer("generation")?;
        match self.datastore.0.get(&key) {
            None => Err(RpcError::new(1200, "Key does not exist")),
            Some(entry) if generation.is_some_and(|wanted| wanted != entry.generation) => {
                Err(RpcError::new(1201, "generation is different"))
            }
            Some(entry) => {
                let json = entry_json(&key, entry);
                self.datastore.0.remove(&key);
                Ok(json)
            }
        }
    }
}
