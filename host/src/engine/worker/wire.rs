//! What plugin and worker say to each other: frames of a length and that many bytes.

use super::plain;
use crate::engine::fault::StrategyFault;
use crate::engine::limits::LimitClass;
use crate::engine::run::Cost;
use crate::model::CycleKind;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind, Read};

/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 8;
/// The most that a worker takes in one frame, bytes: an artefact of the largest class, or an input
/// with far more channels than a node can have.
pub(super) const MOST_ORDER_BYTES: usize = 256 << 20;

/// A worker's first word.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Hello {
    /// Sealed and ready; with the fingerprints of the artefacts that it can run.
    Ready([[u8; 32]; 2]),
    /// It could not shut itself off, and says why.
    Refused(String),
}

/// What a worker is told. Bytes that belong to an order follow it in the same frame.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Take this component: its artefact follows.
    Load(LimitClass),
    /// Say what the component is.
    Describe(CycleKind),
    /// Decide about so many channels: the input in the contract's form follows, its blobs first.
    Decide(CycleKind, u32),
}

/// The answer to an order to load: what is wrong with the artefact, if anything is.
pub(super) type Taken = Result<(), String>;

/// The answer to an order to decide; the blobs of a decision come before it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Decided<Raw> {
    pub(super) cost: Cost,
    pub(super) answer: Result<Raw, StrategyFault>,
}

/// A frame under construction; it keeps its room for the next one.
#[derive(Default)]
pub(super) struct Outgoing(Vec<u8>);

impl Outgoing {
    /// An empty frame.
    pub(super) fn begin(&mut self) -> &mut Outgoing {
        self.0.clear();
        self.0.extend_from_slice(&[0; LENGTH_BYTES]);
        self
    }

    pub(super) fn value(&mut self, value: &impl Serialize) -> io::Result<&mut Outgoing> {
        plain::encode(value, &mut self.0).map_err(io::Error::other)?;
        Ok(self)
    }

    /// Lists of bytes, which are left empty: as parts of a value each byte would be handled by itself.
    pub(super) fn blobs(&mut self, blobs: Vec<&mut Vec<u8>>) -> &mut Outgoing {
        self.0.extend_from_slice(&(blobs.len() as u32).to_le_bytes());
        for blob in blobs {
            self.0.extend_from_slice(&(blob.len() as u64).to_le_bytes());
            self.0.append(blob);
        }
        self
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Outgoing {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The whole frame.
    pub(super) fn end(&mut self) -> &[u8] {
        let length = (self.0.len() - LENGTH_BYTES) as u64;
        self.0[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        &self.0
    }
}

/// Reads one frame of at most `most` bytes into `buffer`. False at the end of the stream.
pub(super) fn read_frame(stream: &mut impl Read, buffer: &mut Vec<u8>, most: usize) -> io::Result<bool> {
    let mut length = [0; LENGTH_BYTES];
    match stream.read_exact(&mut length) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(false),
        other => other?,
    }
    let length = u64::from_le_bytes(length);
    if length > most as u64 {
        let problem = format!("a message of {length} bytes; at most {most} are allowed");
        return Err(io::Error::new(ErrorKind::InvalidData, problem));
    }
    buffer.resize(length as usize, 0);
    stream.read_exact(buffer)?;
    Ok(true)
}

/// The one value that `frame` holds.
pub(super) fn value<T: DeserializeOwned>(frame: &[u8]) -> io::Result<T> {
    let (value, rest) = head(frame)?;
    if rest.is_empty() { Ok(value) } else { Err(nonsense("a message that is longer than what it says")) }
}

/// The value that `frame` begins with, and the bytes after it.
pub(super) fn head<T: DeserializeOwned>(frame: &[u8]) -> io::Result<(T, &[u8])> {
    plain::decode(frame).map_err(|problem| nonsense(&format!("a message that makes no sense: {problem}")))
}

/// The lists of bytes that `frame` begins with, and the bytes after them.
pub(super) fn blobs(frame: &[u8]) -> io::Result<(Vec<&[u8]>, &[u8])> {
    let (count, mut frame) = head::<u32>(frame)?;
    let mut blobs = Vec::new();
    for _ in 0..count {
        let (length, rest) = head::<u64>(frame)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let short = || nonsense("a message that is shorter than what it says");
        let (bytes, rest) = rest.split_at_checked(length).ok_or_else(short)?;
        blobs.push(bytes);
        frame = rest;
    }
    Ok((blobs, frame))
}

/// Puts lists of bytes where they belong.
pub(super) fn restore(blobs: &[&[u8]], places: Vec<&mut Vec<u8>>) -> io::Result<()> {
    if blobs.len() != places.len() {
        return Err(nonsense("a message with other lists than belong to it"));
    }
    for (blob, place) in blobs.iter().zip(places) {
        *place = blob.to_vec();
    }
    Ok(())
}

fn nonsense(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_owned())
}
