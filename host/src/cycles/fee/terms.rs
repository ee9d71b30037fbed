//! What modules set beside rates: noted before the node is asked, and taken back when they decide no more.

use super::{Plan, Planned};
use crate::config::Config;
use crate::cycles::Services;
use crate::guard::fee::TakeBack;
use crate::model::fee::{FeeProposal, Origin, Outcome, SetFee};
use crate::model::{Channel, Digest, Msat, Policy};
use crate::store::terms::{self, Held, HeldTerms, Intent, Settled, Term};
use anyhow::{Context, Result};

impl Services {
    /// Keeps what a plan is about to overwrite, so that it can be put back whatever happens next.
    pub(super) async fn note_intents(&self, plan: &Plan) -> Result<()> {
        let intents: Vec<Intent> = plan.decided.iter().flat_map(intents).collect();
        if self.writer.is_dry() || intents.is_empty() {
            return Ok(());
        }
        let now = plan.tick.now;
        self.store
            .write_durably(move |tx| Ok(terms::intend(tx, now, &intents)?))
            .await
            .context("noting what the fee cycle is about to change")
    }
}

/// What a module that is not one of the host's own sets by its own word.
fn named(planned: &Planned) -> impl Iterator<Item = (Term, &SetFee, Digest)> {
    let approved = planned.verdict.result.as_ref().ok().filter(|_| !planned.built_in);
    let named = approved.zip(planned.digest).map(|(approved, digest)| (approved.get(), digest));
    named.into_iter().flat_map(|(fee, digest)| {
        let base_fee = fee.names_base_fee.then_some(Term::BaseFee);
        let htlc_max = fee.names_htlc_max.then_some(Term::HtlcMax);
        base_fee.into_iter().chain(htlc_max).map(move |term| (term, fee, digest))
    })
}

/// What would be in force.
fn wanted(term: Term, fee: &SetFee) -> Msat {
    match term {
        Term::BaseFee => fee.base_fee,
        Term::HtlcMax => fee.htlc_max.unwrap_or(fee.old_htlc_max),
    }
}

fn intents(planned: &Planned) -> Vec<Intent> {
    named(planned).map(|named| intent(planned, named)).collect()
}

fn intent(planned: &Planned, (term, fee, digest): (Term, &SetFee, Digest)) -> Intent {
    Intent {
        channel_id: fee.channel_id,
        term,
        digest,
        before: term.of(&planned.channel),
        asked: wanted(term, fee),
    }
}

/// What is in force of it.
pub(super) fn settled(planned: &Planned, outcome: Option<&Outcome>) -> Vec<Settled> {
    let Some(outcome) = outcome.filter(|outcome| outcome.is_in_force()) else { return Vec::new() };
    let one = |named: (Term, &SetFee, Digest)| {
        let of = intent(planned, named);
        let got = match (of.term, outcome) {
            (Term::HtlcMax, Outcome::Lowered(got)) => *got,
            _ => of.asked,
        };
        Settled { of, got }
    };
    named(planned).map(one).collect()
}

/// What modules other than `decides` left on a channel, and what it goes back to: the largest HTLC to what
/// was there before, the base fee to what strategies leave to the host. A passive policy leaves a channel
/// as if no module had been there.
pub(super) fn left_by_others(
    terms: &HeldTerms,
    channel: &Channel,
    policy: &Policy,
    decides: Digest,
    config: &Config,
) -> TakeBack {
    let left = |term: Term, held: Option<Held>| {
        held.filter(|held| held.digest != decides && held.set == term.of(channel)).map(|held| held.before)
    };
    let passive = policy.strategy.is_passive();
    let base_fee = left(Term::BaseFee, terms.base_fee);
    TakeBack {
        base_fee: base_fee.map(|before| if passive { before } else { Msat(config.base_fee_msat) }),
        htlc_max: left(Term::HtlcMax, terms.htlc_max),
    }
}

/// What the largest HTLC in force was asked to be: lightningd may have allowed less.
pub(super) fn htlc_max_asked(terms: &HeldTerms, channel: &Channel) -> Option<Msat> {
    terms.htlc_max.filter(|held| held.set == channel.htlc_max).map(|held| held.asked)
}

/// The host's own wish for a channel whose strategy has none.
pub(super) fn take_back(channel: &Channel) -> FeeProposal {
    FeeProposal {
        channel_id: channel.channel_id,
        origin: Origin::Host,
        fee: channel.fee_ppm,
        base_fee: None,
        htlc_max: None,
        reason: "taken-back".to_owned(),
        factors: Vec::new(),
    }
}
