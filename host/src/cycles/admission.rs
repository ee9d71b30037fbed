//! Signed modules: what is asked of one before it is installed, however it comes.

use super::Services;
use super::modules::{Arrival, Installed, NotTaken, Verified};
use super::trust::House;
use crate::engine::{self, LimitClass};
use crate::guard::admission::{self, Admission, AdmissionRefusal, ModuleFacts};
use crate::model::manifest::{Manifest, Signature, Signed};
use crate::model::{Digest, StrategyName};
use crate::store::{Connection, trust};
use anyhow::Result;

/// What somebody says of a module, and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub manifest: Manifest,
    pub signatures: Vec<Signature>,
}

/// A claim or a module that keeps out, or that came through.
type Came<T> = Result<Result<T, NotTaken>>;

impl Services {
    /// Installs a signed module from a file; `name` is what it is to be called, if anything was said.
    pub async fn install_signed(
        &self,
        wasm: Vec<u8>,
        name: Option<StrategyName>,
        claim: Claim,
        from: &str,
    ) -> Came<Installed> {
        let _one_at_a_time = self.admission_turn.lock().await;
        let (signed, wasm) = match self.examine_file(wasm, name, claim).await? {
            Ok(examined) => examined,
            Err(why) => return Ok(Err(why.into())),
        };
        let installed = self.install_module(Arrival::signed(&signed, wasm), from_file(&signed, from)).await?;
        if installed.is_ok() {
            let now = self.now();
            self.store.write_durably(move |tx| Ok(trust::accept(tx, &signed.manifest, now)?)).await?;
        }
        Ok(installed)
    }

    /// Checks a signed module as [`Services::install_signed`] does, and keeps nothing of it.
    pub async fn verify_signed(
        &self,
        wasm: Vec<u8>,
        name: Option<StrategyName>,
        claim: Claim,
    ) -> Came<(Verified, Signed)> {
        let (signed, wasm) = match self.examine_file(wasm, name, claim).await? {
            Ok(examined) => examined,
            Err(why) => return Ok(Err(why.into())),
        };
        let verified = self.verify_module(Arrival::signed(&signed, wasm)).await?;
        Ok(verified.map(|verified| (verified, signed)))
    }

    /// A module from a file, with the signers who let it in.
    async fn examine_file(
        &self,
        wasm: Vec<u8>,
        name: Option<StrategyName>,
        claim: Claim,
    ) -> Result<Result<(Signed, Vec<u8>), AdmissionRefusal>> {
        let wasm = match self.fitting(&claim.manifest, wasm, name).await? {
            Ok(wasm) => wasm,
            Err(why) => return Ok(Err(why)),
        };
        let (house, most) = (self.house(), LimitClass::Interpreted.limits().wasm_bytes as u64);
        let admitted = self.store.read(move |conn| let_in(conn, &house, &claim, most)).await?;
        Ok(admitted.map(|admission| (signed(admission), wasm)))
    }

    /// The module, if it is the one that the manifest describes.
    pub(super) async fn fitting(
        &self,
        manifest: &Manifest,
        wasm: Vec<u8>,
        name: Option<StrategyName>,
    ) -> Result<Result<Vec<u8>, AdmissionRefusal>> {
        let manifest = manifest.clone();
        let examined = tokio::task::spawn_blocking(move || {
            let digest = Digest::of(&wasm);
            // What is no component exports nothing.
            let exports = engine::names(&wasm).map(|names| names.exports).unwrap_or_default();
            let facts = ModuleFacts { digest, bytes: wasm.len() as u64, exports: &exports };
            admission::fits(&manifest, &facts, name.as_ref()).map(|()| wasm)
        });
        Ok(examined.await?)
    }
}

/// What the claim alone says, for a way in that takes modules of at most `most_bytes`.
pub(super) fn let_in(
    conn: &Connection,
    house: &House,
    claim: &Claim,
    most_bytes: u64,
) -> Result<Result<Admission, AdmissionRefusal>> {
    let terms = house.terms(conn, most_bytes)?;
    let accepted = trust::accepted(conn, &claim.manifest.name)?;
    Ok(admission::admit(&claim.manifest, &claim.signatures, &terms, accepted))
}

/// The manifest that was let in, now or before.
pub(super) fn signed(admission: Admission) -> Signed {
    match admission {
        Admission::New(signed) | Admission::Again(signed, _) => signed,
    }
}

fn from_file(signed: &Signed, from: &str) -> String {
    format!("version {} from {from}, signed by {}", signed.manifest.version, signed.names())
}
