//! Settings while the plugin runs. An override stored by `revenue-config set` rules over
//! the option in lightningd's configuration, and that over the default.

use crate::config::{Config, ConfigError, LeftOut, Setting, Value};
use crate::model::UnixTime;
use crate::store::{Store, overrides};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The settings in force, and where they come from.
pub struct Settings {
    layers: Mutex<Layers>,
    current: watch::Sender<Arc<Config>>,
    /// Changes are made one after another, so that store and memory agree. Holds the store once it is there
    /// to stay.
    change: tokio::sync::Mutex<Option<Store>>,
}

struct Layers {
    /// Defaults with lightningd's options over them.
    options: Config,
    overrides: BTreeMap<&'static str, Value>,
    /// Stored overrides that are not in force.
    left_out: Vec<LeftOut>,
    version: u64,
    /// Settings that `setconfig` changed before the store was there to stay: their overrides end.
    superseded: BTreeSet<&'static str>,
}

impl Layers {
    /// The operator has spoken about this setting: what was left out of it is of no interest any more.
    fn decided(&mut self, key: &str) {
        self.left_out.retain(|one| !one.keys.iter().any(|left_out| left_out == key));
    }
}

/// What a change did.
pub struct Changed {
    pub key: &'static str,
    pub old: Value,
    pub new: Value,
    pub version: u64,
}

/// Why a change was not made.
#[derive(Debug)]
pub enum ChangeError {
    Refused(ConfigError),
    /// Only the start of the plugin sets it.
    Immutable(&'static str),
    /// There is no override to take back.
    NoOverride(&'static str),
    Store(anyhow::Error),
}

impl std::fmt::Display for ChangeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ChangeError::Refused(error) => error.fmt(f),
            ChangeError::Immutable(key) => {
                write!(f, "{key} can only be set when the plugin starts; nothing was changed")
            }
            ChangeError::NoOverride(key) => write!(f, "{key} has no override; nothing was changed"),
            ChangeError::Store(error) => {
                write!(f, "the change could not be stored: {error:#}; nothing was changed")
            }
        }
    }
}

impl Settings {
    /// The settings that lightningd gave; overrides are laid over them later.
    pub fn new(options: Config) -> Settings {
        let current = watch::Sender::new(Arc::new(options.clone()));
        let layers = Mutex::new(Layers {
            options,
            overrides: BTreeMap::new(),
            left_out: Vec::new(),
            version: 0,
            superseded: BTreeSet::new(),
        });
        Settings { layers, current, change: tokio::sync::Mutex::default() }
    }

    /// The settings now. A cycle takes them once.
    pub fn current(&self) -> Arc<Config> {
        self.current.borrow().clone()
    }

    /// Tells of every change.
    pub fn watch(&self) -> watch::Receiver<Arc<Config>> {
        self.current.subscribe()
    }

    /// Number of the latest override ever stored.
    pub fn version(&self) -> u64 {
        self.layers().version
    }

    fn layers(&self) -> std::sync::MutexGuard<'_, Layers> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stored overrides that are not in force, since they are not allowed or contradict the options.
    pub fn left_out(&self) -> Vec<LeftOut> {
        self.layers().left_out.clone()
    }

    /// Lays the stored overrides over the options, but for those that are no longer allowed.
    pub async fn load_overrides(&self, store: &Store) -> anyhow::Result<()> {
        let _one_at_a_time = self.change.lock().await;
        let stored = self.end_superseded(store).await?;
        let values = stored.0.iter().map(|row| (row.key.as_str(), Value::Text(row.value.clone())));
        let mut layers = self.layers();
        let (config, left_out) = layers.options.overlaid(values);
        layers.left_out = left_out;
        layers.version = stored.1;
        layers.overrides = stored
            .0
            .iter()
            .filter_map(|row| crate::config::find(&row.key))
            .map(|setting| (setting.key, (setting.get)(&config)))
            .collect();
        self.current.send_replace(Arc::new(config));
        Ok(())
    }

