//! Building components with the toolchain that the project pins.

use lab::component;

use crate::Dir;

const MANIFEST: &str = r#"
[package]
name = "tiny"
version = "0.0.0"
edition = "2024"
[lib]
crate-type = ["cdylib"]
path = "lib.rs"
[workspace]
"#;

#[test]
fn a_crate_becomes_a_component_and_its_errors_are_told() {
    let dir = Dir::new();
    std::fs::write(dir.0.join("Cargo.toml"), MANIFEST).unwrap();
    std::fs::write(dir.0.join("lib.rs"), "").unwrap();
    let bytes = component::build(&dir.0, &dir.0.join("out")).unwrap();
    assert_eq!(&bytes[..8], b"\0asm\x0d\0\x01\0", "the component preamble, not a core module's");
    std::fs::write(dir.0.join("lib.rs"), "fn broken(").unwrap();
    let error = component::build(&dir.0, &dir.0.join("out")).unwrap_err();
    assert!(error.to_string().contains("does not build"), "{error}");
    assert!(component::build(&dir.0.join("absent"), &dir.0).is_err());
}
