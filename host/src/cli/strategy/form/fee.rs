//! The record `fee-input`.

use super::params::{self, Params, Signals};
use super::{FlowForm, NOW_S, OpenerForm, Sides, unhex};
use crate::config::Config;
use crate::cycles::told;
use crate::model::strategy::{ChannelRow, Description, FeeInput, FeeInterval, LastVerdict};
use crate::model::{Msat, Ppm, UnixTime};
use serde::{Deserialize, Serialize};

/// A snapshot for a strategy that sets fees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::strategy) struct FeeForm {
    pub now_s: u64,
    pub cycle_s: u32,
    pub seed: u64,
    pub block_height: u32,
    pub feerate_perkb: u32,
    /// The present feerate, unless given.
    pub feerate_mean_day_perkb: Option<u32>,
    pub feerate_hours_perkb: Vec<u32>,
    /// The sums over the channels, unless given.
    pub node_capacity_msat: Option<u64>,
    pub node_local_msat: Option<u64>,
    pub node_earned_day_msat: Option<u64>,
    pub node_earned_week_msat: Option<u64>,
    pub params: Params,
    pub channels: Vec<FeeChannel>,
    pub signals: Signals,
    pub node_state: Option<String>,
}

impl Default for FeeForm {
    fn default() -> FeeForm {
        FeeForm {
            now_s: NOW_S,
            cycle_s: 1_800,
            seed: 1,
            block_height: 900_000,
            feerate_perkb: 10_000,
            feerate_mean_day_perkb: None,
            feerate_hours_perkb: vec![],
            node_capacity_msat: None,
            node_local_msat: None,
            node_earned_day_msat: None,
            node_earned_week_msat: None,
            params: Params::new(),
            channels: vec![],
            signals: Signals::new(),
            node_state: None,
        }
    }
}

/// A row of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::strategy) struct FeeChannel {
    /// The row's number from 1 on, unless given.
    pub pseudonym: Option<u64>,
    pub peer_pseudonym: Option<u64>,
    pub opener: OpenerForm,
    pub public: bool,
    pub connected: bool,
    pub age_blocks: u32,
    pub capacity_msat: u64,
    pub local_msat: Option<u64>,
    pub spendable_msat: Option<u64>,
    pub receivable_msat: Option<u64>,
    pub htlcs_in: u32,
    pub htlcs_out: u32,
    pub htlc_slots: u32,
    pub fee_ppm: u32,
    pub base_fee_msat: u32,
    pub htlc_max_msat: Option<u64>,
    pub peer_fee_ppm: Option<u32>,
    pub min_fee_ppm: u32,
    pub max_fee_ppm: u32,
    pub target_ppm: Option<u32>,
    pub in_day_msat: u64,
    pub out_day_msat: u64,
    pub in_week_msat: u64,
    pub out_week_msat: u64,
    pub earned_day_msat: u64,
    pub earned_week_msat: u64,
    pub sourced_week_msat: u64,
    pub forwards_out_week: u32,
    pub forwards_in_week: u32,
    pub forwards_out_total: u32,
    pub last_out_s: Option<u64>,
    pub flow: FlowForm,
    pub flow_ratio: f64,
    pub velocity: f64,
    pub confidence: f64,
    pub rebalance_cost_ppm: Option<u32>,
    pub last_verdict: VerdictForm,
    pub last_proposed_ppm: Option<u32>,
    pub last_change_s: u64,
    pub updates_left: u32,
    pub intervals: Vec<IntervalForm>,
    /// Hex.
    pub state: Option<String>,
}

impl Default for FeeChannel {
    fn default() -> FeeChannel {
        FeeChannel {
            pseudonym: None,
            peer_pseudonym: None,
            opener: OpenerForm::Local,
            public: true,
            connected: true,
            age_blocks: 20_000,
            capacity_msat: 5_000_000_000,
            local_msat: None,
            spendable_msat: None,
            receivable_msat: None,
            htlcs_in: 0,
            htlcs_out: 0,
            htlc_slots: 483,
            fee_ppm: 200,
            base_fee_msat: 0,
            htlc_max_msat: None,
            peer_fee_ppm: None,
            min_fee_ppm: 10,
            max_fee_ppm: 5_000,
            target_ppm: None,
            in_day_msat: 0,
            out_day_msat: 0,
            in_week_msat: 0,
            out_week_msat: 0,
            earned_day_msat: 0,
            earned_week_msat: 0,
            sourced_week_msat: 0,
            forwards_out_week: 0,
            forwards_in_week: 0,
            forwards_out_total: 0,
            last_out_s: None,
            flow: FlowForm::Balanced,
            flow_ratio: 0.0,
            velocity: 0.0,
            confidence: 0.0,
            rebalance_cost_ppm: None,
            last_verdict: VerdictForm::None,
            last_proposed_ppm: None,
            last_change_s: 0,
            updates_left: 12,
            intervals: vec![],
            state: None,
        }
    }
}

/// A stretch of constant rate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::strategy) struct IntervalForm {
    pub start_s: u64,
    pub end_s: u64,
    pub fee_ppm: u32,
    pub live_s: u32,
    pub settled: u32,
    pub failed_liquidity: u32,
    pub failed_downstream: u32,
    pub out_msat: u64,
    pub fee_msat: u64,
}

/// The host's word on a proposal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli::strategy) enum VerdictForm {
    #[default]
    None,
    Published,
    Limited,
    Unchanged,
    Suppressed,
    RateLimited,
    Refused,
    DryRun,
}

