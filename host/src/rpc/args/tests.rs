#![allow(clippy::unwrap_used)]

mod spelling;

use super::*;
use serde_json::json;

const MULTIPLIER: Kind = Kind::Number { min: 0.1, max: 5.0 };

const SET: &[Param] = &[
    Param::required("peer_id", Kind::PeerId, "The peer."),
    Param::optional("strategy", Kind::Text, "The strategy."),
    Param::optional("rebalance", Kind::Text, "The mode.").or(&["rebalance_mode"]),
    Param::optional("fee_ppm", Kind::OrNone(&Kind::Int { min: 0, max: 100_000 }), "The rate, ppm.")
        .or(&["fee_ppm_target"]),
    Param::optional("tags", Kind::List, "Tags."),
    Param::optional("low", Kind::OrNone(&MULTIPLIER), "A factor."),
    Param::optional("force", Kind::Bool, "Whether to insist.").or_blank(),
];

static MENU: Menu = Menu {
    selector: "action",
    default: Some("list"),
    forms: &[
        Form { action: "set", params: SET, doc: "Sets." },
        Form {
            action: "get",
            params: &[Param::required("peer_id", Kind::PeerId, "The peer.")],
            doc: "Shows.",
        },
        Form { action: "list", params: &[], doc: "Lists." },
        Form {
            action: "tag",
            params: &[
                Param::required("peer_id", Kind::PeerId, "The peer."),
                Param::required("tag", Kind::Text, "The tag."),
            ],
            doc: "Tags.",
        },
        Form {
            action: "batch",
            params: &[Param::required("updates", Kind::Array, "The changes.")],
            doc: "Changes many.",
        },
        Form {
            action: "list-mutable",
            params: &[Param::optional("channel", Kind::Channel, "A channel.").or(&["scid"])],
            doc: "Hyphenated.",
        },
    ],
    reads: &["get", "list"],
    everywhere: &["peer_id", "strategy", "tag"],
    exact: &[],
};

const PEER: &str = "0284ada9b2bf91613d7ec51e78e4c85710c9b878b1f0ae36575e2685a35773c689";

fn menu(params: Value) -> Result<(&'static str, Args), String> {
    let (form, args) = Args::parse_menu(&params, &MENU)?;
    Ok((form.action, args))
}

fn refusal(params: Value) -> String {
    let shown = params.to_string();
    menu(params).expect_err(&shown)
}

#[test]
fn the_readme_form_is_read_with_names_inside_the_array() {
    let (action, args) = menu(json!(["set", PEER, "strategy=static", "fee_ppm=100"])).unwrap();
    assert_eq!(action, "set");
    assert_eq!(args.peer_id("peer_id").unwrap(), PEER.parse().unwrap());
    assert_eq!(args.text("strategy"), Ok("static"));
    assert_eq!(args.u32("fee_ppm"), Ok(100));
    assert_eq!(args.opt_text("rebalance"), None);
    assert_eq!(args.opt_bool("force"), None);
}

#[test]
fn each_action_has_its_own_order() {
    let (action, args) = menu(json!(["tag", PEER.to_uppercase(), "whale"])).unwrap();
    assert_eq!((action, args.text("tag")), ("tag", Ok("whale")));
    let (action, args) = menu(json!(["LIST_mutable", "700000x12x0"])).unwrap();
    let scid = ChannelName::Scid("700000x12x0".parse().unwrap());
    assert_eq!((action, args.channel("channel")), ("list-mutable", Ok(scid)));
    let (_, args) = menu(json!({"action": "list-mutable", "scid": "ab".repeat(32)})).unwrap();
    assert_eq!(args.channel("channel").unwrap().to_string(), "ab".repeat(32));
}

#[test]
fn a_call_without_a_selector_takes_the_default() {
    for params in [json!(null), json!({}), json!([]), json!([null]), json!({"action": null})] {
        assert_eq!(menu(params).unwrap().0, "list");
    }
}

#[test]
fn positional_values_fill_what_no_name_took() {
    let (_, args) = menu(json!(["set", "strategy=hive", PEER, null, 7, "whale,exchange"])).unwrap();
    assert_eq!(args.text("strategy"), Ok("hive"));
    assert_eq!(args.opt_text("rebalance"), None);
    assert_eq!(args.u32("fee_ppm"), Ok(7));
    assert_eq!(args.list("tags").unwrap(), ["whale", "exchange"]);
}

