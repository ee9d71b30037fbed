//! The writes: setchannel, and nothing that the guard has not approved.

use super::wire::{SetChannel, SetChannelEntry};
use super::{Group, Node};
use crate::guard::Approved;
use crate::model::fee::{Outcome, SetFee};
use crate::model::{Channel, Ppm};
use futures_util::StreamExt;
use serde_json::{Map, Value, json};

/// Writes under way at the same time: lightningd works on one at a time, so that more only
/// lengthen its queue.
const CONCURRENT_WRITES: usize = 4;

/// Where approved fees go. Chosen once, when the plugin starts.
#[derive(Clone)]
pub enum Writer {
    /// To lightningd.
    Live(Node),
    /// Nowhere: the plugin runs dry.
    Dry,
}

impl Writer {
    /// Whether nothing reaches the node.
    pub fn is_dry(&self) -> bool {
        matches!(self, Writer::Dry)
    }

    /// Sets each fee and says what became of it, in the order given. A write whose answer
    /// was lost is looked up in one fresh list, never assumed.
    pub async fn set_fees(&self, approved: &[Approved<SetFee>]) -> Vec<Outcome> {
        let Writer::Live(node) = self else {
            return approved.iter().map(|_| Outcome::DryRun).collect();
        };
        let writes: Vec<_> = approved.iter().map(|fee| node.set_fee(fee)).collect();
        let mut outcomes: Vec<Outcome> =
            futures_util::stream::iter(writes).buffered(CONCURRENT_WRITES).collect().await;
        if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Unknown(_))) {
            node.reconcile(approved, &mut outcomes).await;
        }
        outcomes
    }
}

impl Node {
    async fn set_fee(&self, approved: &Approved<SetFee>) -> Outcome {
        let fee = approved.get();
        match self.call::<SetChannel>(Group::Write, "setchannel", params(fee)).await {
            Ok(answer) => verify(fee, &answer),
            Err(error) if error.leaves_doubt() => Outcome::Unknown(error.to_string()),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    async fn reconcile(&self, approved: &[Approved<SetFee>], outcomes: &mut [Outcome]) {
        let channels = match self.channels().await {
            Ok(channels) => channels,
            Err(error) => {
                tracing::warn!("a lost setchannel could not be looked up: {error}");
                return;
            }
        };
        for (approved, outcome) in approved.iter().zip(outcomes) {
            if matches!(outcome, Outcome::Unknown(_)) {
                *outcome = look_up(approved.get(), &channels);
            }
        }
    }
}

fn params(fee: &SetFee) -> Value {
    let mut params = Map::new();
    params.insert("id".into(), json!(fee.scid.to_string()));
    params.insert("feebase".into(), json!(fee.base_fee.0));
    params.insert("feeppm".into(), json!(fee.fee.0));
    if let Some(most) = fee.htlc_max {
        params.insert("htlcmax".into(), json!(most.0));
    }
    Value::Object(params)
}

/// lightningd's own answer says what is in force, on the channel that it names.
fn verify(fee: &SetFee, answer: &SetChannel) -> Outcome {
    let ours = fee.channel_id.to_string();
    let entry =
        answer.channels.iter().find(|entry| entry.channel_id.as_ref().is_none_or(|named| *named == ours));
    let Some(entry) = entry else {
        return Outcome::Failed("lightningd's answer does not name the channel".to_owned());
    };
    match (entry.fee_proportional_millionths, entry.fee_base_msat) {
        (Some(ppm), Some(base)) if Ppm(ppm) == fee.fee && base == fee.base_fee => verify_htlc_max(fee, entry),
        (ppm, base) => Outcome::Failed(format!(
            "lightningd answers {} ppm and base {} instead of {} and {}",
            ppm.map_or("no".to_owned(), |ppm| ppm.to_string()),
            base.map_or("none".to_owned(), |base| base.to_string()),
            fee.fee,
            fee.base_fee
        )),
    }
}

/// lightningd lowers a largest HTLC to what the channel can send, and says so.
fn verify_htlc_max(fee: &SetFee, entry: &SetChannelEntry) -> Outcome {
    let Some(asked) = fee.htlc_max else { return Outcome::Applied };
    match entry.maximum_htlc_out_msat {
        Some(got) if got == asked => Outcome::Applied,
        Some(got) if got < asked && entry.warning_htlcmax_too_high.is_some() => Outcome::Lowered(got),
        Some(got) => {
            Outcome::Failed(format!("lightningd answers a largest HTLC of {got} instead of {asked}"))
        }
        None => Outcome::Unknown("lightningd's answer does not name the largest HTLC".to_owned()),
    }
}

fn look_up(fee: &SetFee, channels: &[Channel]) -> Outcome {
    let Some(channel) = channels.iter().find(|channel| channel.channel_id == fee.channel_id) else {
        return Outcome::Failed("the answer was lost, and the channel is gone".to_owned());
    };
    let other = |what: &dyn std::fmt::Display| {
        Outcome::Failed(format!("the answer was lost, and {what} is in force"))
    };
    if channel.fee_ppm != fee.fee {
        return other(&channel.fee_ppm);
    }
    if channel.fee_base != fee.base_fee {
        return other(&format_args!("a base fee of {}", channel.fee_base));
    }
    // All of a write is done, or nothing.
    let done =
        fee.fee != fee.old_fee || fee.base_fee != fee.old_base_fee || channel.htlc_max != fee.old_htlc_max;
    match fee.htlc_max {
        None => Outcome::Reconciled,
        Some(asked) if channel.htlc_max == asked => Outcome::Reconciled,
        Some(asked) if channel.htlc_max < asked && done => Outcome::Lowered(channel.htlc_max),
        Some(_) => other(&format_args!("a largest HTLC of {}", channel.htlc_max)),
    }
}
