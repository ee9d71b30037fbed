//! What the node's records say is what really happened, to the millisatoshi.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{START, get, list};
use crate::market::{ChannelSpec, MarketSpec};
use crate::node::*;

fn quiet(flavour: Flavour) -> NodeState {
    let channels = (0..6).map(|n| ChannelSpec::new(&format!("peer{n}"), n).size(4_000_000, 0.5)).collect();
    NodeState::new(NodeConfig::new(flavour, MarketSpec::new(channels, Vec::new()), 3, START))
}

fn msat(row: &Value, field: &str) -> i64 {
    row[field].as_i64().unwrap_or(0)
}

/// What each channel cost on chain and beside it, from bookkeeper's rows alone, msat.
fn booked(node: &mut NodeState) -> BTreeMap<String, i64> {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for row in list(node, "bkpr-listaccountevents", "events", json!({})) {
        let account = row["account"].as_str().unwrap().to_owned();
        if row["type"] == "onchain_fee" {
            *sums.entry(account).or_default() += msat(&row, "credit_msat") - msat(&row, "debit_msat");
        } else if row["tag"] == "lease_fee" {
            *sums.entry(account).or_default() += msat(&row, "debit_msat") - msat(&row, "credit_msat");
        } else if row["is_rebalance"] == true {
            *sums.entry(account).or_default() += msat(&row, "fees_msat");
        }
    }
    sums.remove("wallet");
    sums
}

/// Penalties that breaches brought, by account, as chain events tell them, msat.
fn penalties(node: &mut NodeState) -> BTreeMap<String, i64> {
    let events = list(node, "bkpr-listaccountevents", "events", json!({}));
    let mut sums = BTreeMap::new();
    for penalty in events.iter().filter(|row| row["tag"] == "penalty") {
        let txid = penalty["outpoint"].as_str().unwrap().split(':').next().unwrap();
        let made =
            events.iter().filter(|row| row["outpoint"].as_str().is_some_and(|utxo| utxo.starts_with(txid)));
        let ours = made.filter(|row| row["account"] != "external" && row["tag"] != "anchor");
        let came: i64 = ours.map(|row| msat(row, "credit_msat")).sum();
        let close = events.iter().find(|row| row["tag"] == "channel_close" && row["txid"] == txid).unwrap();
        sums.insert(
            penalty["account"].as_str().unwrap().to_owned(),
            (came - msat(close, "debit_msat")).max(0),
        );
    }
    sums
}

/// The books as the true account of the node has them.
fn assert_true(node: &mut NodeState, about: &str) {
    let (booked, penalties) = (booked(node), penalties(node));
    for (channel, books) in node.channels().iter().zip(node.true_books()) {
        let costs =
            books.open_msat + books.close_msat + books.sweep_msat + books.splice_msat + books.rebalance_msat;
        let costs = costs as i64 + books.lease_msat;
        let rows = booked.get(&channel.channel_id).copied().unwrap_or(0);
        assert_eq!(rows, costs, "{about}: {} {books:?}", channel.alias);
        let penalty = penalties.get(&channel.channel_id).copied().unwrap_or(0);
        assert_eq!(penalty, books.penalty_msat, "{about}: {}", channel.alias);
    }
}

#[test]
fn random_lives_are_booked_as_they_were() {
    let mut steps = BTreeSet::new();
    for seed in 0..12 {
        for flavour in Flavour::ALL {
            let mut node = quiet(flavour);
            steps.extend(node.live(seed, 60));
            // What closed is resolved.
            node.mine(150);
            assert_true(&mut node, &format!("{flavour:?} {seed}"));
            let net: i64 = node.true_books().iter().map(TrueBooks::net_msat).sum();
            assert_eq!(net, node.true_total().net_msat());
        }
    }
    assert_eq!(steps.len(), 9, "{steps:?}");
}

/// No money comes from nowhere: all that the wallet and the channels have is what came in from
/// outside and was earned, less what was paid.
#[test]
fn money_is_conserved() {
    for (seed, flavour) in (100..124).zip(Flavour::ALL.into_iter().cycle()) {
        let mut node = quiet(flavour);
        let held = |node: &mut NodeState| {
            let funds = get(node, "listfunds", json!({}));
            let outputs: i64 =
                funds["outputs"].as_array().unwrap().iter().map(|row| msat(row, "amount_msat")).sum();
            let open: BTreeSet<String> = node
                .channels()
                .iter()
                .filter(|c| c.state.carries_payments())
                .map(|c| c.channel_id.clone())
                .collect();
            let channels = funds["channels"].as_array().unwrap().iter();
            let channels = channels.filter(|row| open.contains(row["channel_id"].as_str().unwrap()));
            outputs + channels.map(|row| msat(row, "our_amount_msat")).sum::<i64>()
        };
        let outside = |node: &mut NodeState| -> i64 {
            let rows = list(node, "bkpr-listincome", "income_events", json!({})).into_iter();
            rows.filter(|row| row["tag"] == "deposit").map(|row| msat(&row, "credit_msat")).sum()
        };
        let paid_others = |node: &mut NodeState| -> i64 {
            let rows = list(node, "bkpr-listincome", "income_events", json!({})).into_iter();
            rows.filter(|row| row["tag"] == "invoice" || row["tag"] == "invoice_fee")
                .map(|row| msat(&row, "debit_msat"))
                .sum()
        };
        let (before, then) = (held(&mut node), node.true_total());
        let deposited = outside(&mut node);
        node.live(seed, 80);
        node.mine(150);
        let total = node.true_total();
        let earned = total.net_msat() - then.net_msat() - (total.pushed_msat - then.pushed_msat);
        let expected = before + earned + outside(&mut node) - deposited - paid_others(&mut node);
        assert_eq!(held(&mut node), expected, "{flavour:?} {seed}");
    }
}

