//! A database as the Python plugin makes it, to its last version with this schema.

#![allow(clippy::unwrap_used)]

use crate::support::{Backstage, Setup, Stage};
use cl_revenue_ops::model::Digest;
use lab::{Flavour, LabConfig};
use rusqlite::{Connection, Params};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

pub const DAY: u64 = 86_400;

/// The tables with the columns, types and constraints that a user's file has.
const TABLES: &str = "
CREATE TABLE channel_states (channel_id TEXT PRIMARY KEY, peer_id TEXT NOT NULL, state TEXT NOT NULL,
    flow_ratio REAL NOT NULL, sats_in INTEGER NOT NULL, sats_out INTEGER NOT NULL, capacity INTEGER NOT NULL,
    updated_at INTEGER NOT NULL, confidence REAL DEFAULT 1.0, velocity REAL DEFAULT 0.0,
    flow_multiplier REAL DEFAULT 1.0, ema_decay REAL DEFAULT 0.8, forward_count INTEGER DEFAULT 0);
CREATE TABLE fee_changes (id INTEGER PRIMARY KEY AUTOINCREMENT, channel_id TEXT NOT NULL, peer_id TEXT NOT NULL,
    old_fee_ppm INTEGER NOT NULL, new_fee_ppm INTEGER NOT NULL, reason TEXT, manual INTEGER NOT NULL DEFAULT 0,
    timestamp INTEGER NOT NULL);
CREATE TABLE rebalance_history (id INTEGER PRIMARY KEY AUTOINCREMENT, from_channel TEXT NOT NULL,
    to_channel TEXT NOT NULL, amount_sats INTEGER NOT NULL, max_fee_sats INTEGER NOT NULL,
    actual_fee_sats INTEGER, expected_profit_sats INTEGER NOT NULL, actual_profit_sats INTEGER,
    status TEXT NOT NULL, rebalance_type TEXT NOT NULL DEFAULT 'normal', error_message TEXT,
    timestamp INTEGER NOT NULL);
CREATE TABLE forwards (id INTEGER PRIMARY KEY AUTOINCREMENT, in_channel TEXT NOT NULL, out_channel TEXT NOT NULL,
    in_msat INTEGER NOT NULL, out_msat INTEGER NOT NULL, fee_msat INTEGER NOT NULL,
    resolution_time REAL DEFAULT 0, timestamp INTEGER NOT NULL, resolved_time INTEGER DEFAULT 0);
CREATE UNIQUE INDEX idx_forwards_unique
    ON forwards (in_channel, out_channel, in_msat, out_msat, fee_msat, timestamp, resolved_time);
CREATE INDEX idx_forwards_time ON forwards (timestamp);
CREATE TABLE channel_costs (channel_id TEXT PRIMARY KEY, peer_id TEXT NOT NULL,
    open_cost_sats INTEGER NOT NULL DEFAULT 0, capacity_sats INTEGER NOT NULL, opened_at INTEGER NOT NULL);
CREATE TABLE rebalance_costs (id INTEGER PRIMARY KEY AUTOINCREMENT, channel_id TEXT NOT NULL,
    peer_id TEXT NOT NULL, cost_sats INTEGER NOT NULL, amount_sats INTEGER NOT NULL, timestamp INTEGER NOT NULL);
CREATE TABLE lifetime_aggregates (id INTEGER PRIMARY KEY CHECK (id = 1),
    pruned_revenue_msat INTEGER NOT NULL DEFAULT 0, pruned_forward_count INTEGER NOT NULL DEFAULT 0,
    last_prune_timestamp INTEGER NOT NULL DEFAULT 0);
INSERT INTO lifetime_aggregates (id) VALUES (1);
CREATE TABLE ignored_peers (peer_id TEXT PRIMARY KEY, reason TEXT, ignored_at INTEGER NOT NULL);
CREATE TABLE peer_policies (peer_id TEXT PRIMARY KEY, strategy TEXT NOT NULL DEFAULT 'dynamic',
    rebalance_mode TEXT NOT NULL DEFAULT 'enabled', fee_ppm_target INTEGER, tags TEXT,
    updated_at INTEGER NOT NULL, fee_multiplier_min REAL, fee_multiplier_max REAL, expires_at INTEGER);
CREATE TABLE config_overrides (key TEXT PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 1,
    updated_at INTEGER NOT NULL);
CREATE TABLE daily_forwarding_stats (channel_id TEXT NOT NULL, date INTEGER NOT NULL,
    total_in_msat INTEGER NOT NULL DEFAULT 0, total_out_msat INTEGER NOT NULL DEFAULT 0,
    total_fee_msat INTEGER NOT NULL DEFAULT 0, forward_count INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (channel_id, date));
CREATE TABLE financial_snapshots (timestamp INTEGER PRIMARY KEY, total_local_balance_sats INTEGER NOT NULL,
    total_remote_balance_sats INTEGER NOT NULL, total_onchain_sats INTEGER NOT NULL,
    total_capacity_sats INTEGER NOT NULL, total_revenue_accumulated_sats INTEGER NOT NULL,
    total_rebalance_cost_accumulated_sats INTEGER NOT NULL, channel_count INTEGER NOT NULL);
CREATE TABLE channel_closure_costs (channel_id TEXT PRIMARY KEY, peer_id TEXT NOT NULL, close_type TEXT NOT NULL,
    closure_fee_sats INTEGER NOT NULL DEFAULT 0, htlc_sweep_fee_sats INTEGER NOT NULL DEFAULT 0,
    penalty_fee_sats INTEGER NOT NULL DEFAULT 0, total_closure_cost_sats INTEGER NOT NULL DEFAULT 0,
    funding_txid TEXT, closing_txid TEXT, closed_at INTEGER NOT NULL,
    resolution_complete INTEGER NOT NULL DEFAULT 0);
