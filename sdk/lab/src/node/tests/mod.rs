#![allow(clippy::unwrap_used)]
mod books;

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::*;
use crate::market::ChannelSpec;

const START: f64 = 1_798_761_600.0;
const DAY: f64 = 86_400.0;

fn node(flavour: Flavour) -> NodeState {
    NodeState::new(NodeConfig::new(flavour, MarketSpec::demo(), 3, START))
}

fn get(node: &mut NodeState, method: &str, params: Value) -> Value {
    node.call_now(method, &params).unwrap()
}

fn list(node: &mut NodeState, method: &str, key: &str, params: Value) -> Vec<Value> {
    get(node, method, params)[key].as_array().unwrap().clone()
}

#[test]
fn setchannel_finds_channels_by_every_name() {
    let mut node = node(Flavour::V26_06);
    let channel = node.channels()[2].clone();
    let names = [&channel.scid.to_string(), &channel.channel_id, &channel.local_alias.to_string()];
    for (ppm, name) in (301..).zip(names) {
        let answer = get(&mut node, "setchannel", json!({"id": name, "feeppm": ppm}));
        assert_eq!(answer["channels"].as_array().unwrap().len(), 1);
        assert_eq!(answer["channels"][0]["channel_id"], json!(channel.channel_id));
        assert_eq!(node.fee(2).ppm, ppm);
    }
    // Two of the demo's channels have one peer.
    let answer = get(&mut node, "setchannel", json!([channel.peer_id, "5msat", "17"]));
    assert_eq!(answer["channels"].as_array().unwrap().len(), 2);
    assert_eq!((node.fee(2).base_msat, node.fee(2).ppm, node.fee(12).ppm), (5, 17, 17));
    let answer = get(&mut node, "setchannel", json!({"id": "all", "feebase": 0}));
    assert_eq!(answer["channels"].as_array().unwrap().len(), 13);
    assert_eq!(node.fee(2).ppm, 17, "what is not named stays");
}

#[test]
fn setchannel_refuses_what_lightningd_refuses() {
    let mut node = node(Flavour::V26_06);
    let scid = node.channels()[0].scid.to_string();
    let before = node.fee(0);
    let long = "ab".repeat(32);
    for (params, message) in [
        (json!({}), "missing required parameter: id"),
        (
            json!({"id": "nonsense"}),
            "id: should be a channel ID or short channel ID: invalid token '\"nonsense\"'",
        ),
        (json!({"id": long}), "id: Channel id not found: invalid token"),
        (json!({"id": scid, "feeppm": -1}), "feeppm: should be an integer: invalid token '-1'"),
        (json!({"id": scid, "feeppm": 1.5}), "feeppm: should be an integer: invalid token '1.5'"),
        (json!({"id": scid, "feeppm": 4_294_967_296u64}), "feeppm: should be an integer"),
        (json!({"id": scid, "feebase": "much"}), "feebase: should be a millisatoshi amount"),
        (json!({"id": scid, "fee": 1}), "unknown parameter: fee"),
    ] {
        let error = node.call_now("setchannel", &params).unwrap_err();
        assert_eq!(error.code, -32602);
        assert!(error.message.starts_with(message), "{params}: {}", error.message);
    }
    assert_eq!(node.fee(0), before);
    node.close_channel(0, CloseKind::Mutual);
    let error = node.call_now("setchannel", &json!({"id": scid, "feeppm": 1})).unwrap_err();
    assert!(error.message.contains("ONCHAIN"), "{error}");
}

#[test]
fn htlcmax_is_cut_to_the_channel_with_a_warning() {
    let mut node = node(Flavour::V24_11);
    let scid = node.channels()[0].scid.to_string();
    let answer = get(&mut node, "setchannel", json!({"id": scid, "htlcmax": "21000000btc"}));
    assert!(answer["channels"][0]["warning_htlcmax_too_high"].is_string());
    assert_eq!(answer["channels"][0]["maximum_htlc_out_msat"], 19_800_000_000u64);
}