#[test]
fn a_life_follows_from_its_seed() {
    let live = |seed| {
        let mut node = quiet(Flavour::V26_06);
        node.live(seed, 40);
        get(&mut node, "bkpr-listaccountevents", json!({}))
    };
    assert_eq!(live(7), live(7));
    assert_ne!(live(7), live(8));
}

fn tags(node: &mut NodeState, channel_id: &str) -> Vec<String> {
    let rows = list(node, "bkpr-listaccountevents", "events", json!({"account": channel_id}));
    let mut tags: Vec<String> = rows.iter().map(|row| row["tag"].as_str().unwrap().to_owned()).collect();
    tags.sort_unstable();
    tags
}

fn account(node: &mut NodeState, channel_id: &str) -> Value {
    let rows = list(node, "bkpr-listbalances", "accounts", json!({}));
    rows.into_iter().find(|row| row["account"] == channel_id).unwrap()
}

#[test]
fn our_own_close_is_swept_when_its_delay_is_over() {
    let mut node = quiet(Flavour::V26_06);
    let index = node.add_channel(ChannelSpec::new("x", 50).size(2_000_000, 0.0).remote(0.0));
    assert!(node.forward(index, 0, 466_744_978 - 1, 1));
    let (id, height) = (node.channels()[index].channel_id.clone(), node.block_height());
    node.close_channel(index, CloseKind::Local);
    assert_eq!(tags(&mut node, &id), ["channel_close", "channel_open", "routed"]);
    let closing = account(&mut node, &id);
    assert_eq!((&closing["account_closed"], &closing["account_resolved"]), (&json!(true), &json!(false)));
    assert_eq!(node.true_books()[index].close_msat, 0, "not known before it is resolved");
    node.mine(143);
    assert_eq!(account(&mut node, &id)["account_resolved"], false);
    node.mine(1);
    assert_eq!(account(&mut node, &id)["resolved_at_block"], height + 144);
    let after = [
        "channel_close",
        "channel_open",
        "delayed_to_us",
        "onchain_fee",
        "onchain_fee",
        "routed",
        "to_wallet",
    ];
    assert_eq!(tags(&mut node, &id), after);
    let books = node.true_books()[index];
    assert_eq!((books.open_msat, books.close_msat, books.sweep_msat), (0, 978, 134_000));
    node.mine(99);
    assert!(list(&mut node, "listclosedchannels", "closedchannels", json!({})).is_empty());
    node.mine(1);
    let closed = list(&mut node, "listclosedchannels", "closedchannels", json!({}));
    assert_eq!((&closed[0]["channel_id"], &closed[0]["closer"]), (&json!(id), &json!("local")));
    assert_true(&mut node, "swept");
}

#[test]
fn a_cheating_peer_loses_everything() {
    for flavour in Flavour::ALL {
        let mut node = quiet(flavour);
        let index = node.add_channel(ChannelSpec::new("cheat", 50).size(2_000_000, 0.5).remote(0.0));
        node.close_channel(index, CloseKind::Breach);
        node.mine(2);
        let id = node.channels()[index].channel_id.clone();
        let seen = tags(&mut node, &id);
        for tag in ["penalty", "to_wallet", "penalty_adj", "onchain_fee"] {
            assert!(seen.iter().any(|seen| seen == tag), "{tag}: {seen:?}");
        }
        let books = node.true_books()[index];
        assert!(books.penalty_msat > 990_000_000 && books.close_msat == 0, "{books:?}");
        assert_true(&mut node, "breach");
    }
}

#[test]
fn channels_opened_together_share_the_fee_to_the_msat() {
    let mut node = quiet(Flavour::V24_11);
    let spec = |n: usize| Opening::new(ChannelSpec::new("one of three", 60 + n).size(1_000_000, 1.0));
    let opened = node.open_together((0..3).map(spec).collect());
    let books = node.true_books();
    let mut shares: Vec<u64> = opened.iter().map(|&index| books[index].open_msat).collect();
    shares.sort_unstable();
    assert_eq!(shares, [55_333, 55_333, 55_334]);
    let txids: BTreeSet<&str> =
        opened.iter().map(|&index| node.channels()[index].funding_txid.as_str()).collect();
    let scids: BTreeSet<_> = opened.iter().map(|&index| node.channels()[index].scid).collect();
    assert_eq!((txids.len(), scids.len()), (1, 3));
    assert_true(&mut node, "together");
}

