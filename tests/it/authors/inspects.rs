//! `digest` and `inspect`.

use super::Desk;
use crate::acts::digest;
use crate::engine::place::guest;
use serde_json::json;

#[test]
fn a_digest_is_the_files_sha256() {
    let desk = Desk::new();
    let wasm = guest("honest");
    let shown = digest(&wasm);
    assert_eq!(desk.run(&["digest", &desk.file("a.wasm", &wasm)]).good(), format!("{shown}\n"));
    assert!(desk.run(&["digest", "missing.wasm"]).sentence().starts_with("missing.wasm: No such file"));
}

#[test]
fn a_built_in_is_inspected_by_its_name() {
    let desk = Desk::new();
    let shown = desk.run(&["inspect", "dynamic"]).good();
    for expect in [
        "world     fee-strategy\n",
        "abi       1.0.0\n",
        "parameter ",
        "reasons   ",
        "imports   revenue-ops:strategy/types@1.0.0\n",
        "exports   revenue-ops:strategy/fee@1.0.0\n",
        "sha256    ",
    ] {
        assert!(shown.contains(expect), "no '{expect}' in {shown}");
    }
    assert!(desk.run(&["inspect", "rebalance-ev"]).good().contains("world     rebalance-strategy\n"));
    assert_eq!(desk.files(), Vec::<String>::new(), "nothing is left behind");
}

#[test]
fn a_module_for_both_worlds_says_so_and_names_its_parameters() {
    let desk = Desk::new();
    let shown = desk.run(&["inspect", "--json", &desk.file("guest.wasm", &guest("honest"))]).json();
    let worlds = shown["worlds"].as_array().unwrap();
    assert_eq!(worlds[0]["world"], "fee-strategy");
    assert_eq!(worlds[1]["world"], "rebalance-strategy");
    let param = &worlds[0]["params"][0];
    assert!(param["name"].is_string() && param["doc"].is_string(), "{param}");
    assert_eq!(shown["bytes"], guest("honest").len());
    let types = ["revenue-ops:strategy/types@1.0.0", "revenue-ops:strategy/rebalance-types@1.0.0"];
    assert_eq!(shown["imports"], json!(types));
}

#[test]
fn what_may_not_be_loaded_is_refused_in_one_sentence() {
    let desk = Desk::new();
    let text = desk.file("text.wasm", b"(component)");
    assert!(desk.run(&["inspect", &text]).sentence().contains("the file is WebAssembly text"));
    let directory = desk.path("");
    assert!(desk.run(&["inspect", &directory]).sentence().ends_with("is not a regular file"));
}
