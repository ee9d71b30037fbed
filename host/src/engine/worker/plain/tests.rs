#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Variant {
    Plain,
    One(i64),
    Two(String, bool),
    Named { flag: bool, values: Vec<f64> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(u64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    small: u8,
    number: u32,
    wide: u64,
    size: usize,
    letter: char,
    wrapped: Wrapped,
    perhaps: Option<Variant>,
    list: Vec<Variant>,
    bytes: Vec<u8>,
    fixed: [[u8; 3]; 2],
    outcome: Result<(u16, String), Option<i8>>,
    nothing: (),
}

fn variants() -> impl Strategy<Value = Variant> {
    prop_oneof![
        Just(Variant::Plain),
        any::<i64>().prop_map(Variant::One),
        (".{0,9}", any::<bool>()).prop_map(|(text, flag)| Variant::Two(text, flag)),
        (any::<bool>(), prop::collection::vec(-1e300..1e300, 0..4))
            .prop_map(|(flag, values)| Variant::Named { flag, values }),
    ]
}

prop_compose! {
    fn values()(
        numbers in any::<(u8, u32, u64, usize, char, u64)>(),
        perhaps in prop::option::of(variants()),
        list in prop::collection::vec(variants(), 0..5),
        bytes in prop::collection::vec(any::<u8>(), 0..20),
        fixed in any::<[[u8; 3]; 2]>(),
        outcome in any::<Result<(u16, String), Option<i8>>>(),
    ) -> Everything {
        let (small, number, wide, size, letter, wrapped) = numbers;
        let wrapped = Wrapped(wrapped);
        Everything {
            small, number, wide, size, letter, wrapped, perhaps, list, bytes, fixed, outcome, nothing: (),
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in values(), after in prop::collection::vec(any::<u8>(), 0..9)) {
        let mut bytes = Vec::new();
        encode(&value, &mut bytes).unwrap();
        let whole = bytes.len();
        bytes.extend_from_slice(&after);
        prop_assert_eq!(decode::<Everything>(&bytes), Ok((value, &after[..])));
        for cut in 0..whole {
            prop_assert!(decode::<Everything>(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn anything_ends_in_a_value_or_a_problem(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        // A value that is read is written as the same bytes.
        if let Ok((value, rest)) = decode::<Everything>(&bytes) {
            let mut again = Vec::new();
            encode(&value, &mut again).unwrap();
            prop_assert_eq!(&again[..], &bytes[..bytes.len() - rest.len()]);
        }
    }
}

#[test]
fn numbers_keep_their_bits() {
    for bits in [0, 1 << 63, 0x7ff8_0000_0000_0001, 0xfff0_0000_0000_0000, 1] {
        let mut bytes = Vec::new();
        encode(&f64::from_bits(bits), &mut bytes).unwrap();
        assert_eq!(decode::<f64>(&bytes).unwrap().0.to_bits(), bits);
    }
}

#[test]
fn a_list_that_claims_more_than_there_is_takes_no_memory() {
    let claim = u32::MAX.to_le_bytes();
    assert!(decode::<Vec<u64>>(&claim).is_err());
    assert!(decode::<String>(&claim).is_err());
    assert_eq!(decode::<bool>(&[2]), Err(Problem::new("a flag that is neither set nor not")));
}
