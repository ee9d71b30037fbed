//! Which chunks an upload takes: the next one, or one that it has, again.

use crate::model::UnixTime;
use crate::model::upload::{Upload, UploadState};
use std::fmt;

/// Largest module that is taken in chunks, bytes.
pub const MAX_BYTES: u64 = 4 << 20;
/// Largest chunk, bytes.
pub const MAX_CHUNK_BYTES: usize = 32 << 10;
/// Most chunks of one upload: each is a row.
pub const MAX_CHUNKS: u32 = 1_024;
/// Most uploads that are open at the same time.
pub const MAX_OPEN: usize = 4;
/// How long an upload stays open without a chunk, seconds.
pub const PATIENCE_S: u64 = UnixTime::HOUR;

/// What to do with a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Keep it.
    Next,
    /// It is there already: its bytes must be the same.
    Again,
}

/// Why an upload does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadRefusal {
    /// It has ended, and how.
    Ended(UploadState),
    Empty,
    TooLarge {
        bytes: usize,
    },
    TooMany,
    OutOfOrder {
        seq: u32,
        next: u32,
    },
    Differs {
        seq: u32,
    },
    BeyondTheEnd {
        bytes: u64,
        announced: u64,
    },
    Unfinished {
        bytes: u64,
        announced: u64,
        next: u32,
    },
    TooManyOpen,
}

impl UploadRefusal {
    /// The word for programs.
    pub fn code(&self) -> &'static str {
        use UploadRefusal::*;
        match self {
            Ended(state) => state.name(),
            Empty => "empty_chunk",
            TooLarge { .. } => "chunk_too_large",
            TooMany => "too_many_chunks",
            OutOfOrder { .. } => "out_of_order",
            Differs { .. } => "chunk_differs",
            BeyondTheEnd { .. } => "too_many_bytes",
            Unfinished { .. } => "unfinished",
            TooManyOpen => "too_many_open",
        }
    }
}

impl fmt::Display for UploadRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use UploadRefusal::*;
        match self {
            Ended(UploadState::Expired) => write!(
                f,
                "the upload has expired, since no chunk came for {} minutes: begin it again",
                PATIENCE_S / 60
            ),
            Ended(state) => write!(f, "the upload is {}: begin it again to send it anew", state.name()),
            Empty => write!(f, "the chunk is empty: use 1 to {MAX_CHUNK_BYTES} bytes"),
            TooLarge { bytes } => {
                write!(f, "the chunk has {bytes} bytes, and at most {MAX_CHUNK_BYTES} are taken")
            }
            TooMany => {
                write!(f, "the upload has {MAX_CHUNKS} chunks, the most that are taken: use larger ones")
            }
            OutOfOrder { seq, next } => write!(f, "chunk {seq} is not next: chunk {next} is"),
            Differs { seq } => write!(f, "chunk {seq} is there already, with other bytes"),
            BeyondTheEnd { bytes, announced } => {
                write!(f, "with this chunk there would be {bytes} bytes, and the manifest says {announced}")
            }
            Unfinished { bytes, announced, next } => {
                write!(f, "{bytes} of {announced} bytes are there: chunk {next} is next")
            }
            TooManyOpen => write!(
                f,
                "{MAX_OPEN} uploads are open, the most that may be: commit or abort one \
                 (`revenue-strategy push list` shows them)"
            ),
        }
    }
}

/// Where the upload stands now, whether or not anybody has noted yet that its time is over.
pub fn state(upload: &Upload, now: UnixTime) -> UploadState {
    match upload.state {
        UploadState::Open if now.since(upload.touched_at) > PATIENCE_S => UploadState::Expired,
        state => state,
    }
}

