//! `strategy sign`: a manifest for a module, signed by the author's node.

use super::Verdict;
use super::bench::{Bench, Source, Subject};
use super::inspect;
use super::kind::{Candidate, WorldName};
use super::node::{self, NodeOptions};
use super::sigfile::SignatureFile;
use crate::cli::print;
use crate::clock::Clock;
use crate::engine::{Fees, Rebalances, World};
use crate::guard::signature;
use crate::model::manifest::{Manifest, Signature};
use crate::model::strategy::Description;
use crate::model::{PeerId, UnixTime};
use anyhow::{Context, Result, anyhow, ensure};
use std::path::PathBuf;

/// What to sign, and how.
#[derive(clap::Args)]
pub struct Options {
    /// The `.wasm` file.
    file: PathBuf,
    /// lightningd's name of the network it is for; that of the signing node if nothing is said.
    #[arg(long)]
    network: Option<String>,
    /// The strategy's name in policies; the module's own if nothing is said.
    #[arg(long)]
    name: Option<String>,
    /// Days for which nodes take it in; 90 if nothing is said.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=366))]
    not_after: Option<u64>,
    /// What it is for, where it is for both.
    #[arg(long, value_enum)]
    world: Option<WorldName>,
    /// Sign nothing: print the text to sign, for lightning-cli signmessage, and keep it in FILE.sig.json.
    #[arg(long, conflicts_with = "add")]
    print: bool,
    /// Add a signature that was made elsewhere.
    #[arg(long, value_name = "NODE_ID=ZBASE")]
    add: Option<String>,
    /// Begin a new manifest, whatever FILE.sig.json holds.
    #[arg(long)]
    anew: bool,
    /// Give it the limits of modules named in revenue-ops-interpreted-modules.
    #[arg(long)]
    interpreted: bool,
    #[command(flatten)]
    node: NodeOptions,
}

/// Days for which a manifest holds when nothing is said.
const DAYS: u64 = 90;

/// Signs, or prints what to sign, or adds a signature.
pub(super) fn sign(options: &Options) -> Result<Verdict> {
    let source = Source::open(&options.file)?;
    let place = SignatureFile::place(&options.file, None);
    let known = if options.anew { None } else { SignatureFile::find(&place)? };
    let known = known.map(|known| options.agrees(known, &source, &place)).transpose()?;
    if let Some(text) = &options.add {
        let known = known.context("there is no manifest yet: strategy sign --print makes it")?;
        return keep(known, by_hand(text)?, &place);
    }
    if options.print {
        let file = known.map_or_else(|| options.fresh(&source, options.network.clone()), Ok)?;
        file.write(&place)?;
        print(&format!("{}\n", file.manifest))?;
        return Ok(Verdict::Good);
    }
    let network = known.as_ref().map(|known| known.manifest.network.clone()).or(options.network.clone());
    let mut node = options.node.connect(network.as_deref())?;
    let facts = node::identity(&mut node)?;
    if let Some(network) = network.filter(|network| *network != facts.network) {
        return Err(anyhow!("the node is on {}, and the manifest is for {network}", facts.network));
    }
    let file = known.map_or_else(|| options.fresh(&source, Some(facts.network)), Ok)?;
    let zbase = node::sign(&mut node, &file.manifest.to_string())?;
    keep(file, Signature { signer: facts.id.parse()?, zbase }, &place)
}

/// Adds a good signature to the file.
fn keep(mut file: SignatureFile, signature: Signature, place: &std::path::Path) -> Result<Verdict> {
    signature::verify(&file.manifest.to_string(), &signature.zbase, &signature.signer)
        .map_err(|why| anyhow!("the signature of {} {why}", signature.signer))?;
    let signer = signature.signer;
    file.add(signature);
    file.write(place)?;
    let count = file.signatures.len();
    let plural = if count == 1 { "" } else { "s" };
    print(&format!(
        "{}\nsigned by {signer}; {} has {count} signature{plural}\n",
        file.manifest,
        place.display()
    ))?;
    Ok(Verdict::Good)
}

/// `<node id>=<zbase>`.
fn by_hand(text: &str) -> Result<Signature> {
    let (signer, zbase) = text.split_once('=').context("--add: use <node id>=<zbase>")?;
    let signer: PeerId = signer.trim().parse()?;
    Ok(Signature { signer, zbase: zbase.trim().to_owned() })
}

impl Options {
    /// The manifest that is there, if it says what was asked for.
    fn agrees(
        &self,
        known: SignatureFile,
        source: &Source,
        place: &std::path::Path,
    ) -> Result<SignatureFile> {
        known.ensure_for(source, place)?;
        let there = &known.manifest;
        let differs = self.name.as_ref().is_some_and(|name| *name != there.name.as_str())
            || self.network.as_ref().is_some_and(|network| *network != there.network)
            || self.not_after.is_some();
        ensure!(
            !differs,
            "{} has a manifest that says otherwise: add to it without --name, --network and --not-after, or use --anew",
            place.display()
        );
        Ok(known)
    }

    /// A manifest of what the module is.
    fn fresh(&self, source: &Source, network: Option<String>) -> Result<SignatureFile> {
        let network = network.context("which network is it for? use --network")?;
        let subject = Bench::new(inspect::class(self.interpreted))?.subject(source)?;
        let (about, abi) = described(&subject, self.world)?;
        let named = self.name.as_ref().unwrap_or(&about.name);
        let version =
            about.version.parse().map_err(|why| anyhow!("{why}, and the module calls itself so"))?;
        let now = Clock::for_network(&network)?.now();
        let manifest = Manifest {
            network,
            name: named.parse().map_err(|why| anyhow!("{why}: use --name"))?,
            version,
            abi,
            digest: source.digest,
            bytes: source.wasm.len() as u64,
            not_after: now.plus(self.not_after.unwrap_or(DAYS) * UnixTime::DAY),
        };
        ensure!(!manifest.name.is_built_in(), "'{}' is built in: use --name", manifest.name);
        // What cannot be read again cannot be pushed.
        let manifest = manifest.to_string().parse()?;
        Ok(SignatureFile { manifest, signatures: vec![] })
    }
}

/// What a module says of itself in the world that is asked for, and the interface of it.
fn described(subject: &Subject, world: Option<WorldName>) -> Result<(Description, String)> {
    fn interface<W: World>() -> String {
        W::INTERFACE.to_string()
    }
    Ok(match subject.candidate(world)? {
        Candidate::Fees(module) => (module.description.clone(), interface::<Fees>()),
        Candidate::Rebalances(module) => (module.description.clone(), interface::<Rebalances>()),
    })
}
