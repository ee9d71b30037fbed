//! Identities on the Lightning Network, checked when they are made.

use super::quote;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// Why a text is no identity: one sentence that says what was wrong and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseIdError(String);

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseIdError {}

fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    let text: String = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
    f.write_str(&text)
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub [u8; $bytes]);

        /// The last eight bytes are enough to spread them: a hash's or a key's, and where channels share
        /// a transaction their outputs differ there.
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                state.write(&self.0[$bytes - 8..]);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }
    };
}

hex_id! {
    /// A channel's lasting identity (BOLT 2), 64 hex digits. Stays the same when
    /// a splice changes the short channel id.
    ChannelId, 32
}

hex_id! {
    /// A node's public key, 66 hex digits; compared and printed in lower case.
    PeerId, 33
}

hex_id! {
    /// A SHA-256.
    Digest, 32
}

hex_id! {
    /// A transaction's id, 64 hex digits, bytes in the order in which it is shown.
    Txid, 32
}

/// Reads what is any 32 bytes; the word names it in the error.
macro_rules! parse_any {
    ($($name:ident: $word:literal),*) => {
        $(impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex(text).map($name).ok_or_else(|| {
                    ParseIdError(format!("{} '{}' is not 64 hexadecimal digits", $word, quote(text)))
                })
            }
        })*
    };
}

parse_any!(ChannelId: "channel_id", Txid: "txid", Digest: "digest");

impl Digest {
    /// The SHA-256 of these bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }
}

impl FromStr for PeerId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        match parse_hex::<33>(text) {
            Some(bytes) if matches!(bytes[0], 2 | 3) => Ok(PeerId(bytes)),
            _ => Err(ParseIdError(format!(
                "peer_id '{}' is not a node's public key: 66 hexadecimal digits that begin with 02 or 03",
                quote(text)
            ))),
        }
    }
}

/// A short channel id (BOLT 7) or an alias of that form: a name for a channel
/// that a splice, or a restart of the peer, can change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scid {
    /// Height of the block with the funding transaction, 24 bits.
    pub block: u32,
    /// Position of the transaction in the block, 24 bits.
    pub transaction: u32,
    /// Output of the transaction.
    pub output: u16,
}

impl Scid {
    /// Block, transaction and output as BOLT 7 packs them: one number for each name.
    pub const fn packed(self) -> u64 {
        (self.block as u64) << 40 | (self.transaction as u64) << 16 | self.output as u64
    }
}

/// One number instead of three: maps of names are asked for every forward.
impl Hash for Scid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.packed());
    }
}

impl fmt::Display for Scid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.block, self.transaction, self.output)
    }
}

impl fmt::Debug for Scid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Also reads the form with colons, which older tools write.
impl FromStr for Scid {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        const BITS_24: u32 = 0xff_ffff;
        let part = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<u32>().ok()).flatten()
        };
        let between = if text.contains(':') { ':' } else { 'x' };
        let mut parts = text.split(between).map(part);
        let read = (parts.next().flatten(), parts.next().flatten(), parts.next().flatten());
        match (read, parts.next()) {
            ((Some(block @ ..=BITS_24), Some(transaction @ ..=BITS_24), Some(output)), None)
                if output <= u32::from(u16::MAX) =>
            {
                Ok(Scid { block, transaction, output: output as u16 })
            }
            _ => Err(ParseIdError(format!(
                "short channel id '{}' is not of the form BLOCKxTRANSACTIONxOUTPUT, e.g. 700000x12x0",
                quote(text)
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn peer_ids_are_checked_and_lower_cased() {
        let upper = format!("02{}", "AB".repeat(32));
        let peer: PeerId = upper.parse().expect("66 hex digits");
        assert_eq!(peer.to_string(), upper.to_lowercase());
        for bad in ["", "zz", "02", &"ab".repeat(33), &format!("02{}", "+1".repeat(32)), &"é".repeat(33)] {
            let error = bad.parse::<PeerId>().expect_err(bad).to_string();
            assert!(error.contains("66 hexadecimal digits"), "{error}");
        }
    }

    #[test]
    fn scids_are_checked() {
        for bad in ["", "1x2", "1x2x3x4", "1x2x70000", "16777216x1x0", "-1x2x3", "1 x2x3", "+1x2x3", "axbxc"]
        {
            assert!(bad.parse::<Scid>().is_err(), "{bad}");
            assert!(bad.replace('x', ":").parse::<Scid>().is_err(), "{bad} with colons");
        }
        assert!("1x2:3".parse::<Scid>().is_err());
    }

    #[test]
    fn colons_are_read_and_never_printed() {
        assert_eq!("187040:2:1".parse::<Scid>().expect("a scid").to_string(), "187040x2x1");
    }

    proptest! {
        #[test]
        fn scids_print_as_they_parse(block in 0u32..1 << 24, transaction in 0u32..1 << 24, output: u16) {
            let scid = Scid { block, transaction, output };
            prop_assert_eq!(scid.to_string().parse::<Scid>(), Ok(scid));
        }

        #[test]
        fn no_text_breaks_a_parser(text in "\\PC*") {
            let _ = text.parse::<Scid>();
            let _ = text.parse::<PeerId>();
            let _ = text.parse::<ChannelId>();
        }
    }
}