#[test]
fn aliases_hyphens_and_case_name_the_same_parameter() {
    for name in ["fee_ppm", "fee-ppm", "FEE_PPM", "fee_ppm_target", "Fee-Ppm-Target"] {
        let (_, args) = menu(json!({"action": "set", "peer_id": PEER, name: "3"})).unwrap();
        assert_eq!(args.opt_u32("fee_ppm"), Some(3), "{name}");
    }
}

#[test]
fn none_clears_and_null_is_absent() {
    let call = |fee: Value| menu(json!({"action": "set", "peer_id": PEER, "fee_ppm": fee})).unwrap().1;
    for word in ["none", "null", " None "] {
        let args = call(json!(word));
        assert!(args.is_cleared("fee_ppm"), "{word}");
        assert_eq!(args.opt_u32("fee_ppm"), None);
    }
    let args = call(json!(null));
    assert!(!args.is_cleared("fee_ppm"));
    assert_eq!(args.opt_u32("fee_ppm"), None);
}

#[test]
fn lists_come_as_arrays_json_text_or_with_commas() {
    let call = |tags: Value| menu(json!({"action": "set", "peer_id": PEER, "tags": tags})).unwrap().1;
    for (tags, read) in [
        (json!(["a", "b"]), &["a", "b"][..]),
        (json!("[\"a\", \"b\"]"), &["a", "b"]),
        (json!("a, b"), &["a", "b"]),
        (json!("a"), &["a"]),
        (json!(7), &["7"]),
        (json!([]), &[]),
        (json!(""), &[]),
    ] {
        assert_eq!(call(tags.clone()).list("tags").unwrap(), read, "{tags}");
    }
}

#[test]
fn refusals_say_what_was_wrong_and_what_is_allowed() {
    for (params, parts) in [
        (json!(["frobnicate"]), &["action 'frobnicate'", "set, get, list, tag", "; nothing was changed"][..]),
        (json!([{"a": 1}]), &["list: there is no parameter 'a'"]),
        (json!([{"a": 1}, 2]), &["action '{\"a\":1}'"]),
        (json!("set"), &["neither a JSON object nor an array"]),
        (json!(["tag", PEER]), &["tag is missing", "a text"]),
        (json!({"action": "tag", "tag": "x"}), &["peer_id is missing", "66 hexadecimal"]),
        (json!(["set", "zz"]), &["peer_id 'zz'", "66 hexadecimal"]),
        (json!(["set", PEER, "fee_ppm=1", "fee_ppm=1"]), &["fee_ppm is given twice"]),
        (
            json!({"action": "set", "peer_id": PEER, "fee_ppm": 1, "fee_ppm_target": 1}),
            &["fee_ppm is given twice"],
        ),
        (json!(["set", "action=list", "x=1"]), &["list: 'x=1'", "one parameter too many"]),
        (json!(["set", "action=list", "action=list"]), &["action is given twice"]),
        (json!(["set", PEER, "fee_ppm=-1"]), &["fee_ppm: '-1'", "from 0 to 100000", "or none"]),
        (json!(["set", PEER, "fee_ppm=1.5"]), &["fee_ppm: '1.5'"]),
        (json!(["set", PEER, "fee_ppm=true"]), &["fee_ppm: 'true'"]),
        (json!({"action": "set", "peer_id": PEER, "fee_ppm": true}), &["fee_ppm: 'true'"]),
        (
            json!({"action": "set", "peer_id": PEER, "fee_ppm": u64::MAX}),
            &["fee_ppm: '18446744073709551615'"],
        ),
        (json!(["set", PEER, "low=nan"]), &["low: 'nan'", "0.1 to 5"]),
        (json!(["set", PEER, "low=9"]), &["low: '9'"]),
        (json!(["set", PEER, "force=maybe"]), &["force: 'maybe'", "true or false"]),
        (json!(["set", PEER, "a", "b", "feeppm=100"]), &["no parameter 'feeppm'", "fee_ppm, tags"]),
        (json!({"action": "set", "peer_id": PEER, "updates": 1}), &["no parameter 'updates'", "use peer_id"]),
        (json!({"action": "list", "tags": 1}), &["no parameter 'tags'", "it takes none"]),
        (json!(["tag", PEER, "a", "b"]), &["tag: 'b' is one parameter too many", "; nothing was changed"]),
        (json!(["tag", PEER, null, "a", "b"]), &["one parameter too many"]),
        (json!(["get", PEER, "stratgy=static"]), &["'stratgy=static' is one parameter too many"]),
        (json!(["get", PEER, "a", "b", "c"]), &["'c' is one parameter too many"]),
        (json!(["get", "", "a"]), &["peer_id ''", "66 hexadecimal"]),
        (json!({"action": "set", "peer_id": PEER, "tags": [["a"]]}), &["tags: '[[\"a\"]]'"]),
        (json!(["batch", "{}"]), &["updates: '{}'", "a JSON array"]),
        (json!(["batch", "[1"]), &["updates: '[1'"]),
        (json!(["list-mutable", "7"]), &["channel: '7'", "700000x12x0", "64 hex"]),
        (json!(["list-mutable", 7]), &["channel: '7'"]),
    ] {
        let text = refusal(params.clone());
        for part in parts {
            assert!(text.contains(part), "{params}: {text:?} lacks {part:?}");
        }
        let reads = text.starts_with("get: ") || text.starts_with("list: ");
        assert_eq!(reads, !text.ends_with("; nothing was changed"), "{params}: {text}");
    }
}

