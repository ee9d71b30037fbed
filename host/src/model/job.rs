//! A rebalance on its way from a wish to sling, and what became of it.

use super::ledger::words;
use super::{ChannelId, Digest, Msat, PeerId, Ppm, Scid, SignedMsat, SteadyTime, StrategyName, UnixTime};
use std::fmt;

/// The number of a job; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Who wants a rebalance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOrigin {
    /// An evaluator.
    Evaluator {
        name: StrategyName,
        /// Its module; none where it is not known.
        digest: Option<Digest>,
        /// The caller of `revenue-rebalance` had it choose for one channel, and to go ahead as below.
        force: bool,
    },
    /// A person or program that called `revenue-rebalance`.
    Operator {
        /// The caller asked to go ahead whatever it is worth, and without a pause after earlier
        /// jobs.
        force: bool,
    },
}

impl JobOrigin {
    /// Whether pauses and expected gain don't count.
    pub fn is_forced(&self) -> bool {
        matches!(self, JobOrigin::Evaluator { force: true, .. } | JobOrigin::Operator { force: true })
    }
}

/// A wanted rebalance, before any limit has looked at it.
#[derive(Clone, Debug, PartialEq)]
pub struct RebalanceProposal {
    /// The channel to fill.
    pub to: ChannelId,
    /// The channels to take from, the best first.
    pub from: Vec<ChannelId>,
    /// What is to arrive.
    pub amount: Msat,
    /// The highest rate to pay for any part of it.
    pub max_fee: Ppm,
    pub origin: JobOrigin,
    /// Expected gain; absent when nobody evaluated it.
    pub value: Option<SignedMsat>,
    /// Expected cost of a success.
    pub cost: Option<Msat>,
    /// Chance of success, 0 to 1.
    pub success: Option<f64>,
    /// Why, in the evaluator's own word.
    pub reason: String,
    pub factors: Vec<(String, f64)>,
}

impl RebalanceProposal {
    /// What the amount is expected to be worth once it has arrived, before what the way there costs: what a
    /// success gains, and its cost. Absent where nobody told both.
    pub fn worth(&self) -> Option<SignedMsat> {
        let (value, cost) = (self.value?, i64::try_from(self.cost?.0).ok()?);
        let gain = match self.success {
            None => value.0,
            // `as` saturates.
            Some(success) if success > 0.0 => (value.0 as f64 / success.min(1.0)).round() as i64,
            Some(_) => return None,
        };
        gain.checked_add(cost).map(SignedMsat)
    }
}

/// A channel in a job, as the node and sling know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobEnd {
    pub channel_id: ChannelId,
    pub scid: Scid,
    pub peer_id: PeerId,
}

/// What sling is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub struct StartRebalance {
    pub to: JobEnd,
    /// Never empty.
    pub from: Vec<JobEnd>,
    /// What is to arrive: a multiple of `payment`.
    pub amount: Msat,
    /// One payment, whole satoshis.
    pub payment: Msat,
    /// Payments that can settle at most, sling alone: more than the amount takes, since sling
    /// does not count one that settles late, and sends another for it.
    pub most_payments: u64,
    /// HTLCs with which sling still used a channel when those were counted.
    pub most_htlcs: u64,
    /// The highest rate of each payment.
    pub max_fee: Ppm,
    pub max_hops: u32,
    /// A source keeps this share of its capacity, but need not keep more than `keep_most`.
    pub keep_share: f64,
    pub keep_most: Msat,
    /// Seconds after which the job is ended.
    pub time_limit_s: u64,
    pub origin: JobOrigin,
    /// Towards the fleet and at an expected loss: spends from the fleet's own budget too.
    pub fleet: bool,
    /// What the amount is expected to gain; absent when nobody evaluated it.
    pub value: Option<SignedMsat>,
    /// What it is expected to be worth once it has arrived, before what that costs.
    pub worth: Option<SignedMsat>,
}

impl StartRebalance {
    /// The most that the whole job can cost: the highest rate on every payment that can settle,
    /// rounded up.
    pub fn worst_cost(&self) -> Msat {
        self.most_fee(u128::from(self.payment.0) * u128::from(self.most_payments))
    }

