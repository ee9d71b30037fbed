//! `new` and `build`: from nothing to a checked component, without a network.

use super::Desk;
use std::fs;
use std::path::Path;
use std::process::Command;

/// One directory for what cargo makes of all crates of these tests, kept from run to run.
fn target() -> String {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("authors-crates").to_str().unwrap().to_owned()
}

/// cargo without what the cargo that runs the tests says.
pub(super) fn clean(command: &mut Command) -> &mut Command {
    for (key, _) in std::env::vars() {
        if key.contains("RUSTFLAGS") || key.starts_with("CARGO_TARGET_") {
            command.env_remove(key);
        }
    }
    let command = command.env_remove("RUSTC_WORKSPACE_WRAPPER").env("CARGO", env!("CARGO"));
    command.env("CARGO_TARGET_DIR", target())
}

/// Makes a crate, runs its tests, builds it; what `build` printed.
fn made_and_built(desk: &Desk, arguments: &[&str], name: &str) -> String {
    let made = desk.run(arguments).good();
    assert!(made.starts_with(&format!("made {name}/; next:\n  cd {name}\n  cargo test\n")), "{made}");
    let dir = desk.path(name);
    let mut tests = Command::new(env!("CARGO"));
    let tested = clean(&mut tests).args(["test", "--offline", "--quiet"]).current_dir(&dir).output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
    let mut build = desk.command(&["build", &dir, "--offline"]);
    let built = clean(&mut build).output().unwrap();
    let said = String::from_utf8_lossy(&built.stdout).into_owned();
    assert!(built.status.success(), "{said}{}", String::from_utf8_lossy(&built.stderr));
    assert!(said.contains(&format!("made {dir}/{name}.wasm\n")), "{said}");
    said
}

#[test]
fn a_new_strategy_builds_tests_and_checks_as_it_is() {
    let desk = Desk::new();
    let said = made_and_built(&desk, &["new", "my-fees"], "my-fees");
    assert!(said.contains("my-fees 0.1.0, fee-strategy"), "{said}");
    let code = fs::read_to_string(desk.path("my-fees/src/lib.rs")).unwrap();
    assert!(code.contains("impl FeeStrategy for Strategy"));
    let decided = desk.feed(&["run", "my-fees/my-fees.wasm"], "{\"channels\":[{\"local_msat\":0}]}").json();
    assert_eq!(decided["proposals"][0]["fee_ppm"], 600, "{decided}");
    assert_eq!(desk.run(&["new", "my-fees"]).sentence(), "my-fees exists already; nothing was changed");
}

#[test]
fn a_new_evaluator_too() {
    let desk = Desk::new();
    let kit = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk/strategy");
    let said = made_and_built(&desk, &["new", "my-jobs", "--rebalance", "--sdk", kit], "my-jobs");
    assert!(said.contains("my-jobs 0.1.0, rebalance-strategy"), "{said}");
    let readme = fs::read_to_string(desk.path("my-jobs/README.md")).unwrap();
    let command = "`lightning-cli revenue-policy set <peer_id> rebalance_strategy=my-jobs`";
    assert!(readme.contains(command), "{readme}");
    assert!(!Path::new(&desk.path("my-jobs/sdk")).exists(), "the kit is used where it lies");
}

#[test]
fn the_example_builds_and_the_same_source_gives_the_same_file() {
    let desk = Desk::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/night-rate");
    let digests = ["one", "with a blank"].map(|copy| {
        let dir = desk.0.path().join(copy);
        fs::create_dir_all(dir.join("src")).unwrap();
        for file in ["Cargo.toml", "Cargo.lock", "src/lib.rs"] {
            let text = fs::read_to_string(from.join(file)).unwrap();
            let kit = format!("{}/../sdk/strategy", env!("CARGO_MANIFEST_DIR"));
            fs::write(dir.join(file), text.replace("../../sdk/strategy", &kit)).unwrap();
        }
        let mut build = desk.command(&["build", dir.to_str().unwrap(), "--offline"]);
        let built = clean(&mut build).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        desk.run(&["digest", dir.join("night-rate.wasm").to_str().unwrap()]).good()
    });
    assert_eq!(digests[0], digests[1], "the directory does not matter");
}

#[test]
fn what_cannot_be_made_is_refused_in_one_sentence() {
    let desk = Desk::new();
    assert!(desk.run(&["new", "../up"]).sentence().contains("'../up' is no name"));
    assert_eq!(
        desk.run(&["new", "dynamic"]).sentence(),
        "'dynamic' is the name of a built-in strategy: choose another"
    );
    assert!(desk.run(&["new", "mine", "--sdk", "."]).sentence().contains("holds no Cargo.toml"));
    assert_eq!(desk.files(), Vec::<String>::new());
}
