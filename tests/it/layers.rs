//! Imports point down only, each outside world has one layer that speaks to it, and files stay short.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

/// Layers from the bottom up; those with the same height do not know each other.
const LAYERS: [(&str, u8); 12] = [
    ("model", 0),
    ("config", 1),
    ("guard", 2),
    ("econ", 2),
    ("node", 3),
    ("store", 3),
    ("engine", 3),
    ("clock", 3),
    ("cycles", 4),
    ("rpc", 5),
    ("app", 6),
    ("cli", 6),
];

/// Words, and the places that may contain them: a layer's name, or a file.
const HOMES: [(&str, &[&str]); 7] = [
    ("rusqlite", &["store"]),
    ("wasmtime", &["engine"]),
    ("wasmparser", &["engine"]),
    ("cln_rpc", &["node", "cli/rpc.rs"]),
    ("SystemTime", &["clock.rs"]),
    // Chance in decisions comes from the clock's tick; keys are drawn where they are kept.
    ("getrandom", &["clock.rs", "engine/cache.rs", "store/meta.rs"]),
    ("cln_plugin", &["app.rs"]),
];

/// What has no place in pure layers.
const IMPURE: [&str; 8] =
    ["async", "rusqlite", "serde_json", "cln_rpc", "SystemTime", "Instant", "tracing", "tokio"];

const PURE: [&str; 4] = ["guard", "econ", "model", "config"];

/// Longest file, lines.
const MOST_LINES: usize = 400;

/// The layer of a file under `host/src`: its folder, or its own name.
fn layer(file: &str) -> &str {
    file.split_once('/').map_or(file.trim_end_matches(".rs"), |(folder, _)| folder)
}

fn height(layer: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == layer).map(|(_, height)| *height)
}

/// Code without comments; a text in quotes counts as code, except for what follows `//` in it.
fn code(text: &str) -> String {
    text.lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The words of some code.
fn words(code: &str) -> BTreeSet<&str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect()
}

/// The top modules that some code names by `crate::`, in groups too.
fn imports(code: &str) -> BTreeSet<&str> {
    code.split("crate::").skip(1).flat_map(first_names).collect()
}

/// The first name of each path in `a::b` or `{a::b, c::{d, e}, f}`.
fn first_names(rest: &str) -> Vec<&str> {
    let Some(group) = rest.trim_start().strip_prefix('{') else {
        return name_at(rest).into_iter().collect();
    };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                names.extend(name_at(&group[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

fn name_at(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| &text[..end])
}

/// Whether some code leaves its layer by `super::`, past the folder that the layer is. In a layer's
/// own first file one `super::` may be that of a module of tests.
fn climbs_out(file: &str, code: &str) -> bool {
    let depth = file.trim_end_matches(".rs").trim_end_matches("/mod").split('/').count();
    code.contains(&"super::".repeat(depth.max(2)))
}

/// What is wrong with a file; its path is relative to `host/src`.
fn faults(file: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if text.lines().count() > MOST_LINES {
        faults.push(format!("{file} has {} lines; at most {MOST_LINES}", text.lines().count()));
    }
    let code = code(text);
    let words = words(&code);
    let own = layer(file);
    let Some(own_height) = height(own) else {
        if !["main.rs", "lib.rs"].contains(&file) {
            faults.push(format!("{file} is in no known layer"));
        }
        return faults;
    };
    for name in imports(&code).into_iter().filter(|name| *name != own) {
        // What is no layer's name is an item that the layers above share, such as a macro.
        if height(name).is_some_and(|height| height >= own_height && own_height < 5) {
            faults.push(format!("{file} imports {name}"));
        }
    }
    if climbs_out(file, &code) {
        faults.push(format!("{file} climbs out of its layer by super::"));
    }
    for (word, homes) in HOMES {
        let at_home = homes.iter().any(|home| *home == own || *home == file);
        if words.contains(word) && !at_home {
            faults.push(format!("{file} speaks {word}"));
        }
    }
    let impure = IMPURE.iter().filter(|word| PURE.contains(&own) && words.contains(**word));
    faults.extend(impure.map(|word| format!("{file} is pure and names {word}")));
    faults
}

fn read(dir: &Path, prefix: &str, into: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            read(&path, &format!("{name}/"), into);
        } else if name.ends_with(".rs") {
            into.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn imports_point_down_and_worlds_have_one_door() {
    let mut files = Vec::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut files);
    for (layer, _) in LAYERS {
        assert!(files.iter().any(|(file, _)| self::layer(file) == layer), "there is no layer {layer}");
    }
    let faults: Vec<String> = files.iter().flat_map(|(file, text)| faults(file, text)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn other_crates_files_are_short_too() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for dir in [
        "sdk/lab/src",
        "sdk/strategy/src",
        "strategies",
        "tests/it",
        "tests/hostile/src",
        "host/benches",
        "examples",
    ] {
        read(&root.join(dir), &format!("{dir}/"), &mut files);
    }
    files.retain(|(file, text)| !file.contains("/target/") && text.lines().count() > MOST_LINES);
    assert!(files.is_empty(), "{:?}", files.iter().map(|(file, _)| file).collect::<Vec<_>>());
}

#[test]
fn the_check_finds_what_it_looks_for() {
    let found = |file: &str, text: &str| faults(file, text).join("; ");
    assert_eq!(found("store/a.rs", "use crate::model::Msat;\nuse rusqlite::Connection;"), "");
    assert_eq!(found("cycles/a.rs", "// crate::rpc and rusqlite\nuse crate::store::{flow, names};"), "");
    assert_eq!(found("guard/a.rs", "use crate::econ::flow;"), "guard/a.rs imports econ");
    assert_eq!(found("store/a.rs", "fn a(_: &crate::cycles::Services) {}"), "store/a.rs imports cycles");
    assert_eq!(
        found("node/a.rs", "use crate::{model::{Msat, Ppm}, engine::Module};"),
        "node/a.rs imports engine"
    );
    assert_eq!(found("model.rs", "use crate::config::Config;"), "model.rs imports config");
    assert_eq!(found("rpc/a.rs", "use rusqlite::params;"), "rpc/a.rs speaks rusqlite");
    assert_eq!(found("cli/rpc.rs", "use cln_rpc::ClnRpc;"), "");
    assert_eq!(found("cli/demo.rs", "use cln_rpc::ClnRpc;"), "cli/demo.rs speaks cln_rpc");
    assert_eq!(found("econ/a.rs", "async fn a() {}"), "econ/a.rs is pure and names async");
    assert_eq!(found("config.rs", "use serde_json::Value;"), "config.rs is pure and names serde_json");
    assert_eq!(found("cycles/fee/a.rs", "use super::super::Services;"), "");
    let climbing = found("node/a.rs", "use super::super::store::Store;");
    assert_eq!(climbing, "node/a.rs climbs out of its layer by super::");
    assert_eq!(found("new/a.rs", ""), "new/a.rs is in no known layer");
    assert_eq!(found("rpc/a.rs", &"\n".repeat(401)), "rpc/a.rs has 401 lines; at most 400");
}