#[test]
fn forwards_are_paged_without_gap_or_double() {
    let mut node = node(Flavour::V26_06);
    node.inject_forwards(500, START - 10.0 * DAY, START);
    node.advance(START + 2.0 * DAY);
    let whole = list(&mut node, "listforwards", "forwards", json!({}));
    assert!(whole.len() > 600);
    for index in ["created", "updated"] {
        let mut paged = Vec::new();
        loop {
            let start =
                paged.last().map_or(1, |row: &Value| row[format!("{index}_index")].as_u64().unwrap() + 1);
            let page = json!({"index": index, "start": start, "limit": 37});
            let page = list(&mut node, "listforwards", "forwards", page);
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= 37);
            paged.extend(page);
        }
        let wanted = whole.iter().filter(|row| row.get(format!("{index}_index")).is_some()).count();
        assert_eq!(paged.len(), wanted, "{index}");
        let ids: HashSet<_> = paged.iter().map(|row| row["created_index"].as_u64()).collect();
        assert_eq!(ids.len(), wanted);
    }
    let error = node.call_now("listforwards", &json!({"start": 1})).unwrap_err();
    assert!(error.message.contains("with {index}"), "{error}");
}

#[test]
fn forwards_are_filtered_by_state_and_channel() {
    let mut node = node(Flavour::V24_11);
    node.advance(START + 3.0 * DAY);
    let whole = list(&mut node, "listforwards", "forwards", json!({}));
    let mut seen = 0;
    for status in ["offered", "settled", "failed", "local_failed"] {
        let some = list(&mut node, "listforwards", "forwards", json!({"status": status}));
        assert!(some.iter().all(|row| row["status"] == status));
        seen += some.len();
    }
    assert_eq!(seen, whole.len());
    let scid = node.channels()[1].scid.to_string();
    let out = list(&mut node, "listforwards", "forwards", json!({"out_channel": scid}));
    assert!(!out.is_empty() && out.iter().all(|row| row["out_channel"] == scid.as_str()));
    // An unannounced channel goes by its alias.
    let alias = node.channels()[9].local_alias.to_string();
    let out = list(&mut node, "listforwards", "forwards", json!({"out_channel": alias}));
    assert!(!out.is_empty());
    let refused = whole.iter().find(|row| row["status"] == "local_failed").unwrap();
    assert_eq!(refused["failreason"], "WIRE_TEMPORARY_CHANNEL_FAILURE");
    assert!(refused.get("updated_index").is_none() && refused.get("fee_msat").is_none());
}

#[test]
fn books_forwards_and_balances_agree_to_the_msat() {
    for flavour in Flavour::ALL {
        let mut node = node(flavour);
        node.advance(START + 2.0 * DAY);
        assert!(node.rebalance(1, 0, 40_000_000, 12_345));
        node.advance(START + 3.0 * DAY);
        let forwards = list(&mut node, "listforwards", "forwards", json!({"status": "settled"}));
        let earned: u64 = forwards.iter().map(|row| row["fee_msat"].as_u64().unwrap()).sum();
        assert_eq!(node.fees_collected_msat(), earned);
        assert_eq!(get(&mut node, "getinfo", json!({}))["fees_collected_msat"], earned);
        let income = list(&mut node, "bkpr-listincome", "income_events", json!({}));
        let of = |tag: &str, side: &str| -> u64 {
            income.iter().filter(|row| row["tag"] == tag).map(|row| row[side].as_u64().unwrap()).sum()
        };
        assert_eq!(of("routed", "credit_msat"), earned);
        assert_eq!(of("rebalance_fee", "debit_msat"), 12_345);
        let mut net: BTreeMap<String, i64> = BTreeMap::new();
        for event in list(&mut node, "bkpr-listaccountevents", "events", json!({})) {
            if event["type"] != "onchain_fee" {
                let sum = event["credit_msat"].as_i64().unwrap() - event["debit_msat"].as_i64().unwrap();
                *net.entry(event["account"].as_str().unwrap().to_owned()).or_default() += sum;
            }
        }
        for account in list(&mut node, "bkpr-listbalances", "accounts", json!({})) {
            let name = account["account"].as_str().unwrap();
            assert_eq!(account["balances"][0]["balance_msat"].as_i64().unwrap(), net[name], "{name}");
        }
        let funds = list(&mut node, "listfunds", "channels", json!({}));
        for (index, channel) in funds.iter().enumerate() {
            assert_eq!(channel["our_amount_msat"], node.balance_msat(index));
        }
        let payments = list(&mut node, "listsendpays", "payments", json!({}));
        assert_eq!(
            payments[0]["amount_sent_msat"].as_u64().unwrap() - payments[0]["amount_msat"].as_u64().unwrap(),
            12_345
        );
    }
}

