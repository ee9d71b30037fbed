//! Actions that have actions of their own: `revenue-strategy trust add <pubkey>`.
//!
//! The inner word is the parameter `subcommand`; behind the outer word it may be `action=` too, or stand
//! without a name.

use crate::rpc::args::plain;
use serde_json::{Map, Value};

/// The name of the outer selector.
const OUTER: &str = "action";

/// The name of the inner selector.
pub(super) const SELECTOR: &str = "subcommand";

/// The parameters behind the outer word `word`, in any spelling that a menu takes; none if the call is
/// for another.
pub(super) fn behind(params: &Value, word: &str) -> Option<Value> {
    match params {
        Value::Object(fields) => {
            let is_outer = |name: &str| plain(name) == OUTER;
            let outer = fields.iter().find(|(name, _)| is_outer(name))?.1;
            let rest = fields.iter().filter(|(name, _)| !is_outer(name));
            let rest: Map<String, Value> = rest.map(|(name, value)| (name.clone(), value.clone())).collect();
            (plain(outer.as_str()?) == word).then_some(Value::Object(rest))
        }
        Value::Array(elements) => {
            let (first, rest) = elements.split_first()?;
            let first = first.as_str()?;
            (plain(outer(first).unwrap_or(first)) == word).then(|| rest.iter().map(inner).collect())
        }
        _ => None,
    }
}

/// What `action=add` says, if the text is of that form.
fn outer(text: &str) -> Option<&str> {
    text.split_once('=').filter(|(name, _)| plain(name) == OUTER).map(|(_, word)| word)
}

/// `action=add` behind the outer word means the inner one.
fn inner(element: &Value) -> Value {
    match element.as_str().and_then(outer) {
        Some(word) => Value::String(format!("{SELECTOR}={word}")),
        None => element.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_means_the_same() {
        for (params, expect) in [
            (json!(["trust", "add", "02ab"]), json!(["add", "02ab"])),
            (json!(["trust", "action=add", "signer=02ab"]), json!(["subcommand=add", "signer=02ab"])),
            (json!(["action=trust", "subcommand=add"]), json!(["subcommand=add"])),
            (json!({ "action": "trust", "subcommand": "add" }), json!({ "subcommand": "add" })),
            (json!(["trust"]), json!([])),
            (json!([" Trust ", "list"]), json!(["list"])),
            (json!(["Action=TRUST", "ACTION=add"]), json!(["subcommand=add"])),
            (json!({ "Action": "Trust", "subcommand": "add" }), json!({ "subcommand": "add" })),
        ] {
            assert_eq!(behind(&params, "trust"), Some(expect), "{params}");
        }
        for params in
            [json!(["list"]), json!([]), json!({}), json!({ "action": "push" }), json!(null), json!([7])]
        {
            assert_eq!(behind(&params, "trust"), None, "{params}");
        }
    }
}
