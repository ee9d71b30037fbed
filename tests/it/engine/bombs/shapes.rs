//! Shapes of components that are dear to compile.

use std::fmt::Write as _;
use wasmparser::{Parser, Payload};

/// A shape with its sizes.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// So many loops in each other, so many locals.
    Loops(usize, usize),
    /// So many tables of so many branches.
    Tables(usize, usize),
    /// So many values that all live across so many branches.
    Ranges(usize, usize),
    /// One function of so many steps.
    Steps(usize),
    /// So many functions.
    Functions(usize),
    /// So many blocks in each other.
    Blocks(usize),
    /// So many functions of so many locals.
    Locals(usize, usize),
}

/// From harmless to hopeless.
pub const CORPUS: [Shape; 50] = [
    Shape::Loops(50, 100),
    Shape::Loops(60, 2_000),
    Shape::Loops(100, 100),
    Shape::Loops(150, 300),
    Shape::Loops(200, 500),
    Shape::Loops(300, 300),
    Shape::Loops(400, 800),
    Shape::Loops(500, 1_000),
    Shape::Loops(800, 200),
    Shape::Loops(1_000, 100),
    Shape::Tables(20, 4_000),
    Shape::Tables(50, 50),
    Shape::Tables(100, 100),
    Shape::Tables(100, 1_000),
    Shape::Tables(200, 200),
    Shape::Tables(400, 400),
    Shape::Tables(600, 600),
    Shape::Tables(800, 800),
    Shape::Tables(1_000, 100),
    Shape::Tables(2_000, 50),
    Shape::Ranges(50, 50),
    Shape::Ranges(100, 500),
    Shape::Ranges(200, 5_000),
    Shape::Ranges(300, 500),
    Shape::Ranges(500, 1_000),
    Shape::Ranges(1_000, 1_000),
    Shape::Ranges(1_000, 3_000),
    Shape::Ranges(2_000, 2_000),
    Shape::Ranges(3_000, 6_000),
    Shape::Ranges(4_000, 400),
    Shape::Steps(10_000),
    Shape::Steps(30_000),
    Shape::Steps(60_000),
    Shape::Steps(100_000),
    Shape::Steps(150_000),
    Shape::Functions(1_000),
    Shape::Functions(5_000),
    Shape::Functions(10_000),
    Shape::Functions(20_000),
    Shape::Functions(40_000),
    Shape::Blocks(100),
    Shape::Blocks(1_000),
    Shape::Blocks(5_000),
    Shape::Blocks(20_000),
    Shape::Blocks(50_000),
    Shape::Locals(1, 50_000),
    Shape::Locals(10, 10_000),
    Shape::Locals(50, 40_000),
    Shape::Locals(200, 20_000),
    Shape::Locals(1_000, 5_000),
];

impl Shape {
    /// `component` with one more core module, of this shape.
    pub fn around(self, component: &[u8]) -> Vec<u8> {
        with_module(component, &wat::parse_str(self.text()).unwrap())
    }

    fn text(self) -> String {
        match self {
            Shape::Loops(loops, locals) => nested_loops(loops, locals),
            Shape::Tables(tables, targets) => branch_tables(tables, targets),
            Shape::Ranges(values, branches) => live_ranges(values, branches),
            Shape::Steps(steps) => straight_line(steps),
            Shape::Functions(count) => many_functions(count),
            Shape::Blocks(depth) => nested_blocks(depth),
            Shape::Locals(functions, locals) => many_locals(functions, locals),
        }
    }
}

/// `component`'s bytes with one more core module, which is compiled with the
/// rest and never instantiated.
fn with_module(component: &[u8], module: &[u8]) -> Vec<u8> {
    const CORE_MODULE_SECTION: u8 = 1;
    with_section(component, CORE_MODULE_SECTION, module)
}

