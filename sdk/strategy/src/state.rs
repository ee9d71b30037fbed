//! Bytes that outlive a call.
//!
//! A state is whatever bytes the strategy returned last, at most 1024 per
//! channel. It may be empty (a new channel), or come from an older build. A
//! type that implements [`State`] begins its bytes with a version, and bytes
//! of another version or length read as none at all.
//!
//! ```
//! use revenue_strategy::state::{Reader, State, Writer};
//!
//! #[derive(Debug, PartialEq)]
//! struct Memory { base_ppm: u32, since_s: u64 }
//!
//! impl State for Memory {
//!     const VERSION: u8 = 1;
//!     fn write(&self, to: &mut Writer) {
//!         to.u32(self.base_ppm);
//!         to.u64(self.since_s);
//!     }
//!     fn read(from: &mut Reader<'_>) -> Option<Self> {
//!         Some(Self { base_ppm: from.u32()?, since_s: from.u64()? })
//!     }
//! }
//!
//! let bytes = Memory { base_ppm: 200, since_s: 9 }.encode();
//! assert_eq!(Memory::decode(&bytes), Some(Memory { base_ppm: 200, since_s: 9 }));
//! assert_eq!(Memory::decode(b""), None);
//! assert_eq!(Memory::decode(&bytes[1..]), None);
//! ```

/// A value that travels as bytes from one cycle to the next.
pub trait State: Sized {
    /// First byte of the encoding; change it with the layout.
    const VERSION: u8;

    /// Appends the fields.
    fn write(&self, to: &mut Writer);

    /// Reads the fields in the order in which they were written. None if a
    /// value makes no sense.
    fn read(from: &mut Reader<'_>) -> Option<Self>;

    /// The bytes to keep.
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.encode_into(&mut writer);
        writer.bytes
    }

    /// Replaces the writer's content by the bytes to keep: one buffer serves
    /// many rows.
    fn encode_into(&self, writer: &mut Writer) {
        writer.clear();
        writer.u8(Self::VERSION);
        self.write(writer);
    }

    /// Reads bytes back. None if they are empty, of another version, too
    /// short, too long, or senseless.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader { left: bytes };
        if reader.u8()? != Self::VERSION {
            return None;
        }
        let value = Self::read(&mut reader)?;
        reader.left.is_empty().then_some(value)
    }
}

/// Appends numbers as little-endian bytes.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// What was written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets what was written; keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Appends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

/// Takes numbers from bytes, in the order in which a [`Writer`] put them.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the beginning of some bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    /// True if nothing is left.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Takes all that is left, as it is.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.left)
    }

    /// Takes `count` bytes as they are.
    pub fn raw(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.left.split_at_checked(count)?;
        self.left = tail;
        Some(head)
    }

    /// Takes a 64-bit float; none if it is not finite.
    pub fn finite_f64(&mut self) -> Option<f64> {
        self.f64().filter(|value| value.is_finite())
    }

    /// Takes a 32-bit float; none if it is not finite.
    pub fn finite_f32(&mut self) -> Option<f32> {
        self.f32().filter(|value| value.is_finite())
    }
}

macro_rules! numbers {
    ($($name:ident)*) => {
        impl Writer {
            $(
                #[doc = concat!("Appends a `", stringify!($name), "`.")]
                pub fn $name(&mut self, value: $name) {
                    self.bytes.extend_from_slice(&value.to_le_bytes());
                }
            )*
        }

        impl Reader<'_> {
            $(
                #[doc = concat!("Takes a `", stringify!($name), "`; none if too few bytes are left.")]
                pub fn $name(&mut self) -> Option<$name> {
                    let (head, tail) = self.left.split_first_chunk()?;
                    self.left = tail;
                    Some($name::from_le_bytes(*head))
                }
            )*
        }
    };
}

numbers!(u8 u16 u32 u64 i8 i16 i32 i64 f32 f64);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Sample {
        small: u8,
        wide: u64,
        signed: i32,
        real: f64,
        tail: Vec<f32>,
    }

    impl State for Sample {
        const VERSION: u8 = 9;

        fn write(&self, to: &mut Writer) {
            to.u8(self.small);
            to.u64(self.wide);
            to.i32(self.signed);
            to.f64(self.real);
            to.u8(self.tail.len() as u8);
            self.tail.iter().for_each(|value| to.f32(*value));
        }

        fn read(from: &mut Reader<'_>) -> Option<Self> {
            Some(Self {
                small: from.u8()?,
                wide: from.u64()?,
                signed: from.i32()?,
                real: from.finite_f64()?,
                tail: (0..from.u8()?).map(|_| from.finite_f32()).collect::<Option<_>>()?,
            })
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            small: u8, wide: u64, signed: i32, real in -1e300..1e300f64,
            tail in prop::collection::vec(-1e30..1e30f32, 0..200),
        ) {
            let sample = Sample { small, wide, signed, real, tail };
            prop_assert_eq!(Sample::decode(&sample.encode()), Some(sample));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(sample) = Sample::decode(&bytes) {
                prop_assert_eq!(sample.encode(), bytes);
            }
        }
    }

    #[test]
    fn another_version_or_length_is_no_state() {
        let sample = Sample { small: 1, wide: 2, signed: 3, real: 4.0, tail: vec![5.0] };
        let bytes = sample.encode();
        let mut other = bytes.clone();
        other[0] = 8;
        assert_eq!(Sample::decode(&other), None);
        let mut long = bytes.clone();
        long.push(0);
        assert_eq!(Sample::decode(&long), None);
        assert_eq!(Sample::decode(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn numbers_that_are_not_finite_are_no_state() {
        let sample = Sample { small: 1, wide: 2, signed: 3, real: f64::NAN, tail: vec![] };
        assert_eq!(Sample::decode(&sample.encode()), None);
    }
}
