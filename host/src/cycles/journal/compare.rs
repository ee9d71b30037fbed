//! Two answers to the same call: the same, or where they differ.

use crate::engine::{FaultKind, Repeats, repeats};
use crate::model::rebalance::RebalanceDecision;
use crate::model::strategy::StrategyDecision;
use crate::model::{Answer, CycleKind, States};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One thing that is not as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The channel's row in the input; none where it is about the whole answer.
    pub row: Option<usize>,
    pub field: String,
    /// Null where there was, or is, none.
    pub then: Value,
    pub now: Value,
}

/// What a second call says of the first.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// Bit for bit, fuel included.
    Identical,
    /// At least one difference.
    Differs(Vec<Difference>),
    /// One of them ended by time, by the machine's stack or by a process that died, which says nothing
    /// of the other.
    Unknown(String),
}

/// Compares what a call came to with what it comes to now.
pub fn compare(kind: CycleKind, then: &Answer, now: &Answer) -> Judgement {
    if then == now && repeats_of(then) != Repeats::Never {
        return Judgement::Identical;
    }
    for (answer, when) in [(then, "of then"), (now, "of now")] {
        if let (Answer::Failed { code, .. }, Repeats::Never | Repeats::Here) = (answer, repeats_of(answer)) {
            return Judgement::Unknown(beyond_the_call(code, when));
        }
    }
    Judgement::Differs(differences(&facts(kind, then), &facts(kind, now), (then, now)))
}

/// What else than the module and what it was told ended a call by a fault of this code.
fn beyond_the_call(code: &str, when: &str) -> String {
    let what = match FaultKind::of_code(code) {
        Some(FaultKind::NoWorker) => "was not made: there was no process to make it in",
        Some(FaultKind::WorkerDied) => "has no answer: the process that ran it died",
        Some(FaultKind::Deadline) => "ran out of time, of which a machine may take more or less",
        Some(FaultKind::Stack) => "used up its stack, of which a machine's code may take more or less",
        _ => "ended in a way that depends on more than the module and what it was told",
    };
    format!("the call {when} {what} ({code})")
}

fn repeats_of(answer: &Answer) -> Repeats {
    match answer {
        Answer::Decided { .. } => Repeats::Exactly,
        Answer::Failed { code, .. } => repeats(code),
    }
}

/// Everything that an answer says, by row and field.
type Facts = BTreeMap<(Option<usize>, String), Value>;

fn differences(then: &Facts, now: &Facts, (old, new): (&Answer, &Answer)) -> Vec<Difference> {
    let gone = then.iter().filter(|(key, value)| now.get(key) != Some(value));
    let come = now.iter().filter(|(key, _)| !then.contains_key(key));
    let one = |key: &(Option<usize>, String)| {
        let of = |facts: &Facts| facts.get(key).cloned().unwrap_or(Value::Null);
        Difference { row: key.0, field: key.1.clone(), then: of(then), now: of(now) }
    };
    let mut found: Vec<Difference> = gone.chain(come).map(|(key, _)| one(key)).collect();
    found.sort_by(|one, other| (one.row, &one.field).cmp(&(other.row, &other.field)));
    if found.is_empty() {
        // Said the same in other bytes, such as a negative zero.
        let digest = |answer: &Answer| json!(answer.digest().map(|digest| digest.to_string()));
        found.push(Difference { row: None, field: "sha256".to_owned(), then: digest(old), now: digest(new) });
    }
    found
}

fn facts(kind: CycleKind, answer: &Answer) -> Facts {
    let mut facts = Facts::new();
    facts.insert((None, "fuel".to_owned()), json!(answer.fuel()));
    match (kind, answer) {
        (_, Answer::Failed { code, .. }) => {
            facts.insert((None, "fault".to_owned()), json!(code));
        }
        (CycleKind::Fee, Answer::Decided { decision, .. }) => match postcard::from_bytes(decision) {
            Ok(decision) => fees(&decision, &mut facts),
            Err(error) => unreadable(&error, &mut facts),
        },
        (CycleKind::Rebalance, Answer::Decided { decision, .. }) => match postcard::from_bytes(decision) {
            Ok(decision) => rebalances(&decision, &mut facts),
            Err(error) => unreadable(&error, &mut facts),
        },
    }
    facts
}

fn unreadable(error: &postcard::Error, facts: &mut Facts) {
    facts.insert((None, "decision".to_owned()), json!(format!("cannot be read: {error}")));
}

fn fees(decision: &StrategyDecision, facts: &mut Facts) {
    for proposal in &decision.proposals {
        let mut fact = |field: &str, value: Value| {
            facts.insert((Some(proposal.row), field.to_owned()), value);
        };
        fact("fee_ppm", json!(proposal.fee.0));
        fact("reason", json!(proposal.reason));
        if let Some(fee) = proposal.base_fee {
            fact("base_fee_msat", json!(fee.0));
        }
        if let Some(most) = proposal.htlc_max {
            fact("htlc_max_msat", json!(most.0));
        }
        factors(proposal.row, &proposal.factors, facts);
    }
    states(&decision.states, &decision.node_state, facts);
}

fn rebalances(decision: &RebalanceDecision, facts: &mut Facts) {
    for (place, proposal) in decision.proposals.iter().enumerate() {
        let mut fact = |field: &str, value: Value| {
            facts.insert((Some(proposal.to), field.to_owned()), value);
        };
        fact("place", json!(place));
        fact("from", json!(proposal.from));
        fact("amount_msat", json!(proposal.amount.0));
        fact("max_ppm", json!(proposal.max_fee.0));
        fact("value_msat", json!(proposal.value.0));
        fact("cost_msat", json!(proposal.cost.0));
        fact("success", json!(proposal.success));
        fact("reason", json!(proposal.reason));
        factors(proposal.to, &proposal.factors, facts);
    }
    for left in &decision.not_filled {
        facts.insert((Some(left.row), "not_filled".to_owned()), json!(left.reason));
        factors(left.row, &left.factors, facts);
    }
    states(&decision.states, &decision.node_state, facts);
}

