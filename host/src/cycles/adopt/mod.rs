//! Taking over the Python plugin's database at the first start that finds one.

mod whose;
mod wishes;

use super::settings::Settings;
use crate::model::UnixTime;
use crate::node::Node;
use crate::store::adopt::{
    self, Adoption, Found, FoundOverride, Horizons, Original, OriginalError, Outcome, Part, Tally,
};
use crate::store::{Store, meta};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use whose::Whose;

/// Where the file may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The configured path, when another program's file is there.
    pub configured: Option<PathBuf>,
    /// Where that plugin kept it unless told otherwise, when another program's file is there; absent when
    /// a path is configured.
    pub old_default: Option<PathBuf>,
    /// Where a copy is made for the time of reading.
    pub copy: PathBuf,
}

/// The file at the old default that is another node's, so that it is looked at once.
const REFUSED: &str = "import_refused_path";

/// Who does what, for the time of the start.
pub struct Stage<'a> {
    pub node: &'a Node,
    pub store: &'a Store,
    /// As lightningd gave them; overrides that come over are laid over them later.
    pub settings: &'a Settings,
    pub now: UnixTime,
}

impl Stage<'_> {
    /// Takes the file over if these books have taken over none and there is one. Gives a sentence if one is
    /// there that was not taken. Fails, so that nothing is decided without the operator's policies, while
    /// the file cannot be read.
    pub async fn adopt(&self, places: &Places) -> Result<Option<String>> {
        if self.store.read(|conn| Ok(adopt::is_done(conn)?)).await? {
            return Ok(None);
        }
        if let Some(path) = &places.configured {
            return match self.open(path, &places.copy).await? {
                Ok(original) => self.take(original, Whose::may_be_ours).await,
                Err(error @ OriginalError::Stranger { .. }) => Ok(Some(error.to_string())),
                Err(error) => Err(error.into()),
            };
        }
        let Some(path) = &places.old_default else { return Ok(None) };
        let refused: Option<String> = self.store.read(|conn| Ok(meta::get(conn, REFUSED)?)).await?;
        if refused.is_some_and(|refused| Path::new(&refused) == path) {
            return Ok(None);
        }
        match self.open(path, &places.copy).await? {
            Ok(original) => {
                let why = self.take(original, Whose::is_ours).await?;
                if let Some(why) = why {
                    tracing::info!("{why}");
                    let path = path.display().to_string();
                    self.store.write(move |tx| Ok(meta::set(tx, REFUSED, &path)?)).await?;
                }
                Ok(None)
            }
            Err(OriginalError::Stranger { .. }) => Ok(None),
            Err(error @ OriginalError::Busy { .. }) => Err(error.into()),
            // Nothing says that it is this node's.
            Err(error) => Ok(Some(error.to_string())),
        }
    }

    async fn open(&self, path: &Path, copy: &Path) -> Result<Result<Original, OriginalError>> {
        let (path, copy) = (path.to_owned(), copy.to_owned());
        Ok(tokio::task::spawn_blocking(move || Original::open(&path, &copy)).await?)
    }

    /// Takes the file over if `wanted` says that it is this node's; else why not.
    async fn take(&self, original: Original, wanted: fn(&Whose) -> bool) -> Result<Option<String>> {
        let roster = self.node.roster().await.context("listing the node's channels")?;
        let (original, named) = tokio::task::spawn_blocking(move || {
            let named = original.channels();
            (original, named)
        })
        .await?;
        let named = named?;
        let whose = Whose::of(&named, &roster);
        if !wanted(&whose) {
            return Ok(Some(whose.refusal(&original.path)));
        }
        let horizons = Horizons {
            forwards: self.node.first_forward().await.context("looking for the first forward")?,
            payments: self.node.first_payment().await.context("looking for the first payment")?,
        };
        let (path, digest) = (original.path.display().to_string(), original.digest);
        let mut found = tokio::task::spawn_blocking(move || original.read(horizons)).await??;
        let names = roster.iter().flat_map(|one| one.names.iter().map(|name| (*name, one.channel_id)));
        let adoption = Adoption {
            path: path.clone(),
            digest,
            now: self.now,
            channels: whose.named,
            channels_ours: whose.ours,
            horizons,
            names: names.collect(),
            renamed: whose::renamed(&named, &roster),
            policies: wishes::policies(std::mem::take(&mut found.policies), self.now, &mut found.tally),
            overrides: self.overrides(&mut found),
            found,
        };
        let tally = self.store.write(move |tx| Ok(adopt::book(tx, adoption)?)).await?;
        tracing::info!("{}", summary(&path, &tally));
        Ok(None)
    }

    fn overrides(&self, found: &mut Found) -> Vec<FoundOverride> {
        let overrides = std::mem::take(&mut found.overrides);
        wishes::overrides(overrides, &self.settings.current(), &mut found.tally)
    }
}

/// One line for the log.
fn summary(path: &str, tally: &Tally) -> String {
    let taken = Part::ALL.iter().filter_map(|part| {
        let rows = tally.count(*part, Outcome::Taken);
        (rows > 0).then(|| format!("{} {rows}", part.name()))
    });
    let taken: Vec<String> = taken.collect();
    let all = |outcome| Part::ALL.iter().map(|part| tally.count(*part, outcome)).sum::<u64>();
    format!(
        "took over the Python plugin's database {path}, which stays as it is: {}; {} rows that the node itself knows \
         are not counted from it, {} were left out; `revenue-status` shows all under imported",
        if taken.is_empty() { "nothing was in it".to_owned() } else { taken.join(", ") },
        all(Outcome::Known),
        all(Outcome::Skipped),
    )
}
