//! Whose signatures let a module in.

use super::Services;
use crate::config::{self, Config};
use crate::engine;
use crate::guard::admission::Terms;
use crate::guard::signature;
use crate::model::{PeerId, UnixTime};
use crate::store::Connection;
use crate::store::trust::{self, TrustEvent, TrustedSigner};
use anyhow::Result;

/// The keys that the operator's configuration names.
///
/// # Errors
/// One sentence for a text that is no list of keys.
pub fn pinned(config: &Config) -> Result<Vec<PeerId>, String> {
    let wrong = |why: String| {
        format!(
            "revenue-ops-strategy-signers: {why}; use node ids (66 hexadecimal digits) with commas between"
        )
    };
    let mut keys = Vec::new();
    for text in config::listed(&config.strategy_signers) {
        let key: PeerId = text.parse().map_err(|_| wrong(format!("'{text}' is no node id")))?;
        if !signature::is_key(&key) {
            return Err(wrong(format!("'{text}' is no public key: it lies not on the curve")));
        }
        if keys.contains(&key) {
            return Err(wrong(format!("'{text}' is there twice")));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// Who is trusted.
#[derive(Clone, Debug)]
pub struct Signers {
    /// By the operator's configuration.
    pub pinned: Vec<PeerId>,
    /// By a command.
    pub added: Vec<TrustedSigner>,
    /// How many of them must have signed a module.
    pub needed: usize,
    /// The latest commands, newest first.
    pub history: Vec<TrustEvent>,
}

/// How many commands are shown.
const HISTORY: u32 = 20;

/// What a node is to those who hand it modules, apart from whom it trusts by command.
#[derive(Clone)]
pub(super) struct House {
    network: String,
    pinned: Vec<PeerId>,
    needed: usize,
    pub(super) now: UnixTime,
}

impl House {
    /// What is asked of a module that comes in by a way that takes `most_bytes`.
    pub(super) fn terms(&self, conn: &Connection, most_bytes: u64) -> Result<Terms> {
        let added = trust::list(conn)?.into_iter().map(|one| one.signer);
        Ok(Terms {
            network: self.network.clone(),
            trusted: added.chain(self.pinned.iter().copied()).collect(),
            needed: self.needed,
            now: self.now,
            interfaces: engine::interfaces(),
            most_bytes,
        })
    }
}

impl Services {
    pub(super) fn house(&self) -> House {
        let config = self.config();
        House {
            network: self.network.clone(),
            // The start of the plugin has checked them.
            pinned: pinned(&config).unwrap_or_default(),
            needed: usize::try_from(config.strategy_signatures).unwrap_or(usize::MAX),
            now: self.now(),
        }
    }

    /// Who is trusted now.
    pub async fn signers(&self) -> Result<Signers> {
        let house = self.house();
        let (added, history) =
            self.store.read(|conn| Ok((trust::list(conn)?, trust::events(conn, HISTORY)?))).await?;
        Ok(Signers { pinned: house.pinned, added, needed: house.needed, history })
    }

    /// Trusts a key from now on. Returns whether it was not trusted by a command before.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn trust_signer(&self, signer: PeerId, label: String) -> Result<bool> {
        let added = TrustedSigner { signer, label, added_at: self.now() };
        self.store.write(move |tx| Ok(trust::add(tx, &added)?)).await
    }

    /// Trusts a key no longer, unless it is pinned. Returns whether it was trusted.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn distrust_signer(&self, signer: PeerId) -> Result<bool> {
        let now = self.now();
        self.store.write_durably(move |tx| Ok(trust::remove(tx, &signer, now)?)).await
    }
}
