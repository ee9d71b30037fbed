//! A module on its way in, piece by piece.

use super::manifest::{Manifest, Signature};
use super::{PeerId, UnixTime, quote};
use std::fmt;
use std::str::FromStr;

/// What an upload is called: it follows from its manifest, so that whoever begins the same upload again
/// goes on with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UploadId(pub [u8; 16]);

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for UploadId {
    type Err = String;
    fn from_str(text: &str) -> Result<UploadId, String> {
        let digits = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = digits.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(|number| UploadId(number.to_be_bytes())).ok_or_else(|| {
            format!("upload '{}' is not the 32 hexadecimal digits that `push begin` answered", quote(text))
        })
    }
}

/// Where an upload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadState {
    /// Takes chunks.
    Open,
    /// Whole, checked and handed over.
    Received,
    /// Nothing came for too long.
    Expired,
    /// Given up by the caller, or not the module of its manifest.
    Aborted,
}

impl UploadState {
    const ALL: [(UploadState, &'static str); 4] = [
        (UploadState::Open, "open"),
        (UploadState::Received, "received"),
        (UploadState::Expired, "expired"),
        (UploadState::Aborted, "aborted"),
    ];

    /// The word used in the store and in answers.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    /// Reads the word used in the store.
    pub fn from_name(name: &str) -> Option<UploadState> {
        Self::ALL.iter().find(|(_, word)| *word == name).map(|(state, _)| *state)
    }
}

/// One upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub id: UploadId,
    pub manifest: Manifest,
    pub signatures: Vec<Signature>,
    pub state: UploadState,
    /// Chunks received; the next one has this number.
    pub chunks: u32,
    /// Bytes received.
    pub bytes: u64,
    /// When it began, last got a chunk, or ended.
    pub touched_at: UnixTime,
    /// Whose signatures counted when it was received.
    pub signers: Vec<PeerId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_names_come_back() {
        for (state, word) in UploadState::ALL {
            assert_eq!((state.name(), UploadState::from_name(word)), (word, Some(state)));
        }
        let id = UploadId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "00", &"g".repeat(32), &"+".repeat(32), &"0".repeat(33), &"é".repeat(16)] {
            assert!(bad.parse::<UploadId>().is_err(), "{bad}");
        }
    }
}
