//! What a strategy remembers of the rows of a call: bytes that only it understands.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::Index;

/// The states of all rows, one after the other: a call is about thousands of them. Serialised, each is a
/// list of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct States {
    bytes: Vec<u8>,
    /// Where each state ends in the bytes. They do not fall, and the last is the number of bytes.
    ends: Vec<u32>,
}

impl States {
    /// States that end at `ends` in `bytes`, or one phrase that says why they cannot.
    ///
    /// # Errors
    /// When an end lies before the one before it or beyond the bytes, or bytes are left over.
    pub fn new(bytes: Vec<u8>, ends: Vec<u32>) -> Result<States, String> {
        let mut begin = 0;
        for (row, &end) in ends.iter().enumerate() {
            if bytes.get(begin..end as usize).is_none() {
                let all = bytes.len();
                return Err(format!("the state of row {row} goes from {begin} to {end} of {all} bytes"));
            }
            begin = end as usize;
        }
        if begin != bytes.len() {
            return Err(format!("{} bytes of state belong to no row", bytes.len() - begin));
        }
        Ok(States { bytes, ends })
    }

    /// As many empty states.
    #[must_use]
    pub fn empty(rows: usize) -> States {
        States { bytes: vec![], ends: vec![0; rows] }
    }

    /// How many rows have a state.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True without any row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The states, by row.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.ends.len()).map(|row| &self[row])
    }
}

impl Index<usize> for States {
    type Output = [u8];

    fn index(&self, row: usize) -> &[u8] {
        let begin = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[begin as usize..self.ends[row] as usize]
    }
}

impl<State: AsRef<[u8]>> FromIterator<State> for States {
    fn from_iter<Of: IntoIterator<Item = State>>(states: Of) -> States {
        let mut all = States::default();
        for state in states {
            all.bytes.extend_from_slice(state.as_ref());
            all.ends.push(u32::try_from(all.bytes.len()).expect("states of a call are far below 4 GiB"));
        }
        all
    }
}

impl Serialize for States {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for States {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<States, D::Error> {
        Vec::<Vec<u8>>::deserialize(deserializer).map(States::from_iter)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ends_that_make_no_states_are_refused() {
        let cases: [(&[u32], &str); 4] = [
            (&[1, 4], "the state of row 1 goes from 1 to 4 of 3 bytes"),
            (&[2, 1, 3], "the state of row 1 goes from 2 to 1 of 3 bytes"),
            (&[1, 2], "1 bytes of state belong to no row"),
            (&[], "3 bytes of state belong to no row"),
        ];
        for (ends, problem) in cases {
            assert_eq!(States::new(vec![7; 3], ends.to_vec()).unwrap_err(), problem);
        }
        assert_eq!(States::new(vec![], vec![0; 4]).unwrap(), States::empty(4));
    }

    proptest! {
        /// What is recorded of a call is read again by later versions.
        #[test]
        fn states_are_what_they_were_made_of_and_serialised_as_lists(
            rows in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
        ) {
            let states = States::from_iter(&rows);
            prop_assert_eq!(states.len(), rows.len());
            prop_assert_eq!(states.iter().map(<[u8]>::to_vec).collect::<Vec<_>>(), rows.clone());
            let written = postcard::to_stdvec(&states).unwrap();
            prop_assert_eq!(&written, &postcard::to_stdvec(&rows).unwrap());
            prop_assert_eq!(postcard::from_bytes::<States>(&written).unwrap(), states);
        }
    }
}
