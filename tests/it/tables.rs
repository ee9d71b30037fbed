//! The generated tables in docs/ are what the code would print now.

use cl_revenue_ops::cli::docs::{Table, render};
use std::path::Path;

fn compare(table: Table, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(format!("{name}.md"));
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == render(table),
        "docs/{name}.md is out of date; run `cargo run -p cl-revenue-ops -- docs {name} > docs/{name}.md`"
    );
}

#[test]
fn the_table_of_options_is_current() {
    compare(Table::Options, "options");
}

#[test]
fn the_table_of_commands_is_current() {
    compare(Table::Commands, "commands");
}
