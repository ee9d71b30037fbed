//! Modules that come in chunks over the node's RPC: begun with a manifest and its signatures, continued
//! chunk by chunk, across restarts too, and committed when whole.
//!
//! What can be refused before there is a byte is refused at the beginning. It is checked again at the
//! end: meanwhile a key may have lost its trust, a manifest its time, a version its lead.

mod error;

pub use error::PushError;

use super::Services;
use super::admission::{Claim, let_in, signed};
use super::modules::{Arrival, NotTaken};
use super::trust::House;
use crate::guard::admission::{Accepted, Admission, AdmissionRefusal};
use crate::guard::upload::{self, Chunk, UploadRefusal};
use crate::model::UnixTime;
use crate::model::manifest::{Manifest, Signed};
use crate::model::upload::{Upload, UploadId, UploadState};
use crate::store::{Connection, Transaction, installed, trust, uploads};
use anyhow::{Result, bail};
use sha2::{Digest as _, Sha256};

/// What the beginning of an upload came to.
#[derive(Clone, Debug)]
pub enum Begun {
    /// Chunks may come; those of an earlier beginning are there.
    Open(Upload),
    /// The module was let in before, and is installed.
    Again(Signed, Accepted),
}

impl Services {
    /// Begins an upload, or goes on with the one of the same manifest that is open.
    ///
    /// # Errors
    /// What the manifest and its signatures alone let refuse.
    pub async fn push_begin(&self, claim: Claim) -> Result<Begun> {
        let house = self.house();
        self.store.write(move |tx| begin(tx, &house, claim)).await
    }

    /// Takes a chunk. One that is there already changes nothing.
    ///
    /// # Errors
    /// When it is not the next one, or not the same as before.
    pub async fn push_chunk(&self, id: UploadId, seq: u32, bytes: Vec<u8>) -> Result<Upload> {
        let now = self.now();
        self.store.write(move |tx| chunk(tx, id, seq, &bytes, now)).await
    }

    /// Gives an upload up. Returns whether it was open.
    ///
    /// # Errors
    /// When it was received already.
    pub async fn push_abort(&self, id: UploadId) -> Result<(Upload, bool)> {
        let now = self.now();
        self.store.write(move |tx| abort(tx, id, now)).await
    }

    /// The uploads that are known, the last touched first.
    pub async fn uploads(&self) -> Result<Vec<Upload>> {
        let now = self.now();
        let uploads = self.store.read(|conn| Ok(uploads::list(conn)?)).await?;
        Ok(uploads.into_iter().map(|one| Upload { state: upload::state(&one, now), ..one }).collect())
    }

    /// Checks a whole upload and takes the module in. Doing it again answers the same.
    ///
    /// # Errors
    /// When chunks are missing, or the module may not come in.
    pub async fn push_commit(&self, id: UploadId) -> Result<Upload> {
        let _one_at_a_time = self.admission_turn.lock().await;
        let now = self.now();
        let (found, wasm) = self.store.read(move |conn| collect(conn, id, now)).await?;
        if found.state == UploadState::Received {
            return Ok(found);
        }
        let wasm = match self.fitting(&found.manifest, wasm, None).await? {
            Ok(wasm) => wasm,
            Err(why) => bail!(self.drop_upload(found, why).await?),
        };
        let house = self.house();
        let claim = Claim { manifest: found.manifest.clone(), signatures: found.signatures.clone() };
        let admitted = self.store.read(move |conn| let_in(conn, &house, &claim, upload::MAX_BYTES)).await?;
        let signed = signed(admitted.map_err(PushError::NotLetIn)?);
        let how = format!("version {} pushed, signed by {}", signed.manifest.version, signed.names());
        match self.install_module(Arrival::signed(&signed, wasm), how).await? {
            Ok(_) => {}
            Err(NotTaken::Claim(why)) => bail!(self.drop_upload(found, why).await?),
            Err(NotTaken::Module(why)) => bail!(PushError::NotInstalled(why, Box::new(found))),
        }
        let received =
            Upload { state: UploadState::Received, touched_at: self.now(), signers: signed.signers, ..found };
        let stored = received.clone();
        self.store.write_durably(move |tx| received_now(tx, &stored)).await?;
        Ok(received)
    }

    async fn drop_upload(&self, found: Upload, why: AdmissionRefusal) -> Result<PushError> {
        let now = self.now();
        tracing::warn!("an upload of '{}' is dropped: {why}", found.manifest.name);
        let dropped = self.store.write(move |tx| give_up(tx, found, now)).await?;
        Ok(PushError::Dropped(why, Box::new(dropped)))
    }
}

