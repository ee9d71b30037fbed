//! `listconfigs`: flat on old nodes, one object per option since v23.08.

use serde_json::{Map, Value, json};

use super::params::Params;
use super::{Extra, NodeState};
use crate::rpc::RpcResult;

impl NodeState {
    /// Options that matter to plugins, with lightningd's defaults.
    fn defaults(&self) -> Vec<(&'static str, Value)> {
        let directory = self.lightning_dir.rsplit_once('/').map_or("", |(parent, _)| parent);
        vec![
            ("lightning-dir", json!(directory)),
            ("network", json!(self.network)),
            ("rpc-file", json!("lightning-rpc")),
            ("allow-deprecated-apis", json!(true)),
            ("alias", json!(self.alias)),
            ("rgb", json!(&self.id[..6])),
            ("fee-base", json!(1000)),
            ("fee-per-satoshi", json!(10)),
            ("cltv-delta", json!(34)),
            ("cltv-final", json!(18)),
            ("max-concurrent-htlcs", json!(30)),
            ("htlc-minimum-msat", json!("0msat")),
            ("htlc-maximum-msat", json!("18446744073709551615msat")),
            ("min-capacity-sat", json!(10_000)),
            ("autolisten", json!(true)),
            ("always-use-proxy", json!(false)),
        ]
    }

    pub(super) fn list_configs(&mut self, params: &Params) -> RpcResult {
        let wanted = params.text("config");
        let mut configs = Map::new();
        let defaults = self.defaults();
        let set = self.options.iter().map(|(name, value)| (name.as_str(), value.clone(), "cmdline"));
        let all = defaults.into_iter().map(|(name, value)| (name, value, "default")).chain(set);
        for (name, value, source) in
            all.filter(|(name, ..)| wanted.as_deref().is_none_or(|wanted| wanted == *name))
        {
            let entry = if self.flavour.has(2308) { wrapped(name, value, source) } else { value };
            configs.insert(name.to_owned(), entry);
        }
        if self.flavour.has(2308) {
            let sling = self.sling_configs().into_iter();
            for (name, value) in
                sling.filter(|(name, _)| wanted.as_deref().is_none_or(|wanted| wanted == *name))
            {
                let mut entry = wrapped(name, value, "default");
                entry["plugin"] = json!(Extra::Sling.path());
                configs.insert(name.to_owned(), entry);
            }
            return Ok(json!({"configs": configs}));
        }
        configs.insert("# version".to_owned(), json!(self.flavour.version()));
        configs.insert("plugins".to_owned(), self.extra_configs());
        Ok(Value::Object(configs))
    }
}

/// One option as `listconfigs` shows it since v23.08.
pub(crate) fn wrapped(name: &str, value: Value, source: &str) -> Value {
    let key = match &value {
        Value::Bool(_) => "value_bool",
        Value::Number(_) => "value_int",
        Value::Array(_) => "values_str",
        Value::String(text) if text.ends_with("msat") && name.ends_with("msat") => "value_msat",
        _ => "value_str",
    };
    match value {
        Value::Array(values) => {
            let sources = vec![source; values.len()];
            json!({key: values, "sources": sources})
        }
        value if key == "value_msat" => {
            let text = value.as_str().unwrap_or_default().trim_end_matches("msat");
            json!({key: text.parse::<u64>().unwrap_or_default(), "source": source})
        }
        value if name == "min-capacity-sat" => json!({key: value, "source": source, "dynamic": true}),
        value => json!({key: value, "source": source}),
    }
}