#[test]
fn a_splice_keeps_the_channel_id_and_changes_the_scid() {
    let mut node = node(Flavour::V26_06);
    let before = node.channels()[2].clone();
    let ours = node.balance_msat(2);
    let scid = node.splice(2, 1_000_000_000);
    let listed = list(&mut node, "listpeerchannels", "channels", json!({"channel_id": before.channel_id}));
    assert_eq!(listed[0]["short_channel_id"], scid.to_string());
    assert_ne!(scid, before.scid);
    assert_eq!(listed[0]["total_msat"], 9_000_000_000u64);
    assert_eq!(node.balance_msat(2), ours + 1_000_000_000);
    let changes = listed[0]["state_changes"].as_array().unwrap();
    assert_eq!(changes[changes.len() - 2]["new_state"], "CHANNELD_AWAITING_SPLICE");
    let events = list(&mut node, "bkpr-listaccountevents", "events", json!({"account": before.channel_id}));
    let sum = |side: &str| -> i64 {
        events
            .iter()
            .filter(|event| event["type"] != "onchain_fee")
            .map(|event| event[side].as_i64().unwrap())
            .sum()
    };
    assert_eq!(sum("credit_msat") - sum("debit_msat"), node.balance_msat(2) as i64);
}

#[test]
fn a_closed_channel_moves_from_one_list_to_the_other() {
    for flavour in Flavour::ALL {
        let mut node = node(flavour);
        node.take_notifications();
        node.close_channel(4, CloseKind::Remote);
        assert_eq!(list(&mut node, "listpeerchannels", "channels", json!({})).len(), 13);
        assert!(list(&mut node, "listclosedchannels", "closedchannels", json!({})).is_empty());
        node.mine(101);
        assert_eq!(list(&mut node, "listpeerchannels", "channels", json!({})).len(), 12);
        let closed = list(&mut node, "listclosedchannels", "closedchannels", json!({}));
        assert_eq!((&closed[0]["closer"], &closed[0]["close_cause"]), (&json!("remote"), &json!("remote")));
        let told = node.take_notifications();
        let ends =
            told.iter().filter(|news| news.params["channel_state_changed"]["new_state"] == "CLOSED").count();
        assert_eq!(ends, usize::from(flavour == Flavour::V26_06));
        let seen = node.forwards().count();
        node.advance(START + 2.0 * DAY);
        assert!(node.forwards().count() > seen);
        assert!(
            node.forwards().all(|forward| forward.in_channel != 4 || forward.received_us < micros(START))
        );
    }
}

#[test]
fn releases_have_their_methods_and_plugins_come_and_go() {
    let mut old = node(Flavour::V23_05);
    let mut new = node(Flavour::V26_06);
    for method in ["wait", "listchannelmoves"] {
        assert_eq!(old.call(method, &json!({})), Answer::NotMine, "{method}");
        assert_ne!(new.call(method, &json!({})), Answer::NotMine, "{method}");
    }
    assert_eq!(new.call("clboss-status", &json!({})), Answer::NotMine);
    new.set_extra(Extra::Clboss, true);
    get(&mut new, "clboss-unmanage", json!(["02ab", "open"]));
    get(&mut new, "clboss-unmanage", json!({"nodeid": "02ab", "tags": "lnfee,balance"}));
    assert_eq!(get(&mut new, "clboss-status", json!({}))["unmanaged"]["02ab"], "lnfee, balance", "replaced");
    get(&mut new, "clboss-unmanage", json!(["02ab", ""]));
    assert!(get(&mut new, "clboss-status", json!({}))["unmanaged"].get("02ab").is_none());
    new.set_extra(Extra::Bookkeeper, false);
    assert_eq!(new.call("bkpr-listbalances", &json!({})), Answer::NotMine);
    new.set_extra(Extra::Hive, true);
    new.set_hive_tier("neophyte");
    assert_eq!(get(&mut new, "hive-status", json!({}))["membership"]["tier"], "neophyte");
    let help = get(&mut new, "help", json!({})).to_string();
    assert!(help.contains("hive-status") && !help.contains("bkpr-"));
}

