//! Where capacity earns and where it lies idle: advice on splicing and closing, in words and with
//! the figures behind it.

use super::classify::Class;
use super::pnl::{Pnl, Traffic};
use crate::model::{ChannelId, Msat, PeerId};

/// Winners: marginal return, amount forwarded per day as a share of the capacity, and how much of it
/// goes one way.
const WINNER_RETURN: f64 = 0.2;
const WINNER_TURNOVER: f64 = 0.5;
const WINNER_DIRECTION: f64 = 0.8;
/// Losers that lost what they cost: age in days, and the return from which on one is enough.
const FIRE_SALE_DAYS: u64 = 90;
const FIRE_SALE_RETURN: f64 = -0.5;
/// Losers that stand still: our share of the capacity, turnover per day, marginal return.
const IDLE_SHARE: (f64, f64) = (0.4, 0.6);
const IDLE_TURNOVER: f64 = 0.0015;
const IDLE_RETURN: f64 = 0.1;
/// Purchases of liquidity in the last days that must have been tried before a close is advised.
const TRIES: u32 = 2;
/// Days that [`Candidate::recent_purchases`] looks back on.
pub const TRIES_DAYS: u64 = 14;
/// Above this, transactions wait: sat per vbyte.
const BUSY_SAT_PER_VB: f64 = 100.0;
/// Size that a closing transaction is assumed to have, vbytes.
const CLOSE_VBYTES: u64 = 200;
/// What a close is assumed to cost while no feerate is known.
const UNPRICED_CLOSE: Msat = Msat::from_sats(3_000);

/// An open channel.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub channel_id: ChannelId,
    /// The name to show.
    pub name: String,
    pub peer_id: PeerId,
    pub capacity: Msat,
    pub local: Msat,
    pub age_days: u64,
    pub class: Class,
    /// Over its whole life.
    pub pnl: Pnl,
    /// Forwards of the last days.
    pub recent: Traffic,
    pub recent_days: u32,
    /// Purchases of liquidity in the last [`TRIES_DAYS`].
    pub recent_purchases: u32,
    /// Whether the peer offers splices; `None`: it was not told.
    pub peer_splices: Option<bool>,
}

impl Candidate {
    /// Amount forwarded per day in both directions, as a share of the capacity.
    pub fn turnover(&self) -> f64 {
        self.recent.volume().share_of(self.capacity) / f64::from(self.recent_days.max(1))
    }

    fn is_winner(&self) -> bool {
        self.pnl.marginal_roi() > WINNER_RETURN
            && self.turnover() > WINNER_TURNOVER
            && self.recent.direction().abs() > WINNER_DIRECTION
    }

    fn loss(&self, grace_days: u64) -> Option<Loss> {
        let roi = self.pnl.contribution_roi();
        // A silent channel that lost as much is no better than a busy one.
        let losing = matches!(self.class, Class::Underwater | Class::StagnantCandidate);
        let sunk = self.class == Class::Zombie || losing && roi < FIRE_SALE_RETURN;
        let share = self.local.share_of(self.capacity);
        if sunk && self.age_days > FIRE_SALE_DAYS {
            Some(Loss::FireSale)
        } else if (IDLE_SHARE.0..=IDLE_SHARE.1).contains(&share)
            && self.age_days >= grace_days
            && self.turnover() < IDLE_TURNOVER
            && self.pnl.marginal_roi() < IDLE_RETURN
        {
            Some(Loss::Stagnant)
        } else {
            None
        }
    }
}

/// Why a channel is a loser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    FireSale,
    Stagnant,
}

/// What to do with a loser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Buy liquidity for it, and see whether it sells.
    Defibrillate,
    Close,
}

impl Action {
    /// The word used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Action::Defibrillate => "DEFIBRILLATE",
            Action::Close => "CLOSE",
        }
    }
}

/// A channel that does not pay for its capacity.
#[derive(Clone, Copy, Debug)]
pub struct Loser<'a> {
    pub channel: &'a Candidate,
    pub loss: Loss,
    pub action: Action,
}

impl Loser<'_> {
    /// The reason, in the words of answers.
    pub fn reason(&self) -> &'static str {
        match (self.loss, self.action) {
            (Loss::FireSale, Action::Close) => "FIRE SALE (LOST WHAT IT COST)",
            (Loss::FireSale, Action::Defibrillate) => "FIRE SALE (NEEDS DEFIBRILLATOR)",
            (Loss::Stagnant, Action::Close) => "STAGNANT (DEFIBRILLATOR FAILED)",
            (Loss::Stagnant, Action::Defibrillate) => "STAGNANT (NEEDS DEFIBRILLATOR)",
        }
    }
}

/// Whether it is a time for transactions, from the feerate in sat per 1000 vbytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mempool {
    perkb: Option<u32>,
}

impl Mempool {
    /// At this feerate; `None` when it is not known.
    pub const fn at(perkb: Option<u32>) -> Mempool {
        Mempool { perkb }
    }

    /// Satoshi per vbyte.
    pub fn sat_per_vb(self) -> Option<f64> {
        self.perkb.map(|perkb| f64::from(perkb) / 1000.0)
    }

    /// The feerate, when transactions had better wait.
    fn busy(self) -> Option<f64> {
        self.sat_per_vb().filter(|rate| *rate > BUSY_SAT_PER_VB)
    }

    /// What to do about transactions, in words.
    pub fn recommendation(self) -> String {
        match (self.busy(), self.sat_per_vb()) {
            (Some(rate), _) => {
                format!(
                    "HOLD: {rate:.1} sat/vB; wait until it is {BUSY_SAT_PER_VB:.0} or less before you splice or close"
                )
            }
            (None, Some(rate)) => format!("PROCEED: {rate:.1} sat/vB; splices and closes are affordable"),
            (None, None) => {
                "UNKNOWN: the node has told no feerate; look at the mempool before you splice or close"
                    .to_owned()
            }
        }
    }