    /// The most that it costs if every payment is counted: the highest rate on the amount, rounded up.
    pub fn planned_cost(&self) -> Msat {
        self.most_fee(u128::from(self.amount.0))
    }

    /// The highest rate on so many msat, rounded up.
    fn most_fee(&self, msat: u128) -> Msat {
        let fee = msat.saturating_mul(u128::from(self.max_fee.0)).div_ceil(1_000_000);
        Msat(u64::try_from(fee).unwrap_or(u64::MAX))
    }

    /// Whether more of its payments can settle than are counted, where sling uses channels with this many
    /// HTLCs.
    pub fn is_outgrown(&self, most_htlcs: u64) -> bool {
        most_htlcs > self.most_htlcs
    }

    /// Every channel that the job touches.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelId> {
        std::iter::once(&self.to).chain(&self.from).map(|end| &end.channel_id)
    }
}

words! {
    /// How far a job is. It only ever moves on; its reservation lasts until it is settled.
    JobState {
        /// The money is reserved; sling may or may not have heard of it.
        Reserved = "reserved",
        /// sling works on it.
        Running = "running",
        /// To be ended; sling has not confirmed that yet.
        Stopping = "stopping",
        /// sling has forgotten it; a payment of it may still be under way.
        Stopped = "stopped",
        /// What it cost is known to the msat, and the rest of its reservation is free.
        Settled = "settled",
    }
}

words! {
    /// What a settled job came to.
    JobOutcome {
        /// All of it arrived.
        Success = "success",
        /// Some of it arrived.
        Partial = "partial",
        /// Nothing arrived in time.
        Timeout = "timeout",
        /// sling refused it.
        Failed = "failed",
        /// Ended for a reason that says nothing about the channel, with nothing moved.
        Interrupted = "interrupted",
    }
}

words! {
    /// Why a job was ended.
    StopReason {
        /// All of it arrived.
        Done = "done",
        Deadline = "deadline",
        /// A payment took so long that sling would soon give up on it and send another.
        LatePayment = "late_payment",
        /// An option of sling's was changed, so that it may pay more than was reserved.
        OptionChanged = "sling_option_changed",
        /// sling refused it.
        Refused = "refused",
        /// sling never heard of it: it was away, the operator uses the channel with sling, or an option of
        /// sling's lets more settle than was reserved for.
        NotOffered = "not_offered",
        /// What sling said of it could not be written down.
        NotRecorded = "not_recorded",
        /// sling's answer was lost: it may work on it.
        NoAnswer = "no_answer",
        /// sling forgot it.
        SlingRestarted = "sling_restarted",
        /// It was under way when this plugin ended.
        Found = "found_after_restart",
    }
}

/// A job as the books know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub id: JobId,
    pub state: JobState,
    pub start: StartRebalance,
    pub reserved: Msat,
    pub reserved_at: UnixTime,
    /// The highest number of a payment that lightningd had told by then: none up to it is the job's.
    /// Absent where it told none.
    pub after_index: Option<u64>,
    pub started_at: Option<UnixTime>,
    /// When it is ended at the latest.
    pub deadline: UnixTime,
    pub stopped_at: Option<UnixTime>,
    pub stopped_steady: Option<SteadyTime>,
    pub settled_at: Option<UnixTime>,
    pub stop_reason: Option<StopReason>,
    /// What sling last said of it, or why it did not take it.
    pub word: Option<String>,
    pub outcome: Option<JobOutcome>,
    /// What its payments moved and cost, as far as they are known.
    pub moved: Msat,
    pub fee: Msat,
}

impl Job {
    /// The part of its reservation that it may still spend.
    pub fn held(&self) -> Msat {
        match self.state {
            JobState::Settled => Msat::ZERO,
            _ => self.reserved.saturating_sub(self.fee),
        }
    }

    /// What it gained, as far as that can be told: what arrived at the expected worth, less what was paid.
    /// Absent while it is not settled, where nothing arrived, and where nobody expected anything.
    pub fn gained(&self) -> Option<SignedMsat> {
        let worth =
            self.start.worth.filter(|_| self.state == JobState::Settled && self.moved > Msat::ZERO)?;
        let (arrived, paid) = (worth.part(self.moved, self.start.amount), i64::try_from(self.fee.0).ok()?);
        arrived.0.checked_sub(paid).map(SignedMsat)
    }