#[test]
fn leased_money_is_paid_for_at_the_opening() {
    let mut node = quiet(Flavour::V26_06);
    let spec = |n| ChannelSpec::new("leased", n).size(2_000_000, 0.4);
    let opened = node.open_together(vec![Opening::leased(spec(70), 5_000_000)]);
    let bought = node.channels()[opened[0]].clone();
    let opened = node.open_together(vec![Opening::leased(spec(71).remote(0.0), 7_000_000)]);
    let sold = node.channels()[opened[0]].clone();
    for (channel, field, local, lease) in [
        (bought, "fee_paid_msat", 805_000_000u64, 5_000_000),
        (sold, "fee_rcvd_msat", 793_000_000, 7_000_000),
    ] {
        let listed =
            list(&mut node, "listpeerchannels", "channels", json!({"channel_id": channel.channel_id}));
        let funding = &listed[0]["funding"];
        assert_eq!((&funding["local_funds_msat"], &funding[field]), (&json!(local), &json!(lease)));
        assert!(funding.get("pushed_msat").is_none());
        assert_eq!(listed[0]["to_us_msat"], 800_000_000u64);
        assert!(tags(&mut node, &channel.channel_id).iter().any(|tag| tag == "lease_fee"));
        assert_eq!(account(&mut node, &channel.channel_id)["balances"][0]["balance_msat"], 800_000_000u64);
    }
    assert_eq!(node.true_total().lease_msat, -2_000_000);
    assert_true(&mut node, "leases");
}

#[test]
fn payments_of_every_kind_are_told_apart() {
    for flavour in Flavour::ALL {
        let mut node = quiet(flavour);
        let part = |from, to, amount_msat, fee_msat| Part { from, to, amount_msat, fee_msat };
        let parts = vec![part(0, Some(1), 10_000_000, 101), part(2, Some(1), 10_000_000, 202)];
        let circular = Paying { parts, label: Some("rebalance".into()), bolt11: None };
        assert!(node.pay(&circular, true));
        let other =
            Paying { parts: vec![part(3, None, 5_000_000, 77)], label: None, bolt11: Some("lnbc1".into()) };
        assert!(node.pay(&other, true));
        assert!(node.pay(&circular, false));
        let pending = node
            .begin_payment(&Paying { parts: vec![part(4, Some(5), 1000, 1)], ..Paying::default() })
            .unwrap();
        let states = |node: &mut NodeState| -> Vec<String> {
            let rows = list(node, "listsendpays", "payments", json!({}));
            rows.iter().map(|row| row["status"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(states(&mut node), ["complete", "complete", "complete", "failed", "failed", "pending"]);
        node.end_payment(&pending, true);
        let rows = list(&mut node, "listsendpays", "payments", json!({"status": "complete"}));
        assert_eq!((&rows[0]["partid"], &rows[1]["partid"]), (&json!(1), &json!(2)));
        assert_eq!(
            (&rows[0]["payment_hash"], &rows[0]["label"]),
            (&rows[1]["payment_hash"], &json!("rebalance"))
        );
        assert!(rows[0]["destination"] == node.id.as_str() && rows[2]["destination"] != node.id.as_str());
        assert_eq!(list(&mut node, "listsendpays", "payments", json!({"bolt11": "lnbc1"})).len(), 1);
        assert_eq!(node.true_total().rebalance_msat, 101 + 202 + 1);
        assert_true(&mut node, "payments");
        // What autoclean took away is gone from the lists, not from the truth.
        assert!(node.forward(0, 1, 1_000_000, 5));
        let (now, earned) = (node.now_unix_s(), node.fees_collected_msat());
        node.advance(now + 10.0);
        node.autoclean(now + 5.0);
        assert!(states(&mut node).is_empty());
        assert!(list(&mut node, "listforwards", "forwards", json!({})).is_empty());
        assert_eq!((node.true_total().rebalance_msat, node.true_total().earned_msat), (304, earned));
    }
}

#[test]
fn htlcs_tell_both_channels_of_a_payment() {
    for flavour in Flavour::ALL {
        let mut node = quiet(flavour);
        assert!(node.forward(3, 4, 1_000_000, 10) && node.rebalance(1, 2, 5_000_000, 50));
        let hash = list(&mut node, "listsendpays", "payments", json!({}))[0]["payment_hash"].clone();
        let htlcs = list(&mut node, "listhtlcs", "htlcs", json!({}));
        assert_eq!(htlcs.len(), 4);
        for (direction, index, msat) in [("out", 1, 5_000_050), ("in", 2, 5_000_000)] {
            let mut own = htlcs.iter().filter(|row| row["payment_hash"] == hash);
            let row = own.find(|row| row["direction"] == direction).unwrap();
            let scid = node.channels()[index].scid.to_string();
            assert_eq!((&row["short_channel_id"], &row["amount_msat"]), (&json!(scid), &json!(msat)));
            assert_eq!(list(&mut node, "listhtlcs", "htlcs", json!({"id": scid})).len(), 1);
        }
    }
}
