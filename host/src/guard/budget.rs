//! What rebalances may cost: the law that spent plus reserved never exceeds the budget.
//!
//! [`reserve`] is the only way to a [`Reserved`], and sling is given nothing else. It judges by
//! what the books hold at that moment and writes the reservation in the same breath, so the
//! books' transaction is what keeps callers at the same time apart.
//!
//! A budget that shrinks later, as earnings leave their 24 hours, takes nothing back: it keeps
//! new jobs away until there is room again.

use super::Approved;
use crate::config::Config;
use crate::model::job::{JobId, StartRebalance};
use crate::model::refusal::{End, Holder, RebalanceRefusal as Refusal, Room};
use crate::model::{ChannelId, Moment, Msat, PeerId, UnixTime};

/// The span over which costs count, seconds.
pub const WINDOW_S: u64 = UnixTime::DAY;

/// Proof that a job's worst case is in the books. Only this module makes one.
#[derive(Debug, PartialEq)]
pub struct Reserved {
    job: JobId,
    start: StartRebalance,
}

impl Reserved {
    /// The job that holds the reservation.
    pub fn job(&self) -> JobId {
        self.job
    }

    /// What sling may be asked to do.
    pub fn start(&self) -> &StartRebalance {
        &self.start
    }
}

/// What rebalances of this plugin cost within the window, by the channel they filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    pub to: ChannelId,
    pub peer_id: PeerId,
    pub fleet: bool,
    pub fee: Msat,
}

/// What a job that is not settled may yet cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub holder: Holder,
    pub to: ChannelId,
    pub peer_id: PeerId,
    pub fleet: bool,
    /// Every channel that it touches.
    pub channels: Vec<ChannelId>,
    pub left: Msat,
}

impl Held {
    /// What a job will hold as soon as it is in the books.
    pub fn by(start: &StartRebalance, holder: Holder) -> Held {
        Held {
            holder,
            to: start.to.channel_id,
            peer_id: start.to.peer_id,
            fleet: start.fleet,
            channels: start.channels().copied().collect(),
            left: start.worst_cost(),
        }
    }
}

/// The books at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// Fees that the node earned in the window.
    pub earned: Msat,
    pub spent: Vec<Spent>,
    pub held: Vec<Held>,
}

/// Where reservations are kept.
pub trait Books {
    type Error;

    /// The books as they are now, costs and earnings of the [`WINDOW_S`] until then.
    ///
    /// # Errors
    /// When they cannot be read: nothing may be spent then.
    fn ledger(&self, at: Moment) -> Result<Ledger, Self::Error>;

    /// Writes the job with its reservation.
    ///
    /// # Errors
    /// When it cannot be written: there is no job then.
    fn open(&mut self, start: &StartRebalance, at: UnixTime) -> Result<JobId, Self::Error>;
}

/// Reserves the worst case of a whole job, unless a limit forbids it.
///
/// # Errors
/// Those of the books. Nothing is reserved then.
pub fn reserve<B: Books>(
    books: &mut B,
    approved: Approved<StartRebalance>,
    config: &Config,
    at: Moment,
) -> Result<Result<Reserved, Refusal>, B::Error> {
    let ledger = books.ledger(at)?;
    let start = approved.0;
    if let Err(refusal) = fits(&start, config, &ledger) {
        return Ok(Err(refusal));
    }
    let job = books.open(&start, at.now)?;
    Ok(Ok(Reserved { job, start }))
}

/// The most that rebalances may cost in the window: the fixed budget, or the share of what was
/// earned when that is more.
pub fn budget(config: &Config, earned: Msat) -> Msat {
    let fixed = Msat::from_sats(config.daily_budget_sats);
    match config.enable_proportional_budget {
        true => fixed.max(share(earned, config.proportional_budget_pct)),
        false => fixed,
    }
}

/// A share, exact to a millionth, rounded down.
fn share(amount: Msat, share: f64) -> Msat {
    // `as` saturates, and turns NaN into zero.
    let millionths = (share.clamp(0.0, 1.0) * 1e6).round() as u128;
    Msat(u64::try_from(u128::from(amount.0) * millionths / 1_000_000).unwrap_or(u64::MAX))
}

/// One limit on cost, and what counts against it.
struct Purse {
    limit: Msat,
    counts_spent: fn(&Spent, &StartRebalance) -> bool,
    counts_held: fn(&Held, &StartRebalance) -> bool,
    applies: fn(&StartRebalance) -> bool,
    refuse: fn(Room) -> Refusal,
}