#[test]
fn feerates_follow_the_market_until_set() {
    let mut node = node(Flavour::V26_06);
    let opening =
        |node: &mut NodeState| get(node, "feerates", json!(["perkb"]))["perkb"]["opening"].as_u64().unwrap();
    assert_eq!(opening(&mut node), 4_000);
    node.advance(START + 31.0 * 3600.0);
    assert_eq!(opening(&mut node), 28_000, "the demo's spike");
    node.set_feerate(12.0);
    assert_eq!(opening(&mut node), 12_000);
    assert_eq!(get(&mut node, "feerates", json!(["perkw"]))["perkw"]["opening"], 3_000);
    node.clear_feerate();
    let blind = get(&mut node, "feerates", json!({"style": "perkb"}));
    assert!(blind["warning_missing_feerates"].is_string());
    assert!(blind["perkb"].get("opening").is_none() && blind["perkb"]["floor"] == 1012);
}

#[test]
fn the_datastore_keeps_its_rules() {
    let mut node = node(Flavour::V24_11);
    let set = |node: &mut NodeState, mode: &str, text: &str| {
        node.call_now("datastore", &json!({"key": ["a", "b"], "string": text, "mode": mode}))
    };
    assert_eq!(set(&mut node, "must-replace", "x").unwrap_err().code, 1203);
    assert_eq!(set(&mut node, "must-create", "x").unwrap()["generation"], 0);
    assert_eq!(set(&mut node, "must-create", "x").unwrap_err().code, 1202);
    assert_eq!(set(&mut node, "must-append", "yz").unwrap()["string"], "xyz");
    let other = json!({"key": ["a"], "string": "x"});
    assert_eq!(node.call_now("datastore", &other).unwrap_err().code, 1205);
    let stale = json!({"key": ["a", "b"], "string": "x", "mode": "must-replace", "generation": 0});
    assert_eq!(node.call_now("datastore", &stale).unwrap_err().code, 1204);
    let listed = list(&mut node, "listdatastore", "datastore", json!({"key": "a"}));
    assert_eq!(listed, [json!({"key": ["a", "b"], "generation": 1, "hex": "78797a", "string": "xyz"})]);
    get(&mut node, "deldatastore", json!({"key": ["a", "b"]}));
    assert!(list(&mut node, "listdatastore", "datastore", json!({})).is_empty());
}

#[test]
fn messages_are_verified_for_their_signer_only() {
    let mut node = node(Flavour::V26_06);
    let zbase = get(&mut node, "signmessage", json!({"message": "m"}))["zbase"].clone();
    let id = node.id.clone();
    let check = |node: &mut NodeState, message: &str, pubkey: &str| {
        get(node, "checkmessage", json!({"message": message, "zbase": zbase, "pubkey": pubkey}))["verified"]
            .clone()
    };
    assert_eq!(check(&mut node, "m", &id), true);
    assert_eq!(check(&mut node, "other", &id), false);
    assert_eq!(check(&mut node, "m", &"02".repeat(33)), false);
    let found = get(&mut node, "checkmessage", json!({"message": "m", "zbase": zbase}));
    assert_eq!(found, json!({"pubkey": id, "verified": true}), "the node knows itself");
    let unknown = node.call_now("checkmessage", &json!({"message": "other", "zbase": zbase})).unwrap_err();
    assert_eq!(unknown.code, 1301);
    for (zbase, pubkey, complaint) in [
        ("y", id.as_str(), "zbase is not valid zbase32"),
        ("", "02", "pubkey: should be a compressed pubkey: invalid token '\"02\"'"),
    ] {
        let params = json!({"message": "m", "zbase": zbase, "pubkey": pubkey});
        assert_eq!(node.call_now("checkmessage", &params).unwrap_err().message, complaint);
    }
}

#[test]
fn a_large_node_with_a_long_history_answers() {
    let mut config = NodeConfig::new(Flavour::V26_06, MarketSpec::sized(2000, 1), 1, START);
    config.network = "bitcoin".into();
    let mut node = NodeState::new(config);
    node.inject_forwards(20_000, START - 30.0 * DAY, START);
    assert_eq!(list(&mut node, "listpeerchannels", "channels", json!({})).len(), 2000);
    let tail = list(&mut node, "listforwards", "forwards", json!({"index": "created", "start": 19_991}));
    assert_eq!(tail.len(), 10);
    let index = node.add_channel(ChannelSpec::new("late", 5000));
    assert_eq!(node.channels()[index].alias, "late");
    assert_eq!(list(&mut node, "listpeerchannels", "channels", json!({})).len(), 2001);
}
