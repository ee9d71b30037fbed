//! Reading a snapshot: rows with what belongs to them.

use super::{Attempt, RebalanceChannel, RebalanceInput, Sender};
use std::ops::Deref;

crate::input::parameters!(RebalanceInput);

impl RebalanceInput {
    /// The channels in order, each with its attempts, senders and state.
    pub fn rows(&self) -> Rows<'_> {
        Rows { input: self, next: 0, attempts_begin: 0, senders_begin: 0, state_begin: 0 }
    }
}

/// A channel of the snapshot with what belongs to it. Dereferences to
/// [`RebalanceChannel`].
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Position in [`RebalanceInput::channels`].
    pub index: u32,
    /// The channel's facts.
    pub channel: &'a RebalanceChannel,
    /// Rebalances towards the peer that have ended, oldest first.
    pub attempts: &'a [Attempt],
    /// Where what left had entered; empty if not known.
    pub senders: &'a [Sender],
    /// The bytes that this evaluator kept for the channel; empty if none.
    pub state: &'a [u8],
}

impl Row<'_> {
    /// Our side as a share of the capacity, 0 to 1; 0 for a capacity of 0.
    pub fn local_share(&self) -> f64 {
        if self.channel.capacity_msat == 0 {
            return 0.0;
        }
        (self.channel.local_msat as f64 / self.channel.capacity_msat as f64).min(1.0)
    }
}

impl Deref for Row<'_> {
    type Target = RebalanceChannel;

    fn deref(&self) -> &RebalanceChannel {
        self.channel
    }
}

/// Iterator over the rows of a snapshot.
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    input: &'a RebalanceInput,
    next: usize,
    attempts_begin: usize,
    senders_begin: usize,
    state_begin: usize,
}

/// The part of a list that ends at `end`; empty where that makes no sense.
fn part<'a, T>(all: &'a [T], begin: &mut usize, end: u32) -> &'a [T] {
    let end = end as usize;
    let part = all.get(*begin..end).unwrap_or_default();
    *begin = end;
    part
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        let channel = self.input.channels.get(self.next)?;
        let index = self.next as u32;
        let state_end = self.input.states.ends.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        Some(Row {
            index,
            channel,
            attempts: part(&self.input.attempts, &mut self.attempts_begin, channel.attempts_end),
            senders: part(&self.input.senders, &mut self.senders_begin, channel.senders_end),
            state: part(&self.input.states.bytes, &mut self.state_begin, state_end),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.input.channels.len() - self.next.min(self.input.channels.len());
        (left, Some(left))
    }
}

impl ExactSizeIterator for Rows<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rebalance::testing::{ChannelBuilder, InputBuilder, attempt};

    #[test]
    fn rows_carry_their_own_attempts_senders_and_states() {
        let input = InputBuilder::new()
            .channel(ChannelBuilder::new().attempt(attempt(1, 100_000, 90, 300)).state(b"a"))
            .channel(ChannelBuilder::new().sender(0, 500).sender(2, 10))
            .channel(ChannelBuilder::new().attempt(attempt(2, 100_000, 0, 200)).sender(1, 7).state(b"c"))
            .build();
        let rows: Vec<Row<'_>> = input.rows().collect();
        let seen = |row: &Row<'_>| {
            let limits: Vec<u32> = row.attempts.iter().map(|attempt| attempt.max_ppm).collect();
            let senders: Vec<u32> = row.senders.iter().map(|sender| sender.channel).collect();
            (limits, senders, row.state.to_vec())
        };
        assert_eq!(seen(&rows[0]), (vec![300], vec![], b"a".to_vec()));
        assert_eq!(seen(&rows[1]), (vec![], vec![0, 2], vec![]));
        assert_eq!(seen(&rows[2]), (vec![200], vec![1], b"c".to_vec()));
    }

    #[test]
    fn offsets_that_make_no_sense_read_as_empty() {
        let mut input =
            InputBuilder::new().channel(ChannelBuilder::new()).channel(ChannelBuilder::new()).build();
        input.channels[0].attempts_end = 9;
        input.channels[0].senders_end = 3;
        input.states.ends = vec![7];
        let rows: Vec<Row<'_>> = input.rows().collect();
        assert_eq!(rows.len(), 2);
        assert!(
            rows.iter().all(|row| row.attempts.is_empty() && row.senders.is_empty() && row.state.is_empty())
        );
    }
}
