//! Reading a snapshot: typed parameters, rows, signals.

use std::ops::Deref;

use crate::{Blobs, Channel, FeeInput, FeeInterval, Signal};

/// Typed access to the parameters of an input.
macro_rules! parameters {
    ($input:ty) => {
        impl $input {
            /// A parameter's value as a number; integers are converted. None if the
            /// host gives no such parameter, or a flag or text.
            pub fn param_f64(&self, name: &str) -> Option<f64> {
                match self.param(name)? {
                    $crate::ParamValue::Number(value) => Some(*value),
                    $crate::ParamValue::Integer(value) => Some(*value as f64),
                    $crate::ParamValue::Flag(_) | $crate::ParamValue::Text(_) => None,
                }
            }

            /// A parameter's value, if it is an integer.
            pub fn param_i64(&self, name: &str) -> Option<i64> {
                match self.param(name)? {
                    $crate::ParamValue::Integer(value) => Some(*value),
                    _ => None,
                }
            }

            /// A parameter's value, if it is a flag.
            pub fn param_flag(&self, name: &str) -> Option<bool> {
                match self.param(name)? {
                    $crate::ParamValue::Flag(value) => Some(*value),
                    _ => None,
                }
            }

            /// A parameter's value, if it is a text.
            pub fn param_text(&self, name: &str) -> Option<&str> {
                match self.param(name)? {
                    $crate::ParamValue::Text(value) => Some(value),
                    _ => None,
                }
            }

            fn param(&self, name: &str) -> Option<&$crate::ParamValue> {
                let found = self.params.iter().find(|param| param.name == name);
                found.map(|param| &param.value)
            }

            /// The values of a signal, empty if the host does not know it.
            pub fn signal(&self, name: &str) -> $crate::Signals<'_> {
                $crate::Signals::of(&self.signals, name)
            }
        }
    };
}
pub(crate) use parameters;

parameters!(FeeInput);

impl FeeInput {
    /// The channels in order, each with its intervals and its state.
    pub fn rows(&self) -> Rows<'_> {
        Rows { input: self, next: 0, intervals_begin: 0, state_begin: 0 }
    }
}

/// One value per channel, where known.
#[derive(Debug, Clone, Copy)]
pub struct Signals<'a> {
    values: &'a [f64],
}

impl<'a> Signals<'a> {
    pub(crate) fn of(signals: &'a [Signal], name: &str) -> Signals<'a> {
        let found = signals.iter().find(|signal| signal.name == name);
        Signals { values: found.map_or(&[], |signal| &signal.values) }
    }

    /// The value for a row; none where the host has no finite one.
    pub fn get(&self, row: u32) -> Option<f64> {
        let value = *self.values.get(row as usize)?;
        value.is_finite().then_some(value)
    }
}

/// A channel of the snapshot with what belongs to it. Dereferences to [`Channel`].
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Position in [`FeeInput::channels`].
    pub index: u32,
    /// The channel's facts.
    pub channel: &'a Channel,
    /// Stretches of constant rate, oldest first.
    pub intervals: &'a [FeeInterval],
    /// The bytes that this strategy kept for the channel; empty if none.
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

    /// Moves a rate, ppm, into what the host would accept: `min-fee-ppm` to
    /// `max-fee-ppm`. If these contradict each other, the maximum holds.
    pub fn clamp_ppm(&self, ppm: u64) -> u64 {
        let low = u64::from(self.channel.min_fee_ppm);
        ppm.max(low).min(u64::from(self.channel.max_fee_ppm))
    }
}

impl Deref for Row<'_> {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        self.channel
    }
}

/// Iterator over the rows of a snapshot.
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    input: &'a FeeInput,
    next: usize,
    intervals_begin: usize,
    state_begin: usize,
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        let channel = self.input.channels.get(self.next)?;
        let index = self.next as u32;
        let intervals_end = channel.intervals_end as usize;
        let intervals = self.input.intervals.get(self.intervals_begin..intervals_end);
        let state_end = self.input.states.ends.get(self.next).map_or(0, |end| *end as usize);
        let state = self.input.states.bytes.get(self.state_begin..state_end);
        self.intervals_begin = intervals_end;
        self.state_begin = state_end;
        self.next += 1;
        Some(Row {
            index,
            channel,
            intervals: intervals.unwrap_or_default(),
            state: state.unwrap_or_default(),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.input.channels.len() - self.next.min(self.input.channels.len());
        (left, Some(left))
    }
}