/// The limits on cost; the budget itself comes first.
fn purses(config: &Config, earned: Msat) -> [Purse; 4] {
    let budget = budget(config, earned);
    [
        Purse {
            limit: budget,
            counts_spent: |_, _| true,
            counts_held: |_, _| true,
            applies: |_| true,
            refuse: Refusal::Budget,
        },
        Purse {
            limit: Msat::from_sats(config.hive_rebalance_budget_sats).min(budget),
            counts_spent: |spent, _| spent.fleet,
            counts_held: |held, _| held.fleet,
            applies: |start| start.fleet,
            refuse: Refusal::FleetBudget,
        },
        Purse {
            limit: share(budget, config.rebalance_channel_share),
            counts_spent: |spent, start| spent.to == start.to.channel_id,
            counts_held: |held, start| held.to == start.to.channel_id,
            applies: |_| true,
            refuse: Refusal::ChannelBudget,
        },
        Purse {
            limit: share(budget, config.rebalance_peer_share),
            counts_spent: |spent, start| spent.peer_id == start.to.peer_id,
            counts_held: |held, start| held.peer_id == start.to.peer_id,
            applies: |_| true,
            refuse: Refusal::PeerBudget,
        },
    ]
}

/// Whether a job fits into what the books leave: slots, channels, and every limit on cost.
///
/// # Errors
/// The first limit that it does not keep.
pub fn fits(start: &StartRebalance, config: &Config, ledger: &Ledger) -> Result<(), Refusal> {
    let running = ledger.held.len();
    if running as u64 >= config.max_concurrent_jobs {
        return Err(Refusal::Slots { running, most: config.max_concurrent_jobs });
    }
    for (channel, is_to) in start.channels().zip(std::iter::once(true).chain(std::iter::repeat(false))) {
        if let Some(held) = ledger.held.iter().find(|held| held.channels.contains(channel)) {
            let name = name_in(start, channel);
            let end = if is_to { End::To(name) } else { End::From(name) };
            return Err(Refusal::Busy { end, holder: held.holder });
        }
    }
    let needed = start.worst_cost();
    for purse in purses(config, ledger.earned).iter().filter(|purse| (purse.applies)(start)) {
        let room = room(purse, start, ledger, needed);
        if taken(&room).is_none_or(|taken| taken > room.limit.0) {
            return Err((purse.refuse)(room));
        }
    }
    Ok(())
}

/// What filling this channel may still cost, whatever is refused besides.
pub fn room_for(channel: &ChannelId, peer_id: &PeerId, config: &Config, ledger: &Ledger) -> Msat {
    let budget = budget(config, ledger.earned);
    let left = |limit: Msat, counts: &dyn Fn(&ChannelId, &PeerId) -> bool| {
        let spent: Msat =
            ledger.spent.iter().filter(|one| counts(&one.to, &one.peer_id)).map(|s| s.fee).sum();
        let held: Msat = ledger.held.iter().filter(|one| counts(&one.to, &one.peer_id)).map(|h| h.left).sum();
        limit.saturating_sub(spent + held)
    };
    left(budget, &|_, _| true)
        .min(left(share(budget, config.rebalance_channel_share), &|to, _| to == channel))
        .min(left(share(budget, config.rebalance_peer_share), &|_, peer| peer == peer_id))
}

/// The whole budget and what is taken of it, for answers and evaluators.
pub fn overall(config: &Config, ledger: &Ledger) -> Room {
    Room {
        limit: budget(config, ledger.earned),
        spent: ledger.spent.iter().map(|spent| spent.fee).sum(),
        reserved: ledger.held.iter().map(|held| held.left).sum(),
        planned: Msat::ZERO,
        needed: Msat::ZERO,
    }
}

impl Room {
    /// What may still be spent.
    pub fn left(&self) -> Msat {
        self.limit.saturating_sub(self.spent).saturating_sub(self.reserved)
    }
}

fn room(purse: &Purse, start: &StartRebalance, ledger: &Ledger, needed: Msat) -> Room {
    let spent = ledger.spent.iter().filter(|one| (purse.counts_spent)(one, start));
    let held = ledger.held.iter().filter(|one| (purse.counts_held)(one, start));
    Room {
        limit: purse.limit,
        spent: spent.map(|one| one.fee).sum(),
        reserved: held.map(|one| one.left).sum(),
        planned: start.planned_cost(),
        needed,
    }
}

/// None when the sum leaves the range, which no limit allows.
fn taken(room: &Room) -> Option<u64> {
    room.spent.0.checked_add(room.reserved.0)?.checked_add(room.needed.0)
}

fn name_in(start: &StartRebalance, channel: &ChannelId) -> String {
    let mut ends = std::iter::once(&start.to).chain(&start.from);
    ends.find(|end| end.channel_id == *channel)
        .map_or_else(|| channel.to_string(), |end| end.scid.to_string())
}

#[cfg(test)]
mod tests;