impl VerdictForm {
    pub(in crate::cli::strategy) const ALL: [VerdictForm; 8] = [
        VerdictForm::None,
        VerdictForm::Published,
        VerdictForm::Limited,
        VerdictForm::Unchanged,
        VerdictForm::Suppressed,
        VerdictForm::RateLimited,
        VerdictForm::Refused,
        VerdictForm::DryRun,
    ];
}

impl From<VerdictForm> for LastVerdict {
    fn from(form: VerdictForm) -> LastVerdict {
        match form {
            VerdictForm::None => LastVerdict::None,
            VerdictForm::Published => LastVerdict::Published,
            VerdictForm::Limited => LastVerdict::Limited,
            VerdictForm::Unchanged => LastVerdict::Unchanged,
            VerdictForm::Suppressed => LastVerdict::Suppressed,
            VerdictForm::RateLimited => LastVerdict::RateLimited,
            VerdictForm::Refused => LastVerdict::Refused,
            VerdictForm::DryRun => LastVerdict::DryRun,
        }
    }
}

impl FeeForm {
    /// What the engine is given; one sentence where the form does not fit the strategy.
    pub(in crate::cli::strategy) fn read(&self, about: &Description) -> Result<FeeInput, String> {
        let channels: Vec<ChannelRow> = self
            .channels
            .iter()
            .enumerate()
            .map(|(row, channel)| channel.read(row))
            .collect::<Result<_, _>>()?;
        let sum = |given: Option<u64>, amount: fn(&ChannelRow) -> Msat| {
            let summed = channels.iter().fold(0_u64, |sum, row| sum.saturating_add(amount(row).0));
            Msat(given.unwrap_or(summed))
        };
        Ok(FeeInput {
            now: UnixTime(self.now_s),
            cycle_s: self.cycle_s,
            seed: self.seed,
            block_height: self.block_height,
            feerate_perkb: self.feerate_perkb,
            feerate_mean_day_perkb: self.feerate_mean_day_perkb.unwrap_or(self.feerate_perkb),
            feerate_hours_perkb: self.feerate_hours_perkb.clone(),
            node_capacity: sum(self.node_capacity_msat, |row| row.capacity),
            node_local: sum(self.node_local_msat, |row| row.local),
            node_earned_day: sum(self.node_earned_day_msat, |row| row.earned_day),
            node_earned_week: sum(self.node_earned_week_msat, |row| row.earned_week),
            params: params::read(&self.params, &about.params, &told::to_fee_strategies(&Config::default()))?,
            signals: params::signals(&self.signals, channels.len(), about)?,
            node_state: unhex("node_state", self.node_state.as_ref())?,
            channels,
        })
    }
}

impl FeeChannel {
    fn read(&self, row: usize) -> Result<ChannelRow, String> {
        let pseudonym = self.pseudonym.unwrap_or(row as u64 + 1);
        let capacity = self.capacity_msat;
        let sides = Sides::of(capacity, self.local_msat, self.spendable_msat, self.receivable_msat);
        Ok(ChannelRow {
            pseudonym,
            peer_pseudonym: self.peer_pseudonym.unwrap_or(pseudonym),
            opener: self.opener.into(),
            public: self.public,
            connected: self.connected,
            age_blocks: self.age_blocks,
            capacity: Msat(capacity),
            local: Msat(sides.local),
            spendable: Msat(sides.spendable),
            receivable: Msat(sides.receivable),
            htlcs_in: self.htlcs_in,
            htlcs_out: self.htlcs_out,
            htlc_slots: self.htlc_slots,
            fee: Ppm(self.fee_ppm),
            base_fee: Msat(u64::from(self.base_fee_msat)),
            htlc_max: Msat(self.htlc_max_msat.unwrap_or(capacity - capacity / 100)),
            peer_fee: self.peer_fee_ppm.map(Ppm),
            min_fee: Ppm(self.min_fee_ppm),
            max_fee: Ppm(self.max_fee_ppm),
            target: self.target_ppm.map(Ppm),
            in_day: Msat(self.in_day_msat),
            out_day: Msat(self.out_day_msat),
            in_week: Msat(self.in_week_msat),
            out_week: Msat(self.out_week_msat),
            earned_day: Msat(self.earned_day_msat),
            earned_week: Msat(self.earned_week_msat),
            sourced_week: Msat(self.sourced_week_msat),
            forwards_out_week: self.forwards_out_week,
            forwards_in_week: self.forwards_in_week,
            forwards_out_total: self.forwards_out_total,
            last_out: self.last_out_s.map(UnixTime),
            flow: self.flow.into(),
            flow_ratio: self.flow_ratio,
            velocity: self.velocity,
            confidence: self.confidence,
            rebalance_cost: self.rebalance_cost_ppm.map(Ppm),
            last_verdict: self.last_verdict.into(),
            last_proposed: self.last_proposed_ppm.map(Ppm),
            last_change: UnixTime(self.last_change_s),
            updates_left: self.updates_left,
            intervals: self.intervals.iter().map(IntervalForm::read).collect(),
            state: unhex(&format!("channels[{row}].state"), self.state.as_ref())?,
        })
    }
}

impl IntervalForm {
    fn read(&self) -> FeeInterval {
        FeeInterval {
            start: UnixTime(self.start_s),
            end: UnixTime(self.end_s),
            fee: Ppm(self.fee_ppm),
            live_s: self.live_s,
            settled: self.settled,
            failed_liquidity: self.failed_liquidity,
            failed_downstream: self.failed_downstream,
            out: Msat(self.out_msat),
            earned: Msat(self.fee_msat),
        }
    }
}
