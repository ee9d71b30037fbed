//! Whose signatures count by the operator's command, and the highest version of each strategy that was
//! ever let in.

use super::sql::require_durable;
use crate::guard::admission::Accepted;
use crate::model::manifest::{Manifest, Version};
use crate::model::{PeerId, StrategyName, UnixTime};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};

/// A key that a command made trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedSigner {
    pub signer: PeerId,
    /// What the operator calls it; may be empty.
    pub label: String,
    pub added_at: UnixTime,
}

/// One step in the history of trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustEvent {
    pub at: UnixTime,
    /// `add`, `label` or `remove`.
    pub action: String,
    pub signer: PeerId,
    pub label: String,
}

/// Trusts a key, or gives a trusted one another label. Returns whether it was not trusted before.
pub fn add(tx: &Transaction<'_>, signer: &TrustedSigner) -> Result<bool> {
    let TrustedSigner { signer: key, label, added_at } = signer;
    let known = tx
        .prepare_cached("UPDATE trusted_signers SET label = ?2 WHERE signer = ?1")?
        .execute(params![key, label])?;
    if known == 0 {
        tx.prepare_cached("INSERT INTO trusted_signers (signer, label, added_at_s) VALUES (?1, ?2, ?3)")?
            .execute(params![key, label, added_at])?;
    }
    note(tx, if known == 0 { "add" } else { "label" }, key, label, *added_at)?;
    Ok(known == 0)
}

/// Trusts a key no longer, durably. Returns whether it was trusted.
pub fn remove(tx: &Transaction<'_>, signer: &PeerId, now: UnixTime) -> Result<bool> {
    require_durable(tx)?;
    let label: Option<String> = tx
        .prepare_cached("DELETE FROM trusted_signers WHERE signer = ?1 RETURNING label")?
        .query_row([signer], |row| row.get(0))
        .optional()?;
    if let Some(label) = &label {
        note(tx, "remove", signer, label, now)?;
    }
    Ok(label.is_some())
}

fn note(tx: &Transaction<'_>, action: &str, signer: &PeerId, label: &str, at: UnixTime) -> Result<()> {
    tx.prepare_cached("INSERT INTO trust_events (at_s, action, signer, label) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![at, action, signer, label])?;
    Ok(())
}

/// The latest steps in the history of trust, newest first.
pub fn events(conn: &Connection, most: u32) -> Result<Vec<TrustEvent>> {
    conn.prepare_cached("SELECT at_s, action, signer, label FROM trust_events ORDER BY id DESC LIMIT ?1")?
        .query_map([most], |row| {
            Ok(TrustEvent { at: row.get(0)?, action: row.get(1)?, signer: row.get(2)?, label: row.get(3)? })
        })?
        .collect()
}

/// All keys that commands made trusted, the oldest first.
pub fn list(conn: &Connection) -> Result<Vec<TrustedSigner>> {
    conn.prepare_cached("SELECT signer, label, added_at_s FROM trusted_signers ORDER BY added_at_s, signer")?
        .query_map([], |row| {
            Ok(TrustedSigner { signer: row.get(0)?, label: row.get(1)?, added_at: row.get(2)? })
        })?
        .collect()
}

/// The highest version let in under this name.
pub fn accepted(conn: &Connection, name: &StrategyName) -> Result<Option<Accepted>> {
    conn.prepare_cached(
        "SELECT major, minor, patch, digest, accepted_at_s FROM accepted_versions WHERE name = ?1",
    )?
    .query_row([name.as_str()], |row| {
        let version = Version([row.get(0)?, row.get(1)?, row.get(2)?]);
        Ok(Accepted { version, digest: row.get(3)?, at: row.get(4)? })
    })
    .optional()
}

/// Notes that a version was let in, durably. The mark never goes down.
pub fn accept(tx: &Transaction<'_>, manifest: &Manifest, now: UnixTime) -> Result<()> {
    require_durable(tx)?;
    let [major, minor, patch] = manifest.version.0;
    tx.prepare_cached(
        "INSERT INTO accepted_versions (name, major, minor, patch, digest, accepted_at_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (name) DO UPDATE SET major = excluded.major, minor = excluded.minor, patch = excluded.patch,
             digest = excluded.digest, accepted_at_s = excluded.accepted_at_s
         WHERE (excluded.major, excluded.minor, excluded.patch) > (major, minor, patch)",
    )?
    .execute(params![manifest.name.as_str(), major, minor, patch, manifest.digest, now])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;
    use crate::store::testing::{memory, peer};

    #[test]
    fn a_key_is_trusted_once() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let one = TrustedSigner { signer: peer(1), label: "a".to_owned(), added_at: UnixTime(5) };
        assert_eq!(add(&tx, &one), Ok(true));
        let renamed = TrustedSigner { label: "b".to_owned(), added_at: UnixTime(9), ..one };
        assert_eq!(add(&tx, &renamed), Ok(false));
        assert_eq!(list(&tx), Ok(vec![TrustedSigner { added_at: UnixTime(5), ..renamed }]));
        let remove = || remove(&tx, &peer(1), UnixTime(11));
        assert_eq!((remove(), remove()), (Ok(true), Ok(false)));
        assert_eq!(list(&tx), Ok(vec![]));
        let told: Vec<_> =
            events(&tx, 9).expect("rows").into_iter().map(|one| (one.at.0, one.action)).collect();
        assert_eq!(told, [(11, "remove".to_owned()), (9, "label".to_owned()), (5, "add".to_owned())]);
    }

    #[test]
    fn the_mark_never_goes_down() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let name: StrategyName = "mine".parse().expect("a name");
        let manifest = |version: [u32; 3]| Manifest {
            network: "regtest".to_owned(),
            name: name.clone(),
            version: Version(version),
            abi: "a".to_owned(),
            digest: Digest([version[1] as u8; 32]),
            bytes: 1,
            not_after: UnixTime(9),
        };
        assert_eq!(accepted(&tx, &name), Ok(None));
        for (version, mark) in [
            ([1, 9, 0], [1, 9, 0]),
            ([1, 8, u32::MAX], [1, 9, 0]),
            ([1, 10, 0], [1, 10, 0]),
            ([0, 99, 0], [1, 10, 0]),
        ] {
            accept(&tx, &manifest(version), UnixTime(7)).expect("stored");
            let highest = accepted(&tx, &name).expect("a row").expect("a mark");
            assert_eq!(highest.version, Version(mark));
            assert_eq!(highest.digest, Digest([mark[1] as u8; 32]));
        }
    }
}
