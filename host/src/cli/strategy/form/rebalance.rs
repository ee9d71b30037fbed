//! The record `rebalance-input`.

use super::params::{self, Params, Signals};
use super::{FlowForm, NOW_S, OpenerForm, Sides, unhex};
use crate::config::Config;
use crate::cycles::told;
use crate::model::rebalance::{Attempt, RebalanceInput, RebalanceRow, Sender};
use crate::model::strategy::Description;
use crate::model::{Msat, Ppm, UnixTime};
use serde::{Deserialize, Serialize};

const WEEK_S: u32 = 7 * 86_400;
const MONTH_S: u32 = 30 * 86_400;

/// A snapshot for a strategy that evaluates rebalances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::strategy) struct RebalanceForm {
    pub now_s: u64,
    pub cycle_s: u32,
    pub seed: u64,
    pub block_height: u32,
    pub feerate_perkb: u32,
    /// The present feerate, unless given.
    pub feerate_mean_day_perkb: Option<u32>,
    /// The sums over the channels, unless given.
    pub node_capacity_msat: Option<u64>,
    pub node_local_msat: Option<u64>,
    pub node_earned_day_msat: u64,
    pub node_earned_week_msat: Option<u64>,
    pub budget_left_msat: u64,
    pub slots_free: u32,
    pub params: Params,
    pub channels: Vec<RebalanceChannelForm>,
    pub signals: Signals,
    pub node_state: Option<String>,
}

