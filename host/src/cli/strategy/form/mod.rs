//! The JSON form of snapshots and decisions: the contract's records (`wit/v1`) under the contract's
//! names with `_` for `-`, and what belongs to a channel inside it. docs/authors.md describes it.
//!
//! A field that is left out has its default, one that is not known is refused by its name.

mod fee;
mod params;
mod rebalance;

pub(super) use fee::{FeeChannel, FeeForm, IntervalForm, VerdictForm};
pub(super) use params::{Params, read as read_params};
pub(super) use rebalance::{AttemptForm, RebalanceChannelForm, RebalanceForm, SenderForm};

use crate::model::Opener;
use crate::model::flow::FlowClass;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// The instant of a snapshot that names none.
const NOW_S: u64 = 1_760_000_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OpenerForm {
    #[default]
    Local,
    Remote,
}

impl From<OpenerForm> for Opener {
    fn from(form: OpenerForm) -> Opener {
        match form {
            OpenerForm::Local => Opener::Local,
            OpenerForm::Remote => Opener::Remote,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FlowForm {
    Source,
    Sink,
    #[default]
    Balanced,
}

impl From<FlowForm> for FlowClass {
    fn from(form: FlowForm) -> FlowClass {
        match form {
            FlowForm::Source => FlowClass::Source,
            FlowForm::Sink => FlowClass::Sink,
            FlowForm::Balanced => FlowClass::Balanced,
        }
    }
}

/// Bytes as the lower-case hex in which states are shown.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
    }
    text
}

/// The bytes of a state; nothing is an empty one.
fn unhex(field: &str, text: Option<&String>) -> Result<Vec<u8>, String> {
    let text = text.map_or("", String::as_str);
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
    bytes.ok_or_else(|| format!("{field} is not hex: an even number of digits 0-9 and a-f"))
}

/// A channel's numbers that follow from its capacity unless they are given, msat.
struct Sides {
    local: u64,
    spendable: u64,
    receivable: u64,
}

impl Sides {
    /// Half of the capacity is ours; either side keeps a reserve of 1 %.
    fn of(capacity: u64, local: Option<u64>, spendable: Option<u64>, receivable: Option<u64>) -> Sides {
        let reserve = capacity / 100;
        let local = local.unwrap_or(capacity / 2);
        let theirs = capacity.saturating_sub(local);
        Sides {
            local,
            spendable: spendable.unwrap_or_else(|| local.saturating_sub(reserve)),
            receivable: receivable.unwrap_or_else(|| theirs.saturating_sub(reserve)),
        }
    }
}

#[cfg(test)]
mod tests;