    /// What a mutual close costs at this feerate, for a transaction of 200 vbytes, and whether the
    /// feerate is known.
    pub fn close_cost(self) -> (Msat, bool) {
        // Satoshi per 1000 vbytes are msat per vbyte.
        let priced = self.perkb.map(|perkb| Msat(u64::from(perkb) * CLOSE_VBYTES));
        (priced.unwrap_or(UNPRICED_CLOSE), priced.is_some())
    }
}

/// All that is advised.
#[derive(Clone, Debug)]
pub struct Advice<'a> {
    pub mempool: Mempool,
    /// The highest return first.
    pub winners: Vec<&'a Candidate>,
    /// The largest capacity first.
    pub losers: Vec<Loser<'a>>,
    pub recommendations: Vec<String>,
}

/// Judges the open channels. A channel younger than `grace_days` is never called stagnant.
pub fn advise(channels: &[Candidate], perkb: Option<u32>, grace_days: u64) -> Advice<'_> {
    let mempool = Mempool::at(perkb);
    let mut winners: Vec<&Candidate> = channels.iter().filter(|channel| channel.is_winner()).collect();
    winners.sort_by(|a, b| {
        let by_return = b.pnl.contribution_roi().total_cmp(&a.pnl.contribution_roi());
        by_return.then(a.channel_id.cmp(&b.channel_id))
    });
    let mut losers: Vec<Loser<'_>> = channels
        .iter()
        .filter_map(|channel| {
            let loss = channel.loss(grace_days)?;
            let tried = channel.recent_purchases >= TRIES || channel.class == Class::Zombie;
            let action = if tried { Action::Close } else { Action::Defibrillate };
            Some(Loser { channel, loss, action })
        })
        .collect();
    losers.sort_by_key(|loser| (std::cmp::Reverse(loser.channel.capacity), loser.channel.channel_id));
    let recommendations = recommend(&winners, &losers, mempool);
    Advice { mempool, winners, losers, recommendations }
}

/// Each loser to be closed pays for one winner; whoever is left over gets advice of its own.
fn recommend(winners: &[&Candidate], losers: &[Loser<'_>], mempool: Mempool) -> Vec<String> {
    let (to_close, to_revive): (Vec<&Loser<'_>>, Vec<_>) =
        losers.iter().partition(|loser| loser.action == Action::Close);
    let when = mempool.busy().map_or_else(String::new, |rate| {
        format!("Once the feerate is {BUSY_SAT_PER_VB:.0} sat/vB or less (now {rate:.1}): ")
    });
    let pairs = to_close.len().max(winners.len());
    let on_chain = (0..pairs).filter_map(|n| match (to_close.get(n), winners.get(n)) {
        (Some(loser), Some(winner)) => Some(format!(
            "{when}close {} and move its {} sat to {}. {}; {}.",
            loser.channel.name,
            loser.channel.local.sats(),
            enlarge(winner),
            losing(loser, mempool),
            winning(winner)
        )),
        (Some(loser), None) => {
            Some(format!("{when}close {}. {}.", loser.channel.name, losing(loser, mempool)))
        }
        (None, Some(winner)) => Some(format!("{when}add funds to {}. {}.", enlarge(winner), winning(winner))),
        (None, None) => None,
    });
    let revive = to_revive.iter().map(|loser| {
        format!(
            "try to sell what {} has before you close it: buy liquidity for it, or lower its fee. {}.",
            loser.channel.name,
            losing(loser, mempool)
        )
    });
    on_chain.chain(revive).map(capitalized).collect()
}

fn enlarge(winner: &Candidate) -> String {
    let name = &winner.name;
    if winner.recent.direction() < 0.0 {
        return format!("where {name}'s peer can be paid for more inbound capacity");
    }
    match winner.peer_splices {
        Some(true) => format!("{name} by a splice"),
        Some(false) => format!("another channel with the peer of {name}, which offers no splices"),
        None => format!("{name} by a splice, if its peer offers that, or another channel with it"),
    }
}

fn winning(winner: &Candidate) -> String {
    let direction = if winner.recent.direction() > 0.0 { "outgoing" } else { "incoming" };
    format!(
        "{} turned over {:.0} % of its {} sat a day in {} days, {:.0} % of it {direction}, and its marginal ROI is {:.0} %",
        winner.name,
        100.0 * winner.turnover(),
        winner.capacity.sats(),
        winner.recent_days,
        50.0 + 50.0 * winner.recent.direction().abs(),
        100.0 * winner.pnl.marginal_roi()
    )
}

fn losing(loser: &Loser<'_>, mempool: Mempool) -> String {
    let channel = loser.channel;
    let (close, priced) = mempool.close_cost();
    let basis = if priced { "at the present feerate" } else { "assumed, for no feerate is known" };
    format!(
        "In {} days it earned {} and brought in {} sat, cost {} sat (ROI {:.0} %), and turned over {:.2} % of its {} \
         sat a day lately; a mutual close would cost about {} sat ({basis})",
        channel.age_days,
        channel.pnl.traffic.earned.sats(),
        channel.pnl.traffic.sourced.sats(),
        channel.pnl.costs.total().sats(),
        100.0 * channel.pnl.contribution_roi(),
        100.0 * channel.turnover(),
        channel.capacity.sats(),
        close.sats()
    )
}

fn capitalized(sentence: String) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests;