impl Default for RebalanceForm {
    fn default() -> RebalanceForm {
        RebalanceForm {
            now_s: NOW_S,
            cycle_s: 900,
            seed: 1,
            block_height: 900_000,
            feerate_perkb: 10_000,
            feerate_mean_day_perkb: None,
            node_capacity_msat: None,
            node_local_msat: None,
            node_earned_day_msat: 0,
            node_earned_week_msat: None,
            budget_left_msat: 5_000_000,
            slots_free: 5,
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
pub(in crate::cli::strategy) struct RebalanceChannelForm {
    /// The row's number from 1 on, unless given.
    pub pseudonym: Option<u64>,
    pub peer_pseudonym: Option<u64>,
    pub opener: OpenerForm,
    pub public: bool,
    pub connected: bool,
    pub fleet: bool,
    pub age_s: u64,
    pub capacity_msat: u64,
    pub local_msat: Option<u64>,
    pub spendable_msat: Option<u64>,
    pub receivable_msat: Option<u64>,
    pub htlcs_in: u32,
    pub htlcs_out: u32,
    pub htlc_slots: u32,
    pub fee_ppm: u32,
    pub base_fee_msat: u32,
    pub peer_fee_ppm: Option<u32>,
    pub peer_base_fee_msat: Option<u32>,
    pub in_week_msat: u64,
    pub out_week_msat: u64,
    pub in_month_msat: u64,
    pub out_month_msat: u64,
    pub live_week_s: u32,
    pub live_month_s: u32,
    pub earned_week_msat: u64,
    pub earned_month_msat: u64,
    pub sourced_week_msat: u64,
    pub sourced_month_msat: u64,
    pub forwards_in_month: u32,
    pub forwards_out_month: u32,
    pub last_out_s: Option<u64>,
    pub flow: FlowForm,
    pub flow_ratio: f64,
    pub velocity: f64,
    pub confidence: f64,
    pub settled_sent: f64,
    pub failed_sent: f64,
    pub may_fill: bool,
    pub may_drain: bool,
    /// What can be received and sent, unless given.
    pub fill_most_msat: Option<u64>,
    pub drain_most_msat: Option<u64>,
    pub budget_left_msat: u64,
    pub attempts: Vec<AttemptForm>,
    pub senders: Vec<SenderForm>,
    /// Hex.
    pub state: Option<String>,
}

impl Default for RebalanceChannelForm {
    fn default() -> RebalanceChannelForm {
        RebalanceChannelForm {
            pseudonym: None,
            peer_pseudonym: None,
            opener: OpenerForm::Local,
            public: true,
            connected: true,
            fleet: false,
            age_s: 200 * 86_400,
            capacity_msat: 5_000_000_000,
            local_msat: None,
            spendable_msat: None,
            receivable_msat: None,
            htlcs_in: 0,
            htlcs_out: 0,
            htlc_slots: 483,
            fee_ppm: 200,
            base_fee_msat: 0,
            peer_fee_ppm: None,
            peer_base_fee_msat: None,
            in_week_msat: 0,
            out_week_msat: 0,
            in_month_msat: 0,
            out_month_msat: 0,
            live_week_s: WEEK_S,
            live_month_s: MONTH_S,
            earned_week_msat: 0,
            earned_month_msat: 0,
            sourced_week_msat: 0,
            sourced_month_msat: 0,
            forwards_in_month: 0,
            forwards_out_month: 0,
            last_out_s: None,
            flow: FlowForm::Balanced,
            flow_ratio: 0.0,
            velocity: 0.0,
            confidence: 0.0,
            settled_sent: 0.0,
            failed_sent: 0.0,
            may_fill: true,
            may_drain: true,
            fill_most_msat: None,
            drain_most_msat: None,
            budget_left_msat: 5_000_000,
            attempts: vec![],
            senders: vec![],
            state: None,
        }
    }
}

/// A rebalance that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::strategy) struct AttemptForm {
    pub ended_s: u64,
    pub amount_msat: u64,
    pub moved_msat: u64,
    pub fee_msat: u64,
    pub max_ppm: u32,
}

/// Where some of what left had entered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::cli::strategy) struct SenderForm {
    pub channel: u32,
    pub out_msat: u64,
}

impl RebalanceForm {
    /// What the engine is given; one sentence where the form does not fit the evaluator.
    pub(in crate::cli::strategy) fn read(&self, about: &Description) -> Result<RebalanceInput, String> {
        let count = self.channels.len();
        let channels: Vec<RebalanceRow> = self
            .channels
            .iter()
            .enumerate()
            .map(|(row, channel)| channel.read(row, count))
            .collect::<Result<_, _>>()?;
        let sum = |given: Option<u64>, amount: fn(&RebalanceRow) -> Msat| {
            let summed = channels.iter().fold(0_u64, |sum, row| sum.saturating_add(amount(row).0));
            Msat(given.unwrap_or(summed))
        };
        Ok(RebalanceInput {
            now: UnixTime(self.now_s),
            cycle_s: self.cycle_s,
            seed: self.seed,
            block_height: self.block_height,
            feerate_perkb: self.feerate_perkb,
            feerate_mean_day_perkb: self.feerate_mean_day_perkb.unwrap_or(self.feerate_perkb),
            node_capacity: sum(self.node_capacity_msat, |row| row.capacity),
            node_local: sum(self.node_local_msat, |row| row.local),
            node_earned_day: Msat(self.node_earned_day_msat),
            node_earned_week: sum(self.node_earned_week_msat, |row| row.earned_week),
            budget_left: Msat(self.budget_left_msat),
            slots_free: self.slots_free,
            params: params::read(&self.params, &about.params, &told::to_evaluators(&Config::default()))?,
            signals: params::signals(&self.signals, count, about)?,
            node_state: unhex("node_state", self.node_state.as_ref())?,
            channels,
        })
    }
}

impl RebalanceChannelForm {
    fn read(&self, row: usize, rows: usize) -> Result<RebalanceRow, String> {
        let pseudonym = self.pseudonym.unwrap_or(row as u64 + 1);
        let sides = Sides::of(self.capacity_msat, self.local_msat, self.spendable_msat, self.receivable_msat);
        if let Some(sender) = self.senders.iter().find(|sender| sender.channel as usize >= rows) {
            return Err(format!("channels[{row}].senders: row {} of {rows} channels", sender.channel));
        }
        Ok(RebalanceRow {
            pseudonym,
            peer_pseudonym: self.peer_pseudonym.unwrap_or(pseudonym),
            opener: self.opener.into(),
            public: self.public,
            connected: self.connected,
            fleet: self.fleet,
            age_s: self.age_s,
            capacity: Msat(self.capacity_msat),
            local: Msat(sides.local),
            spendable: Msat(sides.spendable),
            receivable: Msat(sides.receivable),
            htlcs_in: self.htlcs_in,
            htlcs_out: self.htlcs_out,
            htlc_slots: self.htlc_slots,
            fee: Ppm(self.fee_ppm),
            base_fee: Msat(u64::from(self.base_fee_msat)),
            peer_fee: self.peer_fee_ppm.map(Ppm),
            peer_base_fee: self.peer_base_fee_msat.map(|fee| Msat(u64::from(fee))),
            in_week: Msat(self.in_week_msat),
            out_week: Msat(self.out_week_msat),
            in_month: Msat(self.in_month_msat),
            out_month: Msat(self.out_month_msat),
            live_week_s: self.live_week_s,
            live_month_s: self.live_month_s,
            earned_week: Msat(self.earned_week_msat),
            earned_month: Msat(self.earned_month_msat),
            sourced_week: Msat(self.sourced_week_msat),
            sourced_month: Msat(self.sourced_month_msat),
            forwards_in_month: self.forwards_in_month,
            forwards_out_month: self.forwards_out_month,
            last_out: self.last_out_s.map(UnixTime),
            flow: self.flow.into(),
            flow_ratio: self.flow_ratio,
            velocity: self.velocity,
            confidence: self.confidence,
            settled_sent: self.settled_sent,
            failed_sent: self.failed_sent,
            may_fill: self.may_fill,
            may_drain: self.may_drain,
            fill_most: Msat(self.fill_most_msat.unwrap_or(sides.receivable)),
            drain_most: Msat(self.drain_most_msat.unwrap_or(sides.spendable)),
            budget_left: Msat(self.budget_left_msat),
            attempts: self.attempts.iter().map(AttemptForm::read).collect(),
            senders: self.senders.iter().map(SenderForm::read).collect(),
            state: unhex(&format!("channels[{row}].state"), self.state.as_ref())?,
        })
    }
}

impl AttemptForm {
    fn read(&self) -> Attempt {
        Attempt {
            ended: UnixTime(self.ended_s),
            amount: Msat(self.amount_msat),
            moved: Msat(self.moved_msat),
            fee: Msat(self.fee_msat),
            max_fee: Ppm(self.max_ppm),
        }
    }
}

impl SenderForm {
    fn read(&self) -> Sender {
        Sender { row: self.channel as usize, out: Msat(self.out_msat) }
    }
}
