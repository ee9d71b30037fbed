//! The table of methods: what exists in which release and plugin, with which parameters.

use std::collections::BTreeSet;

use super::params::{ParamSpec, Params};
use super::{Extra, Flavour, NodeState};
use crate::rpc::{RpcError, RpcResult};

/// One method.
pub(super) struct Method {
    pub name: &'static str,
    /// The release that added it; 0 for all.
    pub since: u32,
    /// The plugin that brings it; none for lightningd itself.
    pub from: Option<Extra>,
    pub params: &'static [ParamSpec],
    /// What `help` shows behind the name.
    pub usage: &'static str,
    pub run: fn(&mut NodeState, &Params) -> RpcResult,
}

const fn core(
    name: &'static str,
    since: u32,
    params: &'static [ParamSpec],
    usage: &'static str,
    run: fn(&mut NodeState, &Params) -> RpcResult,
) -> Method {
    Method { name, since, from: None, params, usage, run }
}

const fn extra(
    from: Extra,
    name: &'static str,
    params: &'static [ParamSpec],
    usage: &'static str,
    run: fn(&mut NodeState, &Params) -> RpcResult,
) -> Method {
    Method { name, since: 0, from: Some(from), params, usage, run }
}

fn waits(_: &mut NodeState, _: &Params) -> RpcResult {
    Err(RpcError::new(-1, "wait answers when the node changes"))
}

const PAGED: &[ParamSpec] = &[("index", 0), ("start", 0), ("limit", 0)];
#[rustfmt::skip]
static METHODS: &[Method] = &[
    core("getinfo", 0, &[], "", NodeState::get_info),
    core("help", 0, &[("command", 0)], "[command]", NodeState::help),
    core("feerates", 0, &[("style", 0)], "style", NodeState::feerates),
    core("listfunds", 0, &[("spent", 0)], "[spent]", NodeState::list_funds),
    core("listpeers", 0, &[("id", 0), ("level", 0)], "[id] [level]", NodeState::list_peers),
    core("listpeerchannels", 0, &[("id", 0), ("short_channel_id", 2505), ("channel_id", 2604)], "[id] [short_channel_id] [channel_id]", NodeState::list_peer_channels),
    core("listclosedchannels", 0, &[("id", 0)], "[id]", NodeState::list_closed_channels),
    core("listchannels", 0, &[("short_channel_id", 0), ("source", 0), ("destination", 0)], "[short_channel_id] [source] [destination]", NodeState::list_channels),
    core("listnodes", 0, &[("id", 0)], "[id]", NodeState::list_nodes),
    core("setchannel", 0, &[("id", 0), ("feebase", 0), ("feeppm", 0), ("htlcmin", 0), ("htlcmax", 0), ("enforcedelay", 0), ("ignorefeelimits", 2308)], "id [feebase] [feeppm] [htlcmin] [htlcmax] [enforcedelay] [ignorefeelimits]", NodeState::set_channel),
    core("listforwards", 0, &[("status", 0), ("in_channel", 0), ("out_channel", 0), ("index", 2311), ("start", 2311), ("limit", 2311)], "[status] [in_channel] [out_channel] [index] [start] [limit]", NodeState::list_forwards),
    core("wait", 2311, &[("subsystem", 0), ("indexname", 0), ("nextvalue", 0)], "subsystem indexname nextvalue", waits),
    core("listsendpays", 0, &[("bolt11", 0), ("payment_hash", 0), ("status", 0), ("index", 2311), ("start", 2311), ("limit", 2311)], "[bolt11] [payment_hash] [status] [index] [start] [limit]", NodeState::list_sendpays),
    core("listpays", 0, &[("bolt11", 0), ("payment_hash", 0), ("status", 0), ("index", 2411), ("start", 2411), ("limit", 2411)], "[bolt11] [payment_hash] [status] [index] [start] [limit]", NodeState::list_pays),
    core("listhtlcs", 0, &[("id", 0), ("index", 2505), ("start", 2505), ("limit", 2505)], "[id] [index] [start] [limit]", NodeState::list_htlcs),
    core("listtransactions", 0, &[], "", NodeState::list_transactions),
    core("listchannelmoves", 2509, PAGED, "[index] [start] [limit]", NodeState::list_channel_moves),
    core("listchainmoves", 2509, PAGED, "[index] [start] [limit]", NodeState::list_chain_moves),
    core("listconfigs", 0, &[("config", 0)], "[config]", NodeState::list_configs),
    core("plugin", 0, &[("subcommand", 0), ("plugin", 0), ("directory", 0), ("options", 0)], "subcommand=start|stop|list [plugin] [options]", NodeState::plugin_command),
    core("signmessage", 0, &[("message", 0)], "message", NodeState::sign_message),
    core("checkmessage", 0, &[("message", 0), ("zbase", 0), ("pubkey", 0)], "message zbase [pubkey]", NodeState::check_message),
    core("datastore", 0, &[("key", 0), ("string", 0), ("hex", 0), ("mode", 0), ("generation", 0)], "key [string] [hex] [mode] [generation]", NodeState::datastore_set),
    core("listdatastore", 0, &[("key", 0)], "[key]", NodeState::datastore_list),
    core("deldatastore", 0, &[("key", 0), ("generation", 0)], "key [generation]", NodeState::datastore_delete),
    extra(Extra::Bookkeeper, "bkpr-listaccountevents", &[("account", 0), ("payment_id", 2408)], "[account] [payment_id]", NodeState::bkpr_account_events),
    extra(Extra::Bookkeeper, "bkpr-listincome", &[("consolidate_fees", 0), ("start_time", 0), ("end_time", 0)], "[consolidate_fees] [start_time] [end_time]", NodeState::bkpr_income),
    extra(Extra::Bookkeeper, "bkpr-listbalances", &[], "", NodeState::bkpr_balances),
    extra(Extra::Clboss, "clboss-status", &[], "", NodeState::clboss_status),
    extra(Extra::Clboss, "clboss-unmanage", &[("nodeid", 0), ("tags", 0)], "nodeid tags", NodeState::clboss_unmanage),
    extra(Extra::Hive, "hive-status", &[], "", NodeState::hive_status),
];

/// The methods of a release with these plugins; sling's are its own.
pub(super) fn listed(flavour: Flavour, present: &BTreeSet<Extra>) -> impl Iterator<Item = &'static Method> {
    let present = present.clone();
    let there = move |method: &&Method| {
        flavour.has(method.since) && method.from.is_none_or(|extra| present.contains(&extra))
    };
    METHODS.iter().filter(there)
}

/// A method by name.
pub(super) fn find(name: &str, flavour: Flavour, present: &BTreeSet<Extra>) -> Option<&'static Method> {
    METHODS.iter().find(|method| {
        method.name == name
            && flavour.has(method.since)
            && method.from.is_none_or(|extra| present.contains(&extra))
    })
}