impl ExactSizeIterator for Rows<'_> {}

impl Blobs {
    /// No entries.
    pub fn empty() -> Self {
        Self { bytes: Vec::new(), ends: Vec::new() }
    }

    /// Adds an entry. Fails when the bytes no longer fit a 32-bit end.
    ///
    /// # Errors
    ///
    /// Names the size that does not fit.
    pub fn push(&mut self, entry: &[u8]) -> Result<(), String> {
        let end = self.bytes.len() + entry.len();
        let end = u32::try_from(end).map_err(|_| format!("{end} bytes of state do not fit"))?;
        self.bytes.extend_from_slice(entry);
        self.ends.push(end);
        Ok(())
    }

    /// An entry by position; empty where there is none.
    pub fn entry(&self, index: usize) -> &[u8] {
        let begin = match index.checked_sub(1) {
            Some(before) => self.ends.get(before).map_or(0, |end| *end as usize),
            None => 0,
        };
        let end = self.ends.get(index).map_or(begin, |end| *end as usize);
        self.bytes.get(begin..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ParamValue;
    use crate::testing::{ChannelBuilder, InputBuilder, interval};

    #[test]
    fn parameters_have_types() {
        let input = InputBuilder::new()
            .param("a", ParamValue::Integer(3))
            .param("b", ParamValue::Flag(true))
            .param("c", ParamValue::Text("x".to_owned()))
            .build();
        assert_eq!(input.param_f64("a"), Some(3.0));
        assert_eq!(input.param_i64("a"), Some(3));
        assert_eq!(input.param_flag("a"), None);
        assert_eq!(input.param_flag("b"), Some(true));
        assert_eq!(input.param_f64("b"), None);
        assert_eq!(input.param_text("c"), Some("x"));
        assert_eq!(input.param_f64("missing"), None);
    }

    #[test]
    fn rows_carry_their_own_intervals_and_states() {
        let input = InputBuilder::new()
            .channel(ChannelBuilder::new().intervals([interval(0, 10, 100), interval(10, 20, 200)]))
            .channel(ChannelBuilder::new().state(b"second"))
            .channel(ChannelBuilder::new().interval(interval(5, 6, 300)).state(b"third"))
            .build();
        let rows: Vec<Row<'_>> = input.rows().collect();
        let fees = |row: &Row<'_>| row.intervals.iter().map(|i| i.fee_ppm).collect::<Vec<_>>();
        assert_eq!(fees(&rows[0]), [100, 200]);
        assert_eq!(fees(&rows[1]), [0; 0]);
        assert_eq!(fees(&rows[2]), [300]);
        assert_eq!(rows[0].state, b"");
        assert_eq!(rows[1].state, b"second");
        assert_eq!(rows[2].state, b"third");
    }

    #[test]
    fn offsets_that_make_no_sense_read_as_empty() {
        let mut input =
            InputBuilder::new().channel(ChannelBuilder::new()).channel(ChannelBuilder::new()).build();
        input.channels[0].intervals_end = 9;
        input.states = Blobs { bytes: vec![1], ends: vec![7] };
        let rows: Vec<Row<'_>> = input.rows().collect();
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row.intervals.is_empty() && row.state.is_empty()));
    }

    #[test]
    fn a_signal_has_no_value_where_it_is_nan_or_short() {
        let input = InputBuilder::new()
            .channel(ChannelBuilder::new())
            .channel(ChannelBuilder::new())
            .channel(ChannelBuilder::new())
            .signal("s", [1.5, f64::NAN])
            .build();
        let signal = input.signal("s");
        assert_eq!(signal.get(0), Some(1.5));
        assert_eq!(signal.get(1), None);
        assert_eq!(signal.get(2), None);
        assert_eq!(input.signal("other").get(0), None);
    }

    #[test]
    fn blobs_give_back_what_was_pushed() {
        let mut blobs = Blobs::empty();
        for entry in [&b"ab"[..], b"", b"c"] {
            blobs.push(entry).unwrap();
        }
        assert_eq!(blobs.entry(0), b"ab");
        assert_eq!(blobs.entry(1), b"");
        assert_eq!(blobs.entry(2), b"c");
        assert_eq!(blobs.entry(3), b"");
    }
}