CREATE TABLE closed_channels (channel_id TEXT PRIMARY KEY, peer_id TEXT NOT NULL, capacity_sats INTEGER NOT NULL,
    opened_at INTEGER, closed_at INTEGER NOT NULL, close_type TEXT NOT NULL,
    open_cost_sats INTEGER NOT NULL DEFAULT 0, closure_cost_sats INTEGER NOT NULL DEFAULT 0,
    total_revenue_sats INTEGER NOT NULL DEFAULT 0, total_rebalance_cost_sats INTEGER NOT NULL DEFAULT 0,
    forward_count INTEGER NOT NULL DEFAULT 0, net_pnl_sats INTEGER NOT NULL DEFAULT 0,
    days_open INTEGER NOT NULL DEFAULT 0, funding_txid TEXT, closing_txid TEXT, closer TEXT DEFAULT 'unknown');
CREATE TABLE splice_costs (id INTEGER PRIMARY KEY AUTOINCREMENT, channel_id TEXT NOT NULL, peer_id TEXT NOT NULL,
    splice_type TEXT NOT NULL, amount_sats INTEGER NOT NULL, fee_sats INTEGER NOT NULL,
    old_capacity_sats INTEGER, new_capacity_sats INTEGER, txid TEXT, timestamp INTEGER NOT NULL);
";

/// The Python plugin's connection to its database; it stays open, with its log beside the file, until it goes.
pub struct PythonDb {
    pub conn: Connection,
    pub path: PathBuf,
}

impl PythonDb {
    /// A new database, in the mode that the Python plugin uses.
    pub fn create(path: &Path) -> PythonDb {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let conn = Connection::open(path).unwrap();
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
        conn.execute_batch(TABLES).unwrap();
        PythonDb { conn, path: path.to_owned() }
    }

    /// A new database that names the node's channels.
    pub fn of_node(backstage: &Backstage, path: &Path) -> PythonDb {
        let python = PythonDb::create(path);
        for (scid, peer) in channels(backstage) {
            python.name_channel(&scid, &peer);
        }
        python
    }

    /// Writes a row.
    pub fn put(&self, sql: &str, params: impl Params) {
        self.conn.execute(sql, params).unwrap();
    }

    pub fn name_channel(&self, scid: &str, peer: &str) {
        let sql = "INSERT INTO channel_states VALUES (?1, ?2, 'balanced', 0.1, 5, 6, 2000000, 1, 1.0, 0.0, 1.0, 0.8, 3)";
        self.put(sql, [scid, peer]);
    }

    pub fn day(&self, scid: &str, date: u64, out_msat: u64, fee_msat: u64, count: u64) {
        let sql = "INSERT INTO daily_forwarding_stats VALUES (?1, ?2, ?3 + ?4, ?3, ?4, ?5)";
        self.put(sql, (scid, date as i64, out_msat as i64, fee_msat as i64, count as i64));
    }

    pub fn policy(&self, peer: &str, strategy: &str, updated_at: u64) {
        let sql = "INSERT INTO peer_policies (peer_id, strategy, updated_at) VALUES (?1, ?2, ?3)";
        self.put(sql, (peer, strategy, updated_at as i64));
    }

    pub fn setting(&self, key: &str, value: &str) {
        self.put("INSERT INTO config_overrides VALUES (?1, ?2, 1, 1790000000)", [key, value]);
    }
}

/// The names and peers of the node's channels.
pub fn channels(backstage: &Backstage) -> Vec<(String, String)> {
    let of = |channel: &lab::node::Channel| (channel.scid.to_string(), channel.peer_id.clone());
    backstage.lab.with_node(|node| node.channels().iter().map(of).collect())
}

/// The home directory that the plugin is told of.
pub fn home(backstage: &Backstage) -> PathBuf {
    backstage.lab.lightning_dir().parent().unwrap().join("home")
}

/// Where the Python plugin keeps its database unless told otherwise.
pub fn old_default(backstage: &Backstage) -> PathBuf {
    home(backstage).join(".lightning/revenue_ops.db")
}

/// A node with four channels, and the plugin's home directory set.
pub async fn node(setup: impl FnOnce(Setup) -> Setup) -> Backstage {
    let mut backstage = setup(Stage::on(Flavour::V26_06).channels(4)).build().await;
    let home = home(&backstage).display().to_string();
    backstage.command = backstage.command.env("HOME", home);
    backstage
}

/// The lab's time at its start, s.
pub fn start_s() -> u64 {
    LabConfig::new("", Flavour::V26_06).start_unix_s as u64
}

/// Every file that begins with this path: its name, its length, and the SHA-256 of what is in it.
pub fn files(path: &Path) -> Vec<(String, usize, String)> {
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut files: Vec<_> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_str().unwrap().starts_with(name))
        .map(|entry| {
            let bytes = fs::read(entry.path()).unwrap();
            let digest = Digest::of(&bytes).to_string();
            (entry.file_name().into_string().unwrap(), bytes.len(), digest)
        })
        .collect();
    files.sort();
    files
}

/// The rows of one part of what the status says was imported: taken, known, skipped.
pub fn part(status: &Value, part: &str) -> (u64, u64, u64) {
    let part = &status["imported"]["parts"][part];
    let rows = |outcome: &str| part[outcome].as_u64().unwrap_or_else(|| panic!("{outcome} of {part}"));
    (rows("taken"), rows("known"), rows("skipped"))
}

/// One number from a stopped plugin's database.
pub fn number(db: &Path, sql: &str) -> i64 {
    Connection::open(db).unwrap().query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).unwrap().unwrap_or(0)
}
