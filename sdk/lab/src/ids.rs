//! Names of things on the network: short channel ids and node ids that parse as real ones.

use std::fmt;
use std::str::FromStr;

use crate::keys::NodeKey;
use crate::rng::Rng;

/// A short channel id: block height, transaction index and output, packed as BOLT 7 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scid(pub u64);

impl Scid {
    /// Packs block height (24 bits), transaction index (24 bits) and output (16 bits).
    pub fn new(block: u32, tx: u32, output: u16) -> Self {
        Self((u64::from(block) & 0xff_ffff) << 40 | (u64::from(tx) & 0xff_ffff) << 16 | u64::from(output))
    }

    /// Block height and transaction index.
    pub fn place(self) -> (u64, u64) {
        (self.0 >> 40, self.0 >> 16 & 0xff_ffff)
    }
}

impl fmt::Display for Scid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (block, tx) = self.place();
        write!(f, "{block}x{tx}x{}", self.0 & 0xffff)
    }
}

impl FromStr for Scid {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('x');
        let mut next = |max: u64| -> Result<u64, ()> {
            let number: u64 = parts.next().ok_or(())?.parse().map_err(|_| ())?;
            if number <= max { Ok(number) } else { Err(()) }
        };
        let (block, tx, output) = (next(0xff_ffff)?, next(0xff_ffff)?, next(0xffff)?);
        if parts.next().is_some() {
            return Err(());
        }
        Ok(Self(block << 40 | tx << 16 | output))
    }
}

/// The node id of a node of which nothing else is ever needed.
pub fn node_id(rng: &mut Rng) -> String {
    NodeKey::draw(rng).id()
}

/// The channel id of a funding output: the txid's bytes reversed, the last two XORed with the output.
pub fn channel_id(funding_txid: &str, output: u16) -> String {
    let mut bytes: Vec<u8> = (0..funding_txid.len() / 2)
        .rev()
        .map(|i| u8::from_str_radix(&funding_txid[2 * i..2 * i + 2], 16).unwrap_or(0))
        .collect();
    if let [.., high, low] = bytes.as_mut_slice() {
        *high ^= (output >> 8) as u8;
        *low ^= output as u8;
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn scid_text_round_trips_and_nonsense_is_refused() {
        for text in ["103x1x0", "16777215x16777215x65535", "0x0x0"] {
            assert_eq!(text.parse::<Scid>().unwrap().to_string(), text);
        }
        for text in ["", "1x2", "1x2x3x4", "1x2x65536", "16777216x0x0", "axbxc"] {
            assert!(text.parse::<Scid>().is_err(), "{text}");
        }
    }

    #[test]
    fn channel_id_is_the_one_lightningd_shows() {
        let txid = "bd0d7f5d252c3a56a309d6cd5740982c84769464d6a3dbf4e0149099a92a347d";
        let id = "7d342aa9999014e0f4dba3d6649476842c984057cdd609a3563a2c255d7f0dbd";
        assert_eq!(channel_id(txid, 0), id);
        let txid = "3fecb390e6fcab99734a831edb46dd45bfc4ed680b95a3a7d24f5be483397559";
        let id = "59753983e45b4fd2a7a3950b68edc4bf45dd46db1e834a7399abfce690b3ec3e";
        assert_eq!(channel_id(txid, 1), id);
    }
}