fn factors(row: usize, factors: &[(String, f64)], facts: &mut Facts) {
    for (name, value) in factors {
        facts.insert((Some(row), format!("factor {name}")), json!(value));
    }
}

fn states(rows: &States, node: &[u8], facts: &mut Facts) {
    let hex = |bytes: &[u8]| json!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    for (row, state) in rows.iter().enumerate() {
        facts.insert((Some(row), "state".to_owned()), hex(state));
    }
    facts.insert((None, "node_state".to_owned()), hex(node));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::strategy::StrategyProposal;
    use crate::model::{Msat, Ppm};

    fn decision() -> StrategyDecision {
        let proposal = |row, fee| StrategyProposal {
            row,
            fee: Ppm(fee),
            base_fee: None,
            htlc_max: Some(Msat(7)),
            reason: "scarcity".to_owned(),
            factors: vec![("share".to_owned(), 0.5)],
        };
        StrategyDecision {
            proposals: vec![proposal(0, 100), proposal(2, 300)],
            states: [&[1][..], &[], &[3]].into_iter().collect(),
            node_state: vec![9],
            fuel: 1_000,
        }
    }

    fn answer(decision: &StrategyDecision) -> Answer {
        let bytes = postcard::to_allocvec(decision).expect("plain data");
        Answer::Decided { fuel: decision.fuel, decision: bytes }
    }

    fn failed(code: &str, fuel: u64) -> Answer {
        Answer::Failed { fuel: Some(fuel), code: code.to_owned() }
    }

    /// Row, field, then and now of each difference.
    fn found(then: &Answer, now: &Answer) -> Vec<(Option<usize>, String, Value, Value)> {
        match compare(CycleKind::Fee, then, now) {
            Judgement::Differs(found) => {
                found.into_iter().map(|one| (one.row, one.field, one.then, one.now)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_field_is_told_by_itself() {
        type Change = fn(&mut StrategyDecision);
        let cases: [(Change, Option<usize>, &str, Value, Value); 6] = [
            (|d| d.proposals[1].fee = Ppm(301), Some(2), "fee_ppm", json!(300), json!(301)),
            (|d| d.proposals[0].htlc_max = None, Some(0), "htlc_max_msat", json!(7), Value::Null),
            (|d| d.proposals[0].factors[0].1 = 0.25, Some(0), "factor share", json!(0.5), json!(0.25)),
            (
                |d| d.states = [&[1][..], &[0xab], &[3]].into_iter().collect(),
                Some(1),
                "state",
                json!(""),
                json!("ab"),
            ),
            (|d| d.node_state.clear(), None, "node_state", json!("09"), json!("")),
            (|d| d.fuel = 1_001, None, "fuel", json!(1_000), json!(1_001)),
        ];
        for (change, row, field, then, now) in cases {
            let mut changed = decision();
            change(&mut changed);
            let expect = vec![(row, field.to_owned(), then, now)];
            assert_eq!(found(&answer(&decision()), &answer(&changed)), expect);
        }
        let mut less = decision();
        less.proposals.pop();
        let fields: Vec<_> =
            found(&answer(&decision()), &answer(&less)).into_iter().map(|one| one.1).collect();
        assert_eq!(fields, ["factor share", "fee_ppm", "htlc_max_msat", "reason"]);
    }

    #[test]
    fn what_prints_alike_still_differs() {
        let (mut plus, mut minus) = (decision(), decision());
        plus.proposals[0].factors[0].1 = 0.0;
        minus.proposals[0].factors[0].1 = -0.0;
        assert_ne!(compare(CycleKind::Fee, &answer(&plus), &answer(&minus)), Judgement::Identical);
    }

    #[test]
    fn faults_are_judged_by_what_they_depend_on() {
        let judge = |then: &Answer, now: &Answer| compare(CycleKind::Fee, then, now);
        let made = answer(&decision());
        assert_eq!(judge(&made, &made), Judgement::Identical);
        assert_eq!(judge(&failed("trap", 5), &failed("trap", 5)), Judgement::Identical);
        assert_eq!(
            found(&failed("trap", 5), &failed("trap", 6)),
            [(None, "fuel".to_owned(), json!(5), json!(6))]
        );
        let codes = found(&failed("trap", 5), &failed("bad_output", 5));
        assert_eq!(codes, [(None, "fault".to_owned(), json!("trap"), json!("bad_output"))]);
        assert_eq!(judge(&failed("stack", 5), &failed("stack", 5)), Judgement::Identical);
        for other in [failed("stack", 6), failed("trap", 9), made.clone()] {
            assert!(matches!(judge(&failed("stack", 5), &other), Judgement::Unknown(_)), "{other:?}");
        }
        for (code, what) in [
            ("deadline", "ran out of time"),
            ("worker_died", "has no answer: the process that ran it died"),
            ("no_worker", "was not made: there was no process to make it in"),
            ("of another version", "ended in a way that depends on more"),
        ] {
            for (then, now, when) in [
                (failed(code, 5), failed(code, 5), "then"),
                (failed(code, 5), made.clone(), "then"),
                (made.clone(), failed(code, 5), "now"),
            ] {
                let Judgement::Unknown(why) = judge(&then, &now) else { panic!("{code}") };
                assert!(why.starts_with(&format!("the call of {when} {what}")), "{why}");
                assert!(why.ends_with(&format!("({code})")), "{why}");
            }
        }
    }
}