#[test]
fn a_form_passes_over_what_others_take() {
    for (params, action) in [
        (json!({"action": "list", "peer_id": "zz", "tag": "x"}), "list"),
        (json!(["list", PEER, "static"]), "list"),
        (json!(["get", PEER, "static", null, "x"]), "get"),
        (json!([{"action": "get", "peer_id": PEER, "Strategy": ""}]), "get"),
    ] {
        let shown = params.to_string();
        assert_eq!(menu(params).expect(&shown).0, action, "{shown}");
    }
    let (_, args) = menu(json!(["set", PEER, "tag=x", "strategy=hive"])).unwrap();
    assert!(args.unused().unwrap().starts_with("this action has no use for tag: it takes peer_id, strategy"));
    let (_, args) = menu(json!(["tag", PEER, "tag=x"])).unwrap();
    assert_eq!(args.unused(), None);
}

#[test]
fn places_of_the_one_signature_close_up() {
    for params in [
        json!(["tag", PEER, null, null, null, "x"]),
        json!(["tag", null, null, "x", format!("peer_id={PEER}")]),
    ] {
        let (_, args) = menu(params.clone()).unwrap();
        assert_eq!(
            (args.text("tag"), args.peer_id("peer_id")),
            (Ok("x"), Ok(PEER.parse().unwrap())),
            "{params}"
        );
    }
    // Places that the form has stay what they are.
    let (_, args) = menu(json!(["set", PEER, null, null, 7, null, null, null, null, null])).unwrap();
    assert_eq!((args.opt_text("strategy"), args.opt_u32("fee_ppm")), (None, Some(7)));
}

#[test]
fn an_empty_text_is_absent_where_the_parameter_says_so() {
    assert!(
        refusal(json!({"action": "list-mutable", "channel": " "})).contains("channel: ' ' is not allowed")
    );
    let (_, args) = menu(json!({"action": "set", "peer_id": PEER, "force": ""})).unwrap();
    assert_eq!(args.opt_bool("force"), None);
    assert!(refusal(json!({"action": "set", "peer_id": PEER, "fee_ppm": ""})).contains("or none"));
    assert!(refusal(json!({"action": "set", "peer_id": ""})).contains("peer_id ''"));
}

#[test]
fn a_word_with_an_equals_sign_that_names_nothing_is_a_value() {
    let (_, args) = menu(json!(["tag", PEER, "a=b"])).unwrap();
    assert_eq!(args.text("tag"), Ok("a=b"));
    let (_, args) = menu(json!(["batch", "[\"fee_ppm=1\"]"])).unwrap();
    assert_eq!(args.json("updates"), Ok(&json!(["fee_ppm=1"])));
}

#[test]
fn long_values_are_cut_in_refusals() {
    assert!(refusal(json!(["set", "é".repeat(10_000)])).len() < 400);
    assert!(refusal(json!(["x".repeat(10_000)])).len() < 400);
    assert!(refusal(json!({"action": "set", "y".repeat(10_000): 1})).len() < 400);
}
