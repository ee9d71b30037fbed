//! Components that are refused before anything of them runs, each with a
//! sentence that names the reason.

use super::place::{Place, child_without_a_job, guest, name};
use cl_revenue_ops::engine::LoadFault;
use std::fs;
use std::os::unix::fs::symlink;

fn refuse(wasm: &[u8]) -> LoadFault {
    let place = Place::new();
    place.install("guest", wasm);
    place.quick_engine().load(&name("guest")).map(|_| ()).expect_err("it must not load")
}

#[test]
fn an_import_is_refused_by_its_name() {
    let cases = [
        (r#"(component (import "log" (func)))"#, "the function", "log"),
        (r#"(component (import "r" (type (sub resource))))"#, "the resource", "r"),
        (r#"(component (import "m" (core module)))"#, "the core module", "m"),
        (r#"(component (import "c" (component)))"#, "the component", "c"),
        (
            r#"(component (import "wasi:cli/environment@0.2.3" (instance (export "get-arguments" (func)))))"#,
            "the function",
            "wasi:cli/environment@0.2.3#get-arguments",
        ),
        (
            r#"(component (import "wasi:io/streams@0.2.3" (instance (export "input-stream" (type (sub resource))))))"#,
            "the resource",
            "wasi:io/streams@0.2.3#input-stream",
        ),
        (
            r#"(component
                (import "a:b/types" (instance (type $t u32) (export "t" (type (eq $t)))))
                (import "a:b/late" (instance (type $t u32) (export "t" (type (eq $t))) (export "f" (func)))))"#,
            "the function",
            "a:b/late#f",
        ),
        (
            r#"(component (import "a:b/deep" (instance (export "inner" (instance (export "f" (func)))))))"#,
            "the function",
            "a:b/deep#inner",
        ),
    ];
    for (text, what, import) in cases {
        let fault = refuse(&wat::parse_str(text).unwrap());
        assert_eq!(fault, LoadFault::Import { name: import.to_owned(), what }, "{text}");
        assert!(fault.to_string().contains(&format!("imports {what} '{import}'")), "{fault}");
    }
}

#[test]
fn types_may_be_imported() {
    // Refused, but for what they export: nothing.
    for text in [
        r#"(component (import "a:b/types@1.0.0" (instance (type $t u32) (export "t" (type (eq $t))))))"#,
        r#"(component (type $t u32) (import "t" (type (eq $t))))"#,
    ] {
        let fault = refuse(&wat::parse_str(text).unwrap());
        assert!(matches!(fault, LoadFault::WrongWorld { .. }), "{text}: {fault}");
    }
    // The honest guest imports the interface of types, and loads.
    let imports = guest("honest");
    let marker = b"revenue-ops:strategy/types@1.0.0";
    assert!(imports.windows(marker.len()).any(|window| window == marker));
}

#[test]
fn another_world_is_refused_with_what_it_has() {
    let core = r#"(core module $m (func (export "f")))(core instance $i (instantiate $m))"#;
    let fault = refuse(&wat::parse_str("(component)").unwrap());
    assert!(
        fault.to_string().contains("exports nothing; the interface revenue-ops:strategy/fee@1.0.0"),
        "{fault}"
    );

    let text = format!(r#"(component {core} (func (export "run") (canon lift (core func $i "f"))))"#);
    let fault = refuse(&wat::parse_str(text).unwrap());
    assert!(fault.to_string().contains("exports run but nothing that sets fees"), "{fault}");

    let text = r#"(component (instance $i) (export "revenue-ops:strategy/fee@2.0.0" (instance $i)))"#;
    let fault = refuse(&wat::parse_str(text).unwrap());
    assert!(fault.to_string().contains("version 2.0.0"), "{fault}");

    let text = r#"(component (instance $i) (export "revenue-ops:strategy/fee@1.0.0" (instance $i)))"#;
    let fault = refuse(&wat::parse_str(text).unwrap());
    assert!(fault.to_string().contains("describe"), "{fault}");

    let text = format!(
        r#"(component {core} (func $f (canon lift (core func $i "f")))
            (instance $x (export "describe" (func $f)) (export "decide" (func $f)))
            (export "revenue-ops:strategy/fee@1.0.0" (instance $x)))"#
    );
    let fault = refuse(&wat::parse_str(text).unwrap());
    assert!(matches!(fault, LoadFault::WrongWorld { .. }), "functions of another type: {fault}");
}

#[test]
fn a_whole_component_of_another_version_of_the_contract_is_refused_by_its_version() {
    let version = |version: &str| {
        let mut wasm = guest("honest");
        let old = b"revenue-ops:strategy/";
        let mut at = 0;
        while let Some(found) = wasm[at..].windows(old.len()).position(|window| window == old) {
            at += found + old.len();
            // The interface's name ends where its version begins.
            let begin = at + wasm[at..].iter().position(|byte| *byte == b'@').unwrap() + 1;
            wasm[begin..begin + version.len()].copy_from_slice(version.as_bytes());
        }
        wasm
    };
    assert_eq!(version("1.0.0"), guest("honest"));
    for other in ["0.9.0", "1.1.0", "2.0.0", "9.9.9"] {
        let fault = refuse(&version(other));
        assert!(matches!(fault, LoadFault::WrongWorld { .. }), "{other}: {fault}");
        let told = format!("version {other} of the interface");
        assert!(
            fault.to_string().contains(&told) && fault.to_string().contains("fee@1.0.0"),
            "{other}: {fault}"
        );
    }
}

#[test]
fn what_is_no_component_is_called_what_it_is() {
    let core = wat::parse_str("(module)").unwrap();
    for (bytes, found) in [
        (core.as_slice(), "a core module"),
        (b"\n(component)", "WebAssembly text"),
        (b"#!/bin/sh\n", "not WebAssembly"),
        (b"", "not WebAssembly"),
        (b"\0asm\x07\0\x09\0", "an unknown version"),
    ] {
        let fault = refuse(bytes);
        assert!(matches!(fault, LoadFault::NotAComponent { .. }), "{fault}");
        assert!(fault.to_string().contains(found), "{fault}");
    }
}

#[test]
fn proposals_that_are_switched_off_are_refused() {
    for body in [
        "(memory i64 1)",
        "(memory 1 1 shared)",
        "(type (struct (field i32)))",
        "(tag)",
        "(func (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2 f32x4.relaxed_madd)",
    ] {
        let fault = refuse(&wat::parse_str(format!("(component (core module {body}))")).unwrap());
        assert!(matches!(fault, LoadFault::Invalid { .. }), "{body}: {fault}");
    }
}

#[test]
fn a_truncated_component_is_refused() {
    let whole = guest("honest");
    for keep in [8, 100, whole.len() / 2, whole.len() - 1] {
        let fault = refuse(&whole[..keep]);
        assert!(matches!(fault, LoadFault::Invalid { .. } | LoadFault::WrongWorld { .. }), "{keep}: {fault}");
    }
}

#[test]
fn a_file_beyond_its_class_is_not_read() {
    let place = Place::new();
    let engine = place.quick_engine();
    let file = fs::File::create(place.path("strategies/guest.wasm")).unwrap();
    file.set_len((2 << 20) + 1).unwrap();
    let fault = engine.load(&name("guest")).unwrap_err();
    assert!(fault.to_string().contains("2097153 bytes; class native allows 2097152"), "{fault}");
    engine.set_interpreted(["guest".to_owned()].into());
    let fault = engine.load(&name("guest")).unwrap_err();
    assert!(matches!(fault, LoadFault::NotAComponent { .. }), "small enough for the larger class: {fault}");
}

#[test]
fn no_link_leads_out_of_the_directory() {
    let place = Place::new();
    let engine = place.quick_engine();
    fs::write(place.path("outside.wasm"), guest("honest")).unwrap();
    symlink("../outside.wasm", place.path("strategies/up.wasm")).unwrap();
    symlink(place.path("outside.wasm"), place.path("strategies/absolute.wasm")).unwrap();
    symlink("..", place.path("strategies/dir")).unwrap();
    symlink("dir/outside.wasm", place.path("strategies/through.wasm")).unwrap();
    symlink("loop.wasm", place.path("strategies/loop.wasm")).unwrap();
    for link in ["up", "absolute", "through", "loop"] {
        let fault = engine.load(&name(link)).unwrap_err();
        assert!(matches!(fault, LoadFault::Unreadable { .. }), "{link}: {fault}");
    }
    assert_eq!(engine.available().unwrap(), []);

    place.install("real", &guest("honest"));
    symlink("real.wasm", place.path("strategies/inside.wasm")).unwrap();
    assert!(engine.load(&name("inside")).is_ok(), "a link within the directory is the operator's own");
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let place = Place::new();
    let engine = place.quick_engine();
    fs::create_dir(place.path("strategies/dir.wasm")).unwrap();
    let pipe = place.path("strategies/pipe.wasm");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for odd in ["dir", "pipe"] {
        let fault = engine.load(&name(odd)).unwrap_err();
        assert!(fault.to_string().contains("not a regular file"), "{fault}");
    }
}

#[test]
fn the_child_does_nothing_without_a_job() {
    let output = child_without_a_job();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the plugin sets it"));
}
