//! Calls as callers may write them.

use super::*;
use proptest::prelude::*;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["set", "tag", PEER, "fee_ppm=1", "action=set", "=", "[", "none", "1e999"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let name = prop_oneof![
            prop::sample::select(vec!["action", "peer_id", "fee_ppm", "tags", "updates"])
                .prop_map(str::to_owned),
            "\\PC{0,6}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// How one parameter of a generated call is written.
#[derive(Clone, Copy, Debug)]
struct Spelling {
    named: bool,
    as_text: bool,
    alias: bool,
}

fn written(value: &Value, as_text: bool) -> Value {
    match value {
        Value::String(_) => value.clone(),
        other if as_text => Value::String(other.to_string()),
        other => other.clone(),
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn spelled_name(param: &Param, spelling: Spelling) -> &'static str {
    match (spelling.alias, param.aliases.first()) {
        (true, Some(alias)) => alias,
        _ => param.name,
    }
}

/// The call as an array: a parameter that is not given leaves `null` in its place.
fn as_array(call: &[Option<Value>], spellings: &[Spelling]) -> Value {
    let mut elements = vec![json!("set")];
    for ((param, value), spelling) in SET.iter().zip(call).zip(spellings) {
        elements.push(match value {
            None => Value::Null,
            Some(value) if spelling.named => {
                json!(format!("{}={}", spelled_name(param, *spelling), text_of(value)))
            }
            Some(value) => written(value, spelling.as_text),
        });
    }
    Value::Array(elements)
}

fn as_object(call: &[Option<Value>], spellings: &[Spelling]) -> Value {
    let mut fields = serde_json::Map::new();
    fields.insert("action".to_owned(), json!("set"));
    for ((param, value), spelling) in SET.iter().zip(call).zip(spellings) {
        let value = value.as_ref().map_or(Value::Null, |value| written(value, spelling.as_text));
        fields.insert(spelled_name(param, *spelling).to_owned(), value);
    }
    Value::Object(fields)
}

fn any_call() -> impl Strategy<Value = Vec<Option<Value>>> {
    let word = || prop::option::of("[a-z]{1,8}".prop_map(Value::from));
    let fee = prop_oneof![(0u32..=100_000).prop_map(Value::from), Just(json!("none"))];
    let tags = prop::collection::vec("[a-z]{1,5}", 0..4).prop_map(Value::from);
    let low = (1u32..=50).prop_map(|tenths| json!(f64::from(tenths) / 10.0));
    (
        word(),
        word(),
        prop::option::of(fee),
        prop::option::of(tags),
        prop::option::of(low),
        any::<Option<bool>>(),
    )
        .prop_map(|(strategy, mode, fee, tags, low, force)| {
            vec![Some(json!(PEER)), strategy, mode, fee, tags, low, force.map(Value::from)]
        })
}

fn any_spelling() -> impl Strategy<Value = Vec<Spelling>> {
    let one = (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(named, as_text, alias)| Spelling {
        named,
        as_text,
        alias,
    });
    prop::collection::vec(one, SET.len())
}

proptest! {
    #[test]
    fn no_input_breaks_the_parser(params in any_json()) {
        let _ = Args::parse(&params, SET);
        let _ = Args::parse_menu(&params, &MENU);
    }

    #[test]
    fn every_spelling_of_a_call_is_the_same_call(
        call in any_call(),
        spellings in any_spelling(),
        order in Just((1..=SET.len()).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let plain = vec![Spelling { named: false, as_text: false, alias: false }; SET.len()];
        let (_, expected) = menu(as_object(&call, &plain)).unwrap();
        prop_assert_eq!(expected.opt_text("strategy"), call[1].as_ref().and_then(Value::as_str));
        for params in [as_object(&call, &spellings), as_array(&call, &spellings), as_array(&call, &plain)] {
            let shown = params.to_string();
            let (action, args) = menu(params).map_err(|why| TestCaseError::fail(format!("{shown}: {why}")))?;
            prop_assert_eq!(action, "set");
            prop_assert_eq!(&args, &expected, "{}", shown);
        }
        // Named parameters may stand in any order, also before the action.
        let all_named = vec![Spelling { named: true, as_text: false, alias: true }; SET.len()];
        let Value::Array(elements) = as_array(&call, &all_named) else { unreachable!() };
        let given = order.iter().map(|index| elements[*index].clone()).filter(|value| !value.is_null());
        let (_, args) = menu(given.chain([json!("set")]).collect()).unwrap();
        prop_assert_eq!(args, expected);
    }
}
