//! Behaviour that users see: the real plugin on a simulated node, the real sandbox, the real
//! database.

mod acts;
mod adopt;
mod authors;
mod clock;
mod config;
mod demo;
mod engine;
mod fees;
mod flow;
mod hive;
mod journal;
mod layers;
mod ledger;
mod lifecycle;
mod policy;
mod rebalance;
mod reports;
mod store;
mod strategies;
mod support;
mod tables;
mod trouble;
mod trust;
