//! Settings while the plugin runs. An override stored by `revenue-config set` rules over
//! the option in lightningd's configuration, and that over the default.

use crate::config::{Config, ConfigError, Setting, Value};
use crate::model::UnixTime;
use crate::store::{Store, overrides};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The settings in force, and where they come from.
pub struct Settings {
    layers: Mutex<Layers>,
    current: watch::Sender<Arc<Config>>,
    /// Changes are made one after another, so that store and memory agree.
    change: tokio::sync::Mutex<()>,
}

struct Layers {
    /// Defaults with lightningd's options over them.
    options: Config,
    overrides: BTreeMap<&'static str, Value>,
    version: u64,
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
        let layers = Mutex::new(Layers { options, overrides: BTreeMap::new(), version: 0 });
        Settings { layers, current, change: tokio::sync::Mutex::new(()) }
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

    /// Lays the stored overrides over the options. Those that are no longer allowed are
    /// left out and returned.
    pub async fn load_overrides(&self, store: &Store) -> anyhow::Result<Vec<ConfigError>> {
        let stored = store.read(|conn| Ok((overrides::load_all(conn)?, overrides::version(conn)?))).await?;
        let values = stored.0.iter().map(|row| (row.key.as_str(), Value::Text(row.value.clone())));
        let mut layers = self.layers();
        let (config, refused) = layers.options.overlaid(values);
        layers.version = stored.1;
        layers.overrides = stored
            .0
            .iter()
            .filter_map(|row| crate::config::find(&row.key))
            .map(|setting| (setting.key, (setting.get)(&config)))
            .collect();
        self.current.send_replace(Arc::new(config));
        Ok(refused)
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
        store.write(|tx| Ok(overrides::delete(tx, setting.key)?)).await.map_err(ChangeError::Store)?;
        let mut layers = self.layers();
        layers.overrides.remove(setting.key);
        self.current.send_replace(Arc::new(config));
        Ok(Changed { key: setting.key, old: (setting.get)(&before), new: option, version: layers.version })
    }

    /// Follows lightningd's `setconfig`: the option changes, and an override of it ends,
    /// since the operator's latest word counts. `store` is absent before it is open.
    pub async fn set_option(
        &self,
        store: Option<&Store>,
        setting: &'static Setting,
        raw: &Value,
    ) -> Result<(), ChangeError> {
        if !setting.mutable {
            return Err(ChangeError::Immutable(setting.key));
        }
        let _one_at_a_time = self.change.lock().await;
        let name = setting.option_name().unwrap_or_else(|| setting.key.to_owned());
        let config = self.current().with(setting, raw, &name).map_err(ChangeError::Refused)?;
        if let Some(store) = store {
            store.write(|tx| Ok(overrides::delete(tx, setting.key)?)).await.map_err(ChangeError::Store)?;
        }
        let mut layers = self.layers();
        let value = (setting.get)(&config);
        let (options, contradictions) = layers.options.overlaid([(setting.key, value)]);
        if contradictions.is_empty() {
            layers.options = options;
        }
        layers.overrides.remove(setting.key);
        self.current.send_replace(Arc::new(config));
        Ok(())
    }
}