/// `component` with one more core module, which is instantiated and has so many memories.
pub fn with_memories(component: &[u8], memories: usize) -> Vec<u8> {
    const CORE_INSTANCE_SECTION: u8 = 2;
    let mut depth = 0_u32;
    let mut modules = 0_u8;
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } => {
                modules += u8::from(depth == 0);
                depth += 1;
            }
            Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    let module = wat::parse_str(format!("(module {})", "(memory 1)".repeat(memories))).unwrap();
    // One instance, of the last module, which is given nothing.
    with_section(&with_module(component, &module), CORE_INSTANCE_SECTION, &[1, 0, modules, 0])
}

fn with_section(component: &[u8], id: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = component.to_vec();
    bytes.push(id);
    let mut rest = content.len();
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes.extend_from_slice(content);
    bytes
}

/// Loops in each other, all touching all locals.
fn nested_loops(loops: usize, locals: usize) -> String {
    let mut text = String::from("(module (func (param i32) (result i32) ");
    for local in 1..=locals {
        write!(text, "(local $l{local} i32)").unwrap();
    }
    for depth in 0..loops {
        let local = depth % locals + 1;
        write!(text, "(loop $d{depth} (local.set $l{local} (i32.add (local.get $l{local}) (local.get 0)))")
            .unwrap();
    }
    for depth in (0..loops).rev() {
        let local = depth % locals + 1;
        write!(text, "(br_if $d{depth} (local.get $l{local})))").unwrap();
    }
    text.push_str("local.get 1))");
    text
}

/// Many tables of many branches.
fn branch_tables(tables: usize, targets: usize) -> String {
    let mut text = String::from("(module (func (param i32) (result i32) (local i32)");
    for block in 0..targets {
        write!(text, "(block $b{block} ").unwrap();
    }
    for _ in 0..tables {
        text.push_str("(block $out (br_table ");
        for block in 0..targets {
            write!(text, "$b{block} ").unwrap();
        }
        text.push_str("$out (local.get 0))) (local.set 1 (i32.add (local.get 1) (i32.const 1)))");
    }
    text.push_str(&")".repeat(targets));
    text.push_str("local.get 1))");
    text
}

/// Values that all live across many branches.
fn live_ranges(values: usize, branches: usize) -> String {
    let mut text = String::from("(module (func (param i32) (result i32)");
    for value in 1..=values {
        write!(text, "(local $v{value} i32)").unwrap();
    }
    for value in 1..=values {
        write!(text, "(local.set $v{value} (i32.mul (local.get 0) (i32.const {value})))").unwrap();
    }
    for branch in 0..branches {
        let value = branch % values + 1;
        write!(
            text,
            "(if (i32.and (local.get 0) (i32.const {branch}))
                (then (local.set $v{value} (i32.xor (local.get $v{value}) (local.get 0)))))"
        )
        .unwrap();
    }
    text.push_str("local.get 0");
    for value in 1..=values {
        write!(text, " local.get $v{value} i32.add").unwrap();
    }
    text.push_str("))");
    text
}

/// One function that goes on and on.
fn straight_line(steps: usize) -> String {
    let step = "local.get 0 local.get 1 i32.mul local.get 0 i32.rotl local.set 1 ";
    format!("(module (func (param i32) (result i32) (local i32) {} local.get 1))", step.repeat(steps))
}

/// Functions that call each other.
fn many_functions(count: usize) -> String {
    let mut text = String::from("(module ");
    for function in 0..count {
        let next = (function * 7 + 1) % count;
        write!(text, "(func (param i32) (result i32) local.get 0 i32.const {function} i32.xor call {next})")
            .unwrap();
    }
    text.push(')');
    text
}

/// Blocks in each other, each of which may be left early.
fn nested_blocks(depth: usize) -> String {
    let open = "block local.get 0 br_if 0 ";
    format!("(module (func (param i32) {} {}))", open.repeat(depth), "end ".repeat(depth))
}

/// Functions that set and read many locals.
fn many_locals(functions: usize, locals: usize) -> String {
    let declared = "i32 ".repeat(locals);
    let last = locals;
    let body = format!(
        "(func (param i32) (result i32) (local {declared}) local.get 0 local.set {last} local.get {last})"
    );
    format!("(module {})", body.repeat(functions))
}
