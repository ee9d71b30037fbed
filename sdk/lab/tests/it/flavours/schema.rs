//! The shape of JSON: which fields, which types, which of them always.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Types seen at each path, and in how many of the objects above it the path was.
#[derive(Debug, Default)]
pub struct Schema {
    types: BTreeMap<String, BTreeSet<&'static str>>,
    objects: BTreeMap<String, usize>,
    members: BTreeMap<String, usize>,
}

impl Schema {
    /// The shape of a value; elements of a list count as one thing seen several times.
    pub fn of(value: &Value) -> Self {
        let mut schema = Self::default();
        schema.add("", value);
        schema
    }

    fn add(&mut self, path: &str, value: &Value) {
        let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "float",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "list",
            Value::Object(_) => "object",
        };
        self.types.entry(path.to_owned()).or_default().insert(kind);
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.add(&join("[]"), value)),
            Value::Object(fields) => {
                *self.objects.entry(path.to_owned()).or_default() += 1;
                for (name, value) in fields {
                    *self.members.entry(join(&stable(name))).or_default() += 1;
                    self.add(&join(&stable(name)), value);
                }
            }
            _ => {}
        }
    }

    fn parent(path: &str) -> &str {
        path.rsplit_once('.').map_or("", |(parent, _)| parent)
    }

    /// True if every object that could have this path had it.
    fn always(&self, path: &str) -> bool {
        self.members.get(path) == self.objects.get(Self::parent(path))
    }

    /// What `other` lacks, adds or types otherwise. Lists that were empty on one side say nothing
    /// of their elements; paths in `allowed` may be on one side only.
    pub fn differences(&self, other: &Self, allowed: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let excused =
            |path: &str| allowed.iter().any(|free| path == *free || path.starts_with(&format!("{free}.")));
        let known = |schema: &Self, path: &str| schema.objects.contains_key(Self::parent(path));
        for path in self.members.keys().filter(|path| known(other, path) && !excused(path)) {
            if !other.members.contains_key(path) {
                found.push(format!("{path} is missing"));
            } else if self.always(path) && !other.always(path) {
                found.push(format!("{path} is missing at times"));
            }
        }
        let new = other.members.keys().filter(|path| known(self, path) && !excused(path));
        found.extend(
            new.filter(|path| !self.members.contains_key(*path)).map(|path| format!("{path} is new")),
        );
        for (path, types) in &other.types {
            if let Some(theirs) = self.types.get(path).filter(|theirs| !types.is_subset(theirs)) {
                found.push(format!("{path} is {types:?}, not {theirs:?}"));
            }
        }
        found
    }
}

/// Field names that are data, such as scids in `sling-jobsettings`, as one name; sling's options
/// too.
fn stable(name: &str) -> String {
    let scid = name.split('x').count() == 3 && name.bytes().all(|byte| byte == b'x' || byte.is_ascii_digit());
    match name {
        _ if scid => "<scid>".to_owned(),
        name if name.starts_with("sling-") => "<sling option>".to_owned(),
        name => name.to_owned(),
    }
}

/// Topic, state of a forward and tag of a movement: notifications of one kind have one shape.
pub fn kind(notification: &Value) -> String {
    let topic = notification["method"].as_str().unwrap();
    let body = &notification["params"][topic];
    let status = body["status"].as_str().unwrap_or_default();
    let tag = body["tags"][0].as_str().unwrap_or_default();
    let side = if tag == "invoice" && body["debit_msat"] != 0 { "out" } else { "" };
    // New channels are announced with fewer fields.
    let new = body["message"] == "new channel opened";
    format!("{topic} {status}{tag}{side}{}", if new { "new" } else { "" })
}

/// The kinds among some notifications.
pub fn kinds(notifications: &[Value]) -> BTreeSet<String> {
    notifications.iter().map(kind).collect()
}

#[test]
fn a_schema_sees_missing_new_and_retyped_fields() {
    use serde_json::json;
    let theirs = Schema::of(&json!({"rows": [{"a": 1, "b": "x"}, {"a": 2}], "empty": []}));
    let same = Schema::of(&json!({"rows": [{"a": 3, "b": "y"}, {"a": 3}], "empty": [{"z": 1}]}));
    assert!(theirs.differences(&same, &[]).is_empty());
    let other = Schema::of(&json!({"rows": [{"b": "y", "c": 1}, {"a": 1.5}]}));
    let found = theirs.differences(&other, &[]);
    let expected = ["empty is missing", "rows.[].a is missing at times", "rows.[].c is new"];
    assert_eq!(found[..3], expected);
    assert!(found[3].starts_with("rows.[].a is {\"float\"}"));
    assert_eq!(theirs.differences(&other, &["empty", "rows.[].a", "rows.[].c"]).len(), 1);
}