/// Whether the chunk `seq` of `bytes` bytes may come now.
///
/// # Errors
/// When it may not; the upload stays as it is.
pub fn chunk(upload: &Upload, seq: u32, bytes: usize, now: UnixTime) -> Result<Chunk, UploadRefusal> {
    match state(upload, now) {
        UploadState::Open => {}
        ended => return Err(UploadRefusal::Ended(ended)),
    }
    if bytes == 0 {
        return Err(UploadRefusal::Empty);
    }
    if bytes > MAX_CHUNK_BYTES {
        return Err(UploadRefusal::TooLarge { bytes });
    }
    if seq < upload.chunks {
        return Ok(Chunk::Again);
    }
    if seq > upload.chunks {
        return Err(UploadRefusal::OutOfOrder { seq, next: upload.chunks });
    }
    let (total, announced) = (upload.bytes + bytes as u64, upload.manifest.bytes);
    if total > announced {
        return Err(UploadRefusal::BeyondTheEnd { bytes: total, announced });
    }
    if upload.chunks == MAX_CHUNKS {
        return Err(UploadRefusal::TooMany);
    }
    Ok(Chunk::Next)
}

/// Whether all bytes are there.
///
/// # Errors
/// When some are missing, or the upload has ended without having been received.
pub fn whole(upload: &Upload, now: UnixTime) -> Result<(), UploadRefusal> {
    match state(upload, now) {
        UploadState::Open => {}
        ended => return Err(UploadRefusal::Ended(ended)),
    }
    let (bytes, announced) = (upload.bytes, upload.manifest.bytes);
    if bytes < announced {
        return Err(UploadRefusal::Unfinished { bytes, announced, next: upload.chunks });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::upload::UploadId;
    use crate::model::{Digest, manifest::Manifest, manifest::Version};

    const NOW: UnixTime = UnixTime(1_800_000_000);

    /// 2 chunks and 50,000 bytes of 70,000.
    fn upload() -> Upload {
        let manifest = Manifest {
            network: "bitcoin".to_owned(),
            name: "mine".parse().expect("a name"),
            version: Version([1, 0, 0]),
            abi: "a".to_owned(),
            digest: Digest([0; 32]),
            bytes: 70_000,
            not_after: NOW,
        };
        Upload {
            id: UploadId([0; 16]),
            manifest,
            signatures: vec![],
            state: UploadState::Open,
            chunks: 2,
            bytes: 50_000,
            touched_at: NOW,
            signers: vec![],
        }
    }

    #[test]
    fn chunks_come_in_order_and_may_come_again() {
        use UploadRefusal::*;
        for (seq, bytes, expect) in [
            (2, 1, Ok(Chunk::Next)),
            (2, 20_000, Ok(Chunk::Next)),
            (0, 1, Ok(Chunk::Again)),
            (1, 32_768, Ok(Chunk::Again)),
            (3, 1, Err(OutOfOrder { seq: 3, next: 2 })),
            (2, 0, Err(Empty)),
            (0, 32_769, Err(TooLarge { bytes: 32_769 })),
            (2, 20_001, Err(BeyondTheEnd { bytes: 70_001, announced: 70_000 })),
        ] {
            assert_eq!(chunk(&upload(), seq, bytes, NOW), expect, "{seq}, {bytes} bytes");
        }
        let crumbs = Upload { chunks: MAX_CHUNKS, ..upload() };
        assert_eq!(chunk(&crumbs, MAX_CHUNKS, 1, NOW), Err(TooMany));
    }

    #[test]
    fn an_upload_ends_once() {
        use UploadState::*;
        let (late, whole_one) = (NOW.plus(PATIENCE_S + 1), Upload { bytes: 70_000, ..upload() });
        assert_eq!(chunk(&upload(), 2, 1, NOW.plus(PATIENCE_S)), Ok(Chunk::Next));
        assert_eq!(chunk(&upload(), 2, 1, late), Err(UploadRefusal::Ended(Expired)));
        assert_eq!(whole(&whole_one, NOW), Ok(()));
        assert_eq!(whole(&whole_one, late), Err(UploadRefusal::Ended(Expired)));
        assert_eq!(
            whole(&upload(), NOW),
            Err(UploadRefusal::Unfinished { bytes: 50_000, announced: 70_000, next: 2 })
        );
        for ended in [Received, Expired, Aborted] {
            let upload = Upload { state: ended, ..whole_one.clone() };
            assert_eq!(chunk(&upload, 0, 1, NOW), Err(UploadRefusal::Ended(ended)));
            assert_eq!(whole(&upload, late), Err(UploadRefusal::Ended(ended)));
        }
    }
}
