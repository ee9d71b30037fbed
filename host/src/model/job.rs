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
    pub value: Option<SignedMsat>,
}

impl StartRebalance {
    /// The most that the whole job can cost: the highest rate on every payment that can settle,
    /// rounded up.
    pub fn worst_cost(&self) -> Msat {
        let most = u128::from(self.payment.0) * u128::from(self.most_payments);
        let cost = most.saturating_mul(u128::from(self.max_fee.0)).div_ceil(1_000_000);
        Msat(u64::try_from(cost).unwrap_or(u64::MAX))
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
        /// sling never heard of it: it was away, or the operator uses the channel with sling.
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
