//! Modules on their way in, and their chunks until they are whole.

use super::sql::{Unsigned, int, json, to_json, word};
use crate::model::manifest::Signature;
use crate::model::upload::{Upload, UploadId, UploadState};
use crate::model::{PeerId, UnixTime};
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, params};

impl ToSql for UploadId {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_slice()))
    }
}

impl FromSql for UploadId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(UploadId)
    }
}

const COLUMNS: &str = "upload, manifest, signatures, state, chunks, bytes, touched_at_s, signers";

/// Keeps an upload in place of what is known of it. Its chunks stay.
pub fn put(tx: &Transaction<'_>, upload: &Upload) -> Result<()> {
    let pairs = upload.signatures.iter().map(|one| (one.signer.to_string(), &one.zbase));
    let signers: Vec<String> = upload.signers.iter().map(ToString::to_string).collect();
    tx.prepare_cached(&format!(
        "INSERT INTO uploads ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (upload) DO UPDATE SET signatures = excluded.signatures, state = excluded.state,
             chunks = excluded.chunks, bytes = excluded.bytes, touched_at_s = excluded.touched_at_s,
             signers = excluded.signers"
    ))?
    .execute(params![
        upload.id,
        upload.manifest.to_string(),
        to_json(&pairs.collect::<Vec<_>>())?,
        upload.state.name(),
        upload.chunks,
        int(upload.bytes)?,
        upload.touched_at,
        to_json(&signers)?,
    ])?;
    Ok(())
}

/// What is known of an upload.
pub fn get(conn: &Connection, id: &UploadId) -> Result<Option<Upload>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM uploads WHERE upload = ?1"))?
        .query_row([id], read)
        .optional()
}

/// All uploads that are known, the last touched first.
pub fn list(conn: &Connection) -> Result<Vec<Upload>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM uploads ORDER BY touched_at_s DESC, upload"))?
        .query_map([], read)?
        .collect()
}

/// Keeps a chunk.
pub fn put_chunk(tx: &Transaction<'_>, id: &UploadId, seq: u32, bytes: &[u8]) -> Result<()> {
    tx.prepare_cached("INSERT INTO upload_chunks (upload, seq, bytes) VALUES (?1, ?2, ?3)")?
        .execute(params![id, seq, bytes])?;
    Ok(())
}

/// One chunk, if it is there.
pub fn chunk(conn: &Connection, id: &UploadId, seq: u32) -> Result<Option<Vec<u8>>> {
    conn.prepare_cached("SELECT bytes FROM upload_chunks WHERE upload = ?1 AND seq = ?2")?
        .query_row(params![id, seq], |row| row.get(0))
        .optional()
}

/// All chunks, one after another.
pub fn bytes(conn: &Connection, id: &UploadId) -> Result<Vec<u8>> {
    let mut whole = Vec::new();
    let mut select = conn.prepare_cached("SELECT bytes FROM upload_chunks WHERE upload = ?1 ORDER BY seq")?;
    let mut rows = select.query([id])?;
    while let Some(row) = rows.next()? {
        whole.extend_from_slice(row.get_ref(0)?.as_blob()?);
    }
    Ok(whole)
}

/// Drops an upload's chunks.
pub fn drop_chunks(tx: &Transaction<'_>, id: &UploadId) -> Result<usize> {
    tx.execute("DELETE FROM upload_chunks WHERE upload = ?1", [id])
}

/// Ends open uploads without a chunk since `before`, and drops their chunks. Returns how many.
pub fn expire(tx: &Transaction<'_>, before: UnixTime) -> Result<usize> {
    tx.execute(
        "DELETE FROM upload_chunks WHERE upload IN
             (SELECT upload FROM uploads WHERE state = 'open' AND touched_at_s < ?1)",
        [before],
    )?;
    tx.execute(
        "UPDATE uploads SET state = 'expired', chunks = 0, bytes = 0 WHERE state = 'open' AND touched_at_s < ?1",
        [before],
    )
}

/// Forgets uploads that ended before `before`. Returns how many.
pub fn prune(tx: &Transaction<'_>, before: UnixTime) -> Result<usize> {
    tx.execute("DELETE FROM uploads WHERE state <> 'open' AND touched_at_s < ?1", [before])
}

fn read(row: &Row<'_>) -> Result<Upload> {
    let signatures: Vec<(String, String)> = json(row, "signatures")?;
    let signers: Vec<String> = json(row, "signers")?;
    let key = |text: &str| {
        text.parse::<PeerId>().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
        })
    };
    let signatures =
        signatures.into_iter().map(|(signer, zbase)| Ok(Signature { signer: key(&signer)?, zbase }));
    Ok(Upload {
        id: row.get("upload")?,
        manifest: word(row, "manifest", |text| text.parse().ok())?,
        signatures: signatures.collect::<Result<_>>()?,
        state: word(row, "state", UploadState::from_name)?,
        chunks: row.get("chunks")?,
        bytes: row.get::<_, Unsigned>("bytes")?.0,
        touched_at: row.get("touched_at_s")?,
        signers: signers.iter().map(|signer| key(signer)).collect::<Result<_>>()?,
    })
}
