//! What the tools need to know of a world of the contract, so that each is written once for both.

use super::bench::Subject;
use super::form::{FeeForm, RebalanceForm, hex};
use crate::engine::{Fees, Module, Rebalances, World};
use crate::model::States;
use crate::model::rebalance::RebalanceDecision;
use crate::model::strategy::{Description, StrategyDecision};
use anyhow::{Result, anyhow, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// A world, its forms, and what is alike in them.
pub(super) trait Kind: World {
    type Form: Form;
    const WORLD: &'static str;

    fn read(form: &Self::Form, about: &Description) -> Result<Self::Input, String>;
    /// The decision's form, without states, and without what the call took.
    fn shown(decision: &Self::Decision) -> Value;
    /// The states of the rows, and that of the node.
    fn states(decision: &Self::Decision) -> (&States, &[u8]);
}

/// A snapshot's form.
pub(super) trait Form: Clone + Serialize + DeserializeOwned {
    /// The pseudonym and the state of each row.
    fn slots(&mut self) -> Vec<(u64, &mut Option<String>)>;
    fn node_state(&mut self) -> &mut Option<String>;
}

macro_rules! form {
    ($form:ty) => {
        impl Form for $form {
            fn slots(&mut self) -> Vec<(u64, &mut Option<String>)> {
                let rows = self.channels.iter_mut().enumerate();
                rows.map(|(row, it)| (it.pseudonym.unwrap_or(row as u64 + 1), &mut it.state)).collect()
            }

            fn node_state(&mut self) -> &mut Option<String> {
                &mut self.node_state
            }
        }
    };
}

form!(FeeForm);
form!(RebalanceForm);

impl Kind for Fees {
    type Form = FeeForm;
    const WORLD: &'static str = "fee-strategy";

    fn read(form: &FeeForm, about: &Description) -> Result<Self::Input, String> {
        form.read(about)
    }

    fn shown(decision: &StrategyDecision) -> Value {
        let proposal = |proposal: &crate::model::strategy::StrategyProposal| {
            json!({
                "channel": proposal.row,
                "fee_ppm": proposal.fee.0,
                "base_fee_msat": proposal.base_fee.map(|fee| fee.0),
                "htlc_max_msat": proposal.htlc_max.map(|most| most.0),
                "reason": proposal.reason,
                "factors": factors(&proposal.factors),
            })
        };
        json!({ "proposals": decision.proposals.iter().map(proposal).collect::<Vec<_>>() })
    }

    fn states(decision: &StrategyDecision) -> (&States, &[u8]) {
        (&decision.states, &decision.node_state)
    }
}

impl Kind for Rebalances {
    type Form = RebalanceForm;
    const WORLD: &'static str = "rebalance-strategy";

    fn read(form: &RebalanceForm, about: &Description) -> Result<Self::Input, String> {
        form.read(about)
    }

    fn shown(decision: &RebalanceDecision) -> Value {
        let proposal = |proposal: &crate::model::rebalance::EvaluatedRebalance| {
            json!({
                "to": proposal.to,
                "from": proposal.from,
                "amount_msat": proposal.amount.0,
                "max_ppm": proposal.max_fee.0,
                "value_msat": proposal.value.0,
                "cost_msat": proposal.cost.0,
                "success": proposal.success,
                "reason": proposal.reason,
                "factors": factors(&proposal.factors),
            })
        };
        let refusal = |left: &crate::model::rebalance::NotFilled| json!({ "to": left.row, "reason": left.reason, "factors": factors(&left.factors) });
        json!({
            "proposals": decision.proposals.iter().map(proposal).collect::<Vec<_>>(),
            "refusals": decision.not_filled.iter().map(refusal).collect::<Vec<_>>(),
        })
    }

    fn states(decision: &RebalanceDecision) -> (&States, &[u8]) {
        (&decision.states, &decision.node_state)
    }
}

fn factors(factors: &[(String, f64)]) -> Vec<Value> {
    factors.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// The whole of a decision as JSON.
pub(super) fn decision_json<K: Kind>(decision: &K::Decision) -> Value {
    let mut shown = K::shown(decision);
    let (states, node_state) = K::states(decision);
    shown["states"] = states.iter().map(hex).collect();
    shown["node_state"] = json!(hex(node_state));
    shown
}

/// What a strategy keeps from one call to the next, as the plugin stores it.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    channels: HashMap<u64, String>,
    node: Option<String>,
}

impl Memory {
    /// Hands the stored states to the rows that name none.
    pub fn hand_over<F: Form>(&self, form: &mut F) {
        for (pseudonym, state) in form.slots() {
            if state.is_none() {
                *state = self.channels.get(&pseudonym).cloned();
            }
        }
        let node = form.node_state();
        if node.is_none() {
            node.clone_from(&self.node);
        }
    }

    /// Stores the states of a decision about `form`.
    pub fn keep<K: Kind>(&mut self, form: &mut K::Form, decision: &K::Decision) {
        let (states, node) = K::states(decision);
        let rows = form.slots().into_iter().zip(states.iter());
        self.channels.extend(rows.map(|((pseudonym, _), state)| (pseudonym, hex(state))));
        self.node = Some(hex(node));
    }
}

/// A module with its world.
pub(super) enum Candidate {
    Fees(Arc<Module>),
    Rebalances(Arc<Module<Rebalances>>),
}

impl Subject {
    /// The module, in the world that is asked for where it is for both.
    pub fn candidate(&self, world: Option<WorldName>) -> Result<Candidate> {
        let label = &self.label;
        let missing = |what: &str| anyhow!("{label} is for the other world: it does not {what}");
        match (world, &self.fees, &self.rebalances) {
            (Some(WorldName::Fee), None, _) => Err(missing("set fees")),
            (Some(WorldName::Rebalance), _, None) => Err(missing("evaluate rebalances")),
            (None, Some(_), Some(_)) => {
                bail!("{label} is for both worlds: choose with --world fee or --world rebalance")
            }
            (Some(WorldName::Fee) | None, Some(module), _) => Ok(Candidate::Fees(Arc::clone(module))),
            (_, _, Some(module)) => Ok(Candidate::Rebalances(Arc::clone(module))),
            (None, None, None) => bail!("{label} is for no world"),
        }
    }
}

/// A world, as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum WorldName {
    Fee,
    Rebalance,
}