    /// The store is there to stay: `setconfig` ends overrides in it from now on, as it did since they were
    /// loaded.
    pub async fn hold(&self, store: &Store) -> anyhow::Result<()> {
        let mut held = self.change.lock().await;
        let (_, version) = self.end_superseded(store).await?;
        self.layers().version = version;
        *held = Some(store.clone());
        Ok(())
    }

    /// Deletes the overrides that `setconfig` ended before there was a store to do it in. Gives those that
    /// are left, and their version.
    async fn end_superseded(&self, store: &Store) -> anyhow::Result<(Vec<overrides::Override>, u64)> {
        let superseded = self.layers().superseded.clone();
        let stored = store
            .write(move |tx| {
                for key in superseded {
                    overrides::delete(tx, key)?;
                }
                Ok((overrides::load_all(tx)?, overrides::version(tx)?))
            })
            .await?;
        // Nothing was added meanwhile: one change at a time.
        self.layers().superseded.clear();
        Ok(stored)
    }

    /// Changes a setting now and for all later starts.
    pub async fn set(
        &self,
        store: &Store,
        setting: &'static Setting,
        raw: &Value,
        called: &str,
        now: UnixTime,
    ) -> Result<Changed, ChangeError> {
        if !setting.mutable {
            return Err(ChangeError::Immutable(setting.key));
        }
        let _one_at_a_time = self.change.lock().await;
        let before = self.current();
        let config = before.with(setting, raw, called).map_err(ChangeError::Refused)?;
        let (key, new) = (setting.key, (setting.get)(&config));
        let text = new.to_string();
        let version = store
            .write(move |tx| Ok(overrides::put(tx, key, &text, now)?))
            .await
            .map_err(ChangeError::Store)?;
        let mut layers = self.layers();
        layers.decided(key);
        layers.overrides.insert(key, new.clone());
        layers.version = version;
        self.current.send_replace(Arc::new(config));
        Ok(Changed { key, old: (setting.get)(&before), new, version })
    }

    /// Takes an override back, now: what lightningd's configuration says rules again.
    pub async fn reset(&self, store: &Store, setting: &'static Setting) -> Result<Changed, ChangeError> {
        let _one_at_a_time = self.change.lock().await;
        let before = self.current();
        let option = {
            let layers = self.layers();
            if !layers.overrides.contains_key(setting.key) {
                return Err(ChangeError::NoOverride(setting.key));
            }
            (setting.get)(&layers.options)
        };
        let config = before.with(setting, &option, setting.key).map_err(ChangeError::Refused)?;
        let version = delete_override(store, setting).await?;
        let mut layers = self.layers();
        layers.decided(setting.key);
        layers.overrides.remove(setting.key);
        layers.version = version;
        self.current.send_replace(Arc::new(config));
        Ok(Changed { key: setting.key, old: (setting.get)(&before), new: option, version })
    }

    /// Follows lightningd's `setconfig`: the option changes, and an override of it ends,
    /// since the operator's latest word counts.
    pub async fn set_option(&self, setting: &'static Setting, raw: &Value) -> Result<(), ChangeError> {
        if !setting.mutable {
            return Err(ChangeError::Immutable(setting.key));
        }
        let held = self.change.lock().await;
        let name = setting.option_name().unwrap_or_else(|| setting.key.to_owned());
        let config = self.current().with(setting, raw, &name).map_err(ChangeError::Refused)?;
        let version = match &*held {
            Some(store) => Some(delete_override(store, setting).await?),
            None => None,
        };
        let mut layers = self.layers();
        layers.decided(setting.key);
        layers.options.copy(setting, &config);
        layers.overrides.remove(setting.key);
        match version {
            Some(version) => layers.version = version,
            None => {
                layers.superseded.insert(setting.key);
            }
        }
        self.current.send_replace(Arc::new(config));
        Ok(())
    }
}

/// Ends an override in the store; gives the version after that.
async fn delete_override(store: &Store, setting: &'static Setting) -> Result<u64, ChangeError> {
    let delete = |tx: &crate::store::Transaction<'_>| {
        overrides::delete(tx, setting.key)?;
        Ok(overrides::version(tx)?)
    };
    store.write(delete).await.map_err(ChangeError::Store)
}
