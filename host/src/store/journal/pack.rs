//! How a call's bytes are made small: as one zstd frame, against a prefix where there is one.

use std::io::{self, Read, Write};
use zstd::zstd_safe::CParameter;

/// What is alike is found at the lowest level too, once the table of what was seen is large enough.
const LEVEL: i32 = 1;
/// How much smaller than the window that table is, as a power of two: entries per byte.
const HASH_LOG_LESS: u32 = 3;
/// Window that a frame of any call fits into, as a power of two.
const WINDOW_LOG: std::ops::RangeInclusive<u32> = 10..=27;

/// `raw` as a frame.
pub(super) fn pack(raw: &[u8], prefix: &[u8]) -> io::Result<Vec<u8>> {
    let all = (raw.len() + prefix.len()).max(1).next_power_of_two().ilog2();
    let window = all.clamp(*WINDOW_LOG.start(), *WINDOW_LOG.end());
    let mut encoder = zstd::Encoder::with_ref_prefix(Vec::new(), LEVEL, prefix)?;
    encoder.window_log(window)?;
    encoder.set_parameter(CParameter::HashLog(window - HASH_LOG_LESS))?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(raw.len() as u64))?;
    encoder.write_all(raw)?;
    encoder.finish()
}

/// The `bytes` that a frame holds.
pub(super) fn unpack(packed: &[u8], bytes: u64, prefix: &[u8]) -> io::Result<Vec<u8>> {
    let mut decoder = zstd::Decoder::with_ref_prefix(packed, prefix)?;
    decoder.window_log_max(*WINDOW_LOG.end())?;
    let mut raw = Vec::new();
    decoder.take(bytes + 1).read_to_end(&mut raw)?;
    if raw.len() as u64 == bytes {
        return Ok(raw);
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the frame has another size than was written down"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_back(raw: Vec<u8>, prefix: Vec<u8>) {
            let packed = pack(&raw, &prefix).expect("packed");
            prop_assert_eq!(unpack(&packed, raw.len() as u64, &prefix).expect("unpacked"), raw);
        }
    }

    #[test]
    fn damage_is_seen() {
        let raw: Vec<u8> = (0..1_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let prefix = raw[..900].to_vec();
        let packed = pack(&raw, &prefix).expect("packed");
        assert!(unpack(&packed, 999, &prefix).is_err(), "another size");
        assert!(unpack(&packed[..packed.len() - 1], 1_000, &prefix).is_err(), "cut");
        assert!(unpack(&packed, 1_000, &raw[100..]).is_err(), "another prefix");
    }
}
