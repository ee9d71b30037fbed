#![allow(clippy::unwrap_used)]
use super::*;
use crate::engine::v1::rebalance::types;
use crate::engine::v1::wit;
use proptest::prelude::*;
use std::fmt::{Debug, Write};
use wasmtime::component::{Component, Lift, Linker};
use wasmtime::{Engine, Store};

const CONTRACT: [&str; 2] =
    [include_str!("../../../../../wit/v1/strategy.wit"), include_str!("../../../../../wit/v1/rebalance.wit")];
/// Of the contract, what is in the records that are packed.
const ENUMS: [&str; 3] = ["opener", "flow-class", "verdict"];
const ROWS: usize = 8;

/// The lines between the braces of a definition of the contract, without comments.
fn body(definition: &str) -> Vec<String> {
    let text = CONTRACT.iter().find_map(|text| text.split_once(&format!("{definition} {{"))).unwrap().1;
    let lines = text.split_once('}').unwrap().0.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("///"));
    lines.map(|line| line.trim_end_matches(',').to_owned()).collect()
}

/// A field's type in the text form of components.
fn field_type(name: &str) -> String {
    match name.strip_prefix("option<").and_then(|name| name.strip_suffix('>')) {
        Some(inner) => format!("(option {inner})"),
        None if ENUMS.contains(&name) => format!("${name}"),
        None => name.to_owned(),
    }
}

/// A component that hands back the list of records that it is given.
fn echo(record: &str) -> String {
    let mut types = String::new();
    for name in ENUMS {
        let cases: String = body(&format!("enum {name}")).iter().map(|case| format!(" {case:?}")).collect();
        write!(types, "(type $own-{name} (enum{cases})) (export ${name} {name:?} (type $own-{name}))")
            .unwrap();
    }
    let fields = body(&format!("record {record}"));
    let fields = fields.iter().map(|field| field.split_once(": ").unwrap());
    let fields: String =
        fields.map(|(name, kind)| format!(" (field {name:?} {})", field_type(kind))).collect();
    format!(
        r#"(component {types}
            (type $own (record{fields})) (export $record "record" (type $own))
            (core module $m
                (memory (export "memory") 1)
                (global $top (mut i32) (i32.const 8))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and
                        (i32.add (global.get $top) (i32.sub (local.get 2) (i32.const 1)))
                        (i32.sub (i32.const 0) (local.get 2))))
                    (global.set $top (i32.add (local.get $at) (local.get 3)))
                    (local.get $at))
                (func (export "echo") (param i32 i32) (result i32)
                    (i32.store (i32.const 0) (local.get 0))
                    (i32.store (i32.const 4) (local.get 1))
                    (i32.const 0)))
            (core instance $i (instantiate $m))
            (alias core export $i "memory" (core memory $memory))
            (alias core export $i "realloc" (core func $realloc))
            (alias core export $i "echo" (core func $echo))
            (func (export "echo") (param "records" (list $record)) (result (list $record))
                (canon lift (core func $echo) (memory $memory) (realloc $realloc))))"#
    )
}

/// The records that a guest finds in its memory, as the engine reads them.
fn read<T: Pack + Lift + 'static>(component: &Component, records: &Packed<T>) -> Vec<T> {
    let mut store = Store::new(component.engine(), ());
    let instance = Linker::new(component.engine()).instantiate(&mut store, component).unwrap();
    let echo = instance.get_typed_func::<(&Packed<T>,), (Vec<T>,)>(&mut store, "echo").unwrap();
    echo.call(&mut store, (records,)).unwrap().0
}

/// The engine reads what is packed as the record that was packed. Bytes of 0 and 1 are numbers that
/// differ from field to field, and valid for everything else.
fn is_read_as_it_was<T: Pack + Lift + Debug + 'static>(record: &str) {
    let component = Component::new(&Engine::default(), wat::parse_str(echo(record)).unwrap()).unwrap();
    let bytes = prop::collection::vec(0..=1_u8, ROWS * T::SIZE32);
    let cases = ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() };
    let law = |bytes| {
        let records = read(&component, &Packed::<T>(bytes, PhantomData));
        prop_assert_eq!(records.len(), ROWS);
        let mut packed = Packed::with_capacity(ROWS);
        records.iter().for_each(|record| packed.push(record));
        prop_assert_eq!(packed.len(), ROWS);
        prop_assert_eq!(format!("{:?}", read(&component, &packed)), format!("{records:?}"));
        Ok(())
    };
    proptest::test_runner::TestRunner::new(cases).run(&bytes, law).unwrap();
}

#[test]
fn guests_read_what_is_packed_as_the_contract_says() {
    is_read_as_it_was::<wit::Channel>("channel");
    is_read_as_it_was::<wit::FeeInterval>("fee-interval");
    is_read_as_it_was::<types::RebalanceChannel>("rebalance-channel");
    is_read_as_it_was::<types::Attempt>("attempt");
    is_read_as_it_was::<types::Sender>("sender");
}

#[test]
fn every_case_of_an_enumeration_has_its_number() {
    let byte = |record: Record<1>| record.bytes[0];
    let flat = |put: &dyn Fn(&mut Record<1>)| {
        let mut record = Record::new();
        put(&mut record);
        byte(record)
    };
    assert_eq!(flat(&|record| record.put(wit::Opener::Remote)), 1);
    assert_eq!(flat(&|record| record.put(wit::FlowClass::Balanced)), 2);
    assert_eq!(flat(&|record| record.put(wit::Verdict::DryRun)), 7);
}