/// An upload's name: it follows from its manifest.
fn name_of(manifest: &Manifest) -> UploadId {
    let hash = Sha256::digest(manifest.to_string());
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    UploadId(id)
}

fn refused(why: UploadRefusal, found: Upload) -> PushError {
    PushError::Refused(why, Box::new(found))
}

fn find(conn: &Connection, id: UploadId) -> Result<Upload> {
    Ok(uploads::get(conn, &id)?.ok_or(PushError::Unknown(id))?)
}

fn begin(tx: &Transaction<'_>, house: &House, claim: Claim) -> Result<Begun> {
    let admitted = let_in(tx, house, &claim, upload::MAX_BYTES)?.map_err(PushError::NotLetIn)?;
    let Claim { manifest, signatures } = claim;
    // Who removed it may have it again.
    if let Admission::Again(signed, accepted) = admitted
        && installed::get(tx, &manifest.name, &manifest.digest)?.is_some()
    {
        return Ok(Begun::Again(signed, accepted));
    }
    let (id, now) = (name_of(&manifest), house.now);
    let all = uploads::list(tx)?;
    let (own, others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .filter(|one| upload::state(one, now) == UploadState::Open)
        .partition(|one| one.id == id);
    let begun = match own.into_iter().next() {
        Some(open) => Upload { signatures, touched_at: now, ..open },
        None if others.len() >= upload::MAX_OPEN => bail!(PushError::TooManyOpen),
        None => {
            let (state, signers) = (UploadState::Open, vec![]);
            Upload { id, manifest, signatures, state, chunks: 0, bytes: 0, touched_at: now, signers }
        }
    };
    if begun.chunks == 0 {
        uploads::drop_chunks(tx, &id)?;
    }
    uploads::put(tx, &begun)?;
    Ok(Begun::Open(begun))
}

fn chunk(tx: &Transaction<'_>, id: UploadId, seq: u32, bytes: &[u8], now: UnixTime) -> Result<Upload> {
    let found = find(tx, id)?;
    match upload::chunk(&found, seq, bytes.len(), now) {
        Err(why) => bail!(refused(why, found)),
        Ok(Chunk::Again) => {
            let kept = uploads::chunk(tx, &id, seq)?;
            if kept.as_deref() != Some(bytes) {
                bail!(refused(UploadRefusal::Differs { seq }, found));
            }
            Ok(found)
        }
        Ok(Chunk::Next) => {
            let longer = Upload {
                chunks: found.chunks + 1,
                bytes: found.bytes + bytes.len() as u64,
                touched_at: now,
                ..found
            };
            uploads::put_chunk(tx, &id, seq, bytes)?;
            uploads::put(tx, &longer)?;
            Ok(longer)
        }
    }
}

fn abort(tx: &Transaction<'_>, id: UploadId, now: UnixTime) -> Result<(Upload, bool)> {
    let found = find(tx, id)?;
    let state = upload::state(&found, now);
    match state {
        UploadState::Received => bail!(refused(UploadRefusal::Ended(state), found)),
        UploadState::Expired | UploadState::Aborted => Ok((Upload { state, ..found }, false)),
        UploadState::Open => Ok((give_up(tx, found, now)?, true)),
    }
}

/// Ends an upload without its module.
fn give_up(tx: &Transaction<'_>, found: Upload, now: UnixTime) -> Result<Upload> {
    let ended = Upload { state: UploadState::Aborted, chunks: 0, bytes: 0, touched_at: now, ..found };
    uploads::drop_chunks(tx, &ended.id)?;
    uploads::put(tx, &ended)?;
    Ok(ended)
}

/// An upload that may be committed with its bytes, or one that was.
fn collect(conn: &Connection, id: UploadId, now: UnixTime) -> Result<(Upload, Vec<u8>)> {
    let found = find(conn, id)?;
    if found.state == UploadState::Received {
        return Ok((found, vec![]));
    }
    if let Err(why) = upload::whole(&found, now) {
        bail!(refused(why, found));
    }
    let wasm = uploads::bytes(conn, &id)?;
    Ok((found, wasm))
}

fn received_now(tx: &Transaction<'_>, received: &Upload) -> Result<()> {
    trust::accept(tx, &received.manifest, received.touched_at)?;
    uploads::drop_chunks(tx, &received.id)?;
    Ok(uploads::put(tx, received)?)
}
