//! A call as a file: everything that it depends on, so that any machine can make it again.
//!
//! The bytes are a magic with the version, the call in postcard's form, and the SHA-256 of all
//! that. The same call gives the same bytes.

use crate::engine::LimitClass;
use crate::engine::fault::printable;
use crate::model::transcript::FORMAT;
use crate::model::{Answer, CycleKind, Digest, Transcript, UnixTime};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const MAGIC: &[u8] = b"revenue-ops replay 1\n";
const DIGEST_BYTES: usize = 32;

/// One call, with the module that was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    pub cycle: u64,
    pub at: UnixTime,
    /// Version of the program that wrote the call down.
    pub program: String,
    pub transcript: Transcript,
    /// The module's file.
    pub wasm: Vec<u8>,
}

/// The fields in their order in the file.
#[derive(Serialize, Deserialize)]
struct Body<'a> {
    kind: CycleKind,
    cycle: u64,
    at_s: u64,
    program: &'a str,
    strategy: &'a str,
    class: &'a str,
    format: u32,
    wasm: &'a [u8],
    input: &'a [u8],
    answer: Answer,
}

impl Recording {
    /// Most bytes of a file: the largest module, and what a node of any size makes of the rest.
    pub const MOST_BYTES: usize = 96 << 20;

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Transcript { kind, strategy, module: _, class, format, input, answer } = &self.transcript;
        let body = Body {
            kind: *kind,
            cycle: self.cycle,
            at_s: self.at.0,
            program: &self.program,
            strategy: strategy.as_str(),
            class,
            format: *format,
            wasm: &self.wasm,
            input,
            answer: answer.clone(),
        };
        let body = postcard::to_allocvec(&body).expect("plain data has a canonical form");
        let mut bytes = [MAGIC, &body].concat();
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        bytes
    }

    /// Reads a file.
    ///
    /// # Errors
    /// One sentence: what is wrong with it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Recording, String> {
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return Err("this is no recording of a call, or one of another version of the form".to_owned());
        };
        let damaged = || "the recording is damaged: its checksum differs".to_owned();
        let (body, digest) = rest.split_last_chunk::<DIGEST_BYTES>().ok_or_else(damaged)?;
        if Sha256::digest(&bytes[..bytes.len() - DIGEST_BYTES]).as_slice() != digest {
            return Err(damaged());
        }
        let body: Body<'_> =
            postcard::from_bytes(body).map_err(|error| format!("the recording cannot be read: {error}"))?;
        if body.format != FORMAT {
            return Err(format!(
                "the call was written down by version {} in form {}, and this program reads form {FORMAT}",
                printable(body.program, 40),
                body.format
            ));
        }
        if LimitClass::from_name(body.class).is_none() {
            return Err(format!("the recording names an unknown class '{}'", printable(body.class, 40)));
        }
        Ok(Recording {
            cycle: body.cycle,
            at: UnixTime(body.at_s),
            program: printable(body.program, 40),
            transcript: Transcript {
                kind: body.kind,
                strategy: body.strategy.parse()?,
                module: Digest::of(body.wasm),
                class: body.class.to_owned(),
                format: body.format,
                input: body.input.to_vec().into(),
                answer: body.answer,
            },
            wasm: body.wasm.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StrategyName;

    fn recording() -> Recording {
        Recording {
            cycle: 7,
            at: UnixTime(1_790_000_000),
            program: "2.0.0".to_owned(),
            transcript: Transcript {
                kind: CycleKind::Rebalance,
                strategy: StrategyName::rebalance_ev(),
                module: Digest::of(b"module"),
                class: "interpreted".to_owned(),
                format: FORMAT,
                input: vec![1, 2, 3].into(),
                answer: Answer::Decided { fuel: 9, decision: vec![4, 5] },
            },
            wasm: b"module".to_vec(),
        }
    }

    #[test]
    fn a_file_is_the_same_each_time_and_comes_back() {
        let bytes = recording().to_bytes();
        assert_eq!(bytes, recording().to_bytes());
        assert_eq!(Recording::from_bytes(&bytes), Ok(recording()));
    }

    #[test]
    fn no_changed_byte_passes() {
        let bytes = recording().to_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Recording::from_bytes(&changed).is_err(), "byte {at}");
            assert!(Recording::from_bytes(&bytes[..at]).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn other_forms_are_told() {
        let mut other = recording();
        other.transcript.format = FORMAT + 1;
        let told = Recording::from_bytes(&other.to_bytes()).expect_err("another form");
        assert!(told.contains("form 2") && told.contains("2.0.0"), "{told}");
        let mut other = recording();
        other.transcript.class = "huge".to_owned();
        let told = Recording::from_bytes(&other.to_bytes()).expect_err("no such class");
        assert!(told.contains("'huge'"), "{told}");
    }
}