    /// What a job that ended so came to.
    pub fn judge(&self) -> JobOutcome {
        match self.stop_reason {
            _ if self.moved >= self.start.amount => JobOutcome::Success,
            _ if self.moved > Msat::ZERO => JobOutcome::Partial,
            Some(StopReason::Refused) => JobOutcome::Failed,
            Some(StopReason::Deadline | StopReason::LatePayment | StopReason::Done) => JobOutcome::Timeout,
            _ => JobOutcome::Interrupted,
        }
    }
}

/// What is known of earlier jobs towards a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Failures since the last success.
    pub failures: u32,
    pub last_failure: Option<UnixTime>,
    pub last_success: Option<UnixTime>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposal(value: i64, cost: Option<u64>, success: Option<f64>) -> RebalanceProposal {
        RebalanceProposal {
            to: ChannelId([1; 32]),
            from: vec![ChannelId([2; 32])],
            amount: Msat(1_000_000),
            max_fee: Ppm(500),
            origin: JobOrigin::Operator { force: false },
            value: Some(SignedMsat(value)),
            cost: cost.map(Msat),
            success,
            reason: String::new(),
            factors: Vec::new(),
        }
    }

    #[test]
    fn what_arrives_is_worth_the_gain_and_the_cost_of_a_success() {
        for (value, cost, success, worth) in [
            (1_900, Some(600), None, Some(2_500)),
            (950, Some(600), Some(0.5), Some(2_500)),
            (-700, Some(600), None, Some(-100)),
            (1_900, None, None, None),
            (0, Some(600), Some(0.0), None),
        ] {
            let told = proposal(value, cost, success).worth();
            assert_eq!(told, worth.map(SignedMsat), "{value} {cost:?} {success:?}");
        }
    }

    fn job(state: JobState, worth: Option<i64>, moved: u64, fee: u64) -> Job {
        let end = JobEnd {
            channel_id: ChannelId([1; 32]),
            scid: Scid { block: 1, transaction: 1, output: 0 },
            peer_id: PeerId([2; 33]),
        };
        Job {
            id: JobId(1),
            state,
            start: StartRebalance {
                to: end,
                from: vec![end],
                amount: Msat(1_000_000),
                payment: Msat(250_000),
                most_payments: 11,
                most_htlcs: 5,
                max_fee: Ppm(2_000),
                max_hops: 5,
                keep_share: 0.2,
                keep_most: Msat::ZERO,
                time_limit_s: 7_200,
                origin: JobOrigin::Operator { force: false },
                fleet: false,
                value: worth.map(|worth| SignedMsat(worth - 600)),
                worth: worth.map(SignedMsat),
            },
            reserved: Msat(5_500),
            reserved_at: UnixTime(1),
            after_index: None,
            started_at: None,
            deadline: UnixTime(7_201),
            stopped_at: None,
            stopped_steady: None,
            settled_at: None,
            stop_reason: None,
            word: None,
            outcome: None,
            moved: Msat(moved),
            fee: Msat(fee),
        }
    }

    #[test]
    fn a_job_gains_what_its_part_is_worth_less_what_was_paid() {
        use JobState::{Running, Settled};
        for (what, job, gained) in [
            ("all of it", job(Settled, Some(2_500), 1_000_000, 1_201), Some(1_299)),
            ("a quarter of it", job(Settled, Some(2_503), 250_000, 301), Some(324)),
            ("dearer than it is worth", job(Settled, Some(700), 500_000, 600), Some(-250)),
            ("more than was wanted", job(Settled, Some(1_000), 1_250_000, 250), Some(1_000)),
            ("nothing arrived", job(Settled, Some(2_500), 0, 0), None),
            ("nobody expected anything", job(Settled, None, 1_000_000, 100), None),
            ("not settled", job(Running, Some(2_500), 250_000, 100), None),
        ] {
            assert_eq!(job.gained(), gained.map(SignedMsat), "{what}");
        }
    }

    #[test]
    fn a_job_pays_its_rate_on_the_amount_and_at_worst_on_every_payment() {
        let start = job(JobState::Reserved, None, 0, 0).start;
        assert_eq!((start.planned_cost(), start.worst_cost()), (Msat(2_000), Msat(5_500)));
    }
}
