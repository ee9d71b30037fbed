//! `strategy verify`: whether a node with these trusted signers would let a module in. No node is asked.

use super::Verdict;
use super::bench::{Bench, Source};
use super::inspect;
use super::sigfile::SignatureFile;
use crate::cli::print;
use crate::clock::Clock;
use crate::engine::{LimitClass, interfaces, names};
use crate::guard::admission::{self, AdmissionRefusal, ModuleFacts, Terms};
use crate::guard::{signature, upload};
use crate::model::PeerId;
use crate::model::manifest::Signature;
use anyhow::Result;
use std::fmt::Write;
use std::path::PathBuf;

/// What to verify, for whom.
#[derive(clap::Args)]
pub struct Options {
    /// The `.wasm` file.
    file: PathBuf,
    /// Its signatures; FILE.sig.json if nothing is said.
    #[arg(long, value_name = "FILE")]
    sig: Option<PathBuf>,
    /// A node id whose signature counts; may be given more than once. Without any, every signer counts.
    #[arg(long = "signer", value_name = "NODE_ID")]
    signers: Vec<PeerId>,
    /// How many of them must have signed.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=9))]
    signatures: u64,
    /// The network of the node; that of the manifest if nothing is said.
    #[arg(long)]
    network: Option<String>,
    /// Give it the limits of modules named in revenue-ops-interpreted-modules.
    #[arg(long)]
    interpreted: bool,
}

/// Prints the manifest, each signature, and the verdict.
pub(super) fn verify(options: &Options) -> Result<Verdict> {
    let source = Source::open(&options.file)?;
    let file = SignatureFile::read(&SignatureFile::place(&options.file, options.sig.as_deref()))?;
    let all = || file.signatures.iter().map(|one| one.signer).collect();
    let terms = Terms {
        network: options.network.clone().unwrap_or_else(|| file.manifest.network.clone()),
        trusted: if options.signers.is_empty() { all() } else { options.signers.iter().copied().collect() },
        needed: usize::try_from(options.signatures).unwrap_or(usize::MAX),
        now: Clock::for_network(&file.manifest.network)?.now(),
        interfaces: interfaces(),
        // As an installation from a file; what the module's class allows is seen when it is loaded.
        most_bytes: LimitClass::Interpreted.limits().wasm_bytes as u64,
    };
    let mut out = format!("{}\n", file.manifest);
    for one in &file.signatures {
        writeln!(out, "{}", line(&file, one, &terms))?;
    }
    let verdict = match judge(&source, &file, &terms) {
        Ok(signers) => options.calls_itself_so(&source, &file)?.map(|()| signers),
        Err(why) => Err(why.to_string()),
    };
    match &verdict {
        Ok(signers) if source.wasm.len() as u64 > upload::MAX_BYTES => {
            let most = upload::MAX_BYTES;
            writeln!(
                out,
                "ok      it may come in from a file, signed by {signers}; a push takes at most {most} bytes"
            )?
        }
        Ok(signers) => writeln!(out, "ok      it may come in, signed by {signers}")?,
        Err(why) => writeln!(out, "FAULT   {why}")?,
    }
    print(&out)?;
    Ok(verdict.is_ok().into())
}

impl Options {
    /// Whether the module says of itself what the manifest says, or why not.
    fn calls_itself_so(&self, source: &Source, file: &SignatureFile) -> Result<Result<(), String>> {
        let subject = match Bench::new(inspect::class(self.interpreted))?.load(source)? {
            Ok(subject) => subject,
            Err(fault) => return Ok(Err(fault.to_string())),
        };
        let own = subject.descriptions().into_iter().map(|(_, about)| &about.version);
        let said = own.map(|own| admission::same_version(&file.manifest, own).map_err(|why| why.to_string()));
        Ok(said.collect())
    }
}

fn line(file: &SignatureFile, one: &Signature, terms: &Terms) -> String {
    let counts = if terms.trusted.contains(&one.signer) { "" } else { " (does not count)" };
    match signature::verify(&file.manifest.to_string(), &one.zbase, &one.signer) {
        Ok(()) => format!("good    {}{counts}", one.signer),
        Err(why) => format!("bad     {}{counts}: it {why}", one.signer),
    }
}

/// How many signers let the module in, or why it stays out.
fn judge(source: &Source, file: &SignatureFile, terms: &Terms) -> Result<String, AdmissionRefusal> {
    let exports = names(&source.wasm).map(|names| names.exports).unwrap_or_default();
    let facts = ModuleFacts { digest: source.digest, bytes: source.wasm.len() as u64, exports: &exports };
    admission::fits(&file.manifest, &facts, None)?;
    let (admission::Admission::New(signed) | admission::Admission::Again(signed, _)) =
        admission::admit(&file.manifest, &file.signatures, terms, None)?;
    Ok(signed.names())
}
