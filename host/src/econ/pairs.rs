//! Which channels a payment to ourselves went through, from the movements that carry its hash.

use crate::model::ChannelId;
use crate::model::ledger::{PaymentSide, Rebalance, Way};

/// Where a part left and where it came in, as far as that is certain.
pub type Pair = (Option<ChannelId>, Option<ChannelId>);

/// Finds the channels of all parts of one payment. A part leaves with its fee, under its own number;
/// it comes in without the fee and without a number, so that parts of like amounts are told apart by
/// their order alone, which is as good as any.
pub fn pair(parts: &[Rebalance], sides: &[PaymentSide]) -> Vec<Pair> {
    parts
        .iter()
        .enumerate()
        .map(|(at, part)| (out_channel(parts, at, part, sides), in_channel(parts, at, part, sides)))
        .collect()
}

fn out_channel(parts: &[Rebalance], at: usize, part: &Rebalance, sides: &[PaymentSide]) -> Option<ChannelId> {
    let sent = part.amount + part.fee;
    let like = |side: &&PaymentSide| side.way == Way::Out && side.amount == sent;
    let numbered: Vec<ChannelId> = sides
        .iter()
        .filter(like)
        .filter(|side| side.partid == part.partid)
        .map(|side| side.channel_id)
        .collect();
    if let Some(found) = choose(numbered, 0, 1) {
        return Some(found);
    }
    let is_like = |other: &Rebalance| other.amount + other.fee == sent;
    choose(
        sides.iter().filter(like).map(|side| side.channel_id).collect(),
        rank(parts, at, is_like),
        count(parts, is_like),
    )
}

fn in_channel(parts: &[Rebalance], at: usize, part: &Rebalance, sides: &[PaymentSide]) -> Option<ChannelId> {
    let like = |side: &&PaymentSide| side.way == Way::In && side.amount == part.amount;
    let is_like = |other: &Rebalance| other.amount == part.amount;
    choose(
        sides.iter().filter(like).map(|side| side.channel_id).collect(),
        rank(parts, at, is_like),
        count(parts, is_like),
    )
}

fn rank(parts: &[Rebalance], at: usize, is_like: impl Fn(&Rebalance) -> bool) -> usize {
    parts[..at].iter().filter(|part| is_like(part)).count()
}

fn count(parts: &[Rebalance], is_like: impl Fn(&Rebalance) -> bool) -> usize {
    parts.iter().filter(|part| is_like(part)).count()
}

/// The only channel there is, or the one at `rank` when there are as many as parts; more would mean
/// failed attempts among them.
fn choose(mut found: Vec<ChannelId>, rank: usize, parts: usize) -> Option<ChannelId> {
    found.sort_unstable();
    let first = found.first().copied()?;
    if found.iter().all(|channel| *channel == first) {
        return Some(first);
    }
    if found.len() == parts { found.get(rank).copied() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Msat, UnixTime};

    fn part(partid: u64, amount: u64, fee: u64) -> Rebalance {
        Rebalance {
            payment_hash: [0; 32],
            groupid: 1,
            partid,
            amount: Msat(amount),
            fee: Msat(fee),
            completed_at: UnixTime(0),
            created_index: None,
            out_channel: None,
            in_channel: None,
            job_id: None,
        }
    }

    fn side(way: Way, channel: u8, partid: u64, amount: u64) -> PaymentSide {
        let (payment_hash, channel_id) = ([0; 32], ChannelId([channel; 32]));
        PaymentSide { payment_hash, channel_id, way, groupid: 0, partid, amount: Msat(amount) }
    }

    #[test]
    fn channels_are_found_as_far_as_they_are_certain() {
        use Way::{In, Out};
        for (what, parts, sides, expected) in [
            (
                "one part",
                vec![part(0, 100, 3)],
                vec![side(Out, 1, 0, 103), side(In, 2, 0, 100)],
                vec![(1, 2)],
            ),
            ("nothing told", vec![part(0, 100, 3)], vec![], vec![(0, 0)]),
            ("one side told", vec![part(0, 100, 3)], vec![side(In, 2, 0, 100)], vec![(0, 2)]),
            ("another amount", vec![part(0, 100, 3)], vec![side(Out, 1, 0, 104)], vec![(0, 0)]),
            (
                "parts by number and amount",
                vec![part(1, 100, 3), part(2, 60, 1)],
                vec![side(In, 8, 0, 60), side(In, 9, 0, 100), side(Out, 5, 2, 61), side(Out, 4, 1, 103)],
                vec![(4, 9), (5, 8)],
            ),
            (
                "equal parts",
                vec![part(1, 50, 2), part(2, 50, 2)],
                vec![side(In, 8, 0, 50), side(In, 9, 0, 50), side(Out, 5, 2, 52), side(Out, 4, 1, 52)],
                vec![(4, 8), (5, 9)],
            ),
            (
                "a failed attempt beside",
                vec![part(0, 100, 3)],
                vec![side(Out, 1, 0, 103), side(Out, 3, 0, 103), side(In, 2, 0, 100)],
                vec![(0, 2)],
            ),
        ] {
            let id = |channel: u8| (channel > 0).then_some(ChannelId([channel; 32]));
            let expected: Vec<Pair> = expected.into_iter().map(|(out, into)| (id(out), id(into))).collect();
            assert_eq!(pair(&parts, &sides), expected, "{what}");
        }
    }
}
