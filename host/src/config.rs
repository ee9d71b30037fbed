//! Settings: one table says each one's name, type, default, bounds, unit and whether it
//! can change while the plugin runs. Registration with lightningd, `revenue-config`,
//! `setconfig`, validation and the generated documentation all read that table.

mod table;
mod value;

pub use table::{Config, SETTINGS};
pub use value::{Kind, Value};

use std::fmt;

/// What lightningd's names for our options begin with.
pub const OPTION_PREFIX: &str = "revenue-ops-";

/// One row of the table.
pub struct Setting {
    /// The name in `revenue-config`.
    pub key: &'static str,
    /// The name as a lightningd option, without [`OPTION_PREFIX`]; none for
    /// settings that only `revenue-config` knows.
    pub option: Option<&'static str>,
    /// One sentence with the unit.
    pub doc: &'static str,
    /// Type and bounds.
    pub kind: Kind,
    /// Whether `revenue-config set` and `setconfig` may change it.
    pub mutable: bool,
    /// Reads it.
    pub get: fn(&Config) -> Value,
    /// Writes a value that `kind` has accepted.
    set: fn(&mut Config, Value),
}

/// A refused change: one sentence that names setting, value and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Stored values that are not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// As they are stored.
    pub keys: Vec<String>,
    pub why: ConfigError,
}

impl LeftOut {
    fn one(key: &str, why: String) -> LeftOut {
        LeftOut { keys: vec![key.to_owned()], why: ConfigError(why) }
    }
}

impl Setting {
    /// The full name of the option, if it is one.
    pub fn option_name(&self) -> Option<String> {
        self.option.map(|name| format!("{OPTION_PREFIX}{name}"))
    }

    /// Whether `name` means this setting: its key, its option with or without the
    /// prefix, hyphens and underscores alike.
    fn is_called(&self, name: &str) -> bool {
        let plain = name.to_ascii_lowercase().replace('-', "_");
        let plain = plain.strip_prefix("revenue_ops_").unwrap_or(&plain);
        plain == self.key || self.option.is_some_and(|option| option.replace('-', "_") == plain)
    }
}

/// The parts of a text that holds several with commas between.
pub fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// The setting with this key or option name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.is_called(name))
}

impl Config {
    /// A copy with one setting changed, or why that cannot be. `shown_as` is the name
    /// that the caller used, for the error's sentence.
    pub fn with(&self, setting: &Setting, raw: &Value, shown_as: &str) -> Result<Config, ConfigError> {
        let value = setting.kind.accept(raw).map_err(|allowed| {
            ConfigError(format!(
                "{shown_as}: '{}' is not allowed: use {allowed}; nothing was changed",
                raw.shown()
            ))
        })?;
        let mut changed = self.clone();
        (setting.set)(&mut changed, value);
        match changed.contradictions().first() {
            None => Ok(changed),
            Some(found) => {
                let why = found.told(|setting| setting.key.to_owned());
                let named = [found.low.key, found.high.key].contains(&shown_as);
                let why = if named { why } else { format!("{shown_as}: {why}") };
                Err(ConfigError(format!("{why}; nothing was changed")))
            }
        }
    }

    /// All settings from texts by option name, as lightningd gives them at the start.
    /// Pairs are checked once, at the end, so that their order does not matter.
    pub fn from_options<'a>(
        options: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        for (name, raw) in options {
            let setting =
                find(name).ok_or_else(|| ConfigError(format!("{name}: there is no such option")))?;
            let value = setting.kind.accept(&raw).map_err(|allowed| {
                ConfigError(format!("{name}: '{}' is not allowed: use {allowed}", raw.shown()))
            })?;
            (setting.set)(&mut config, value);
        }
        match config.contradictions().first() {
            None => Ok(config),
            Some(found) => Err(ConfigError(
                found.told(|setting| setting.option_name().unwrap_or_else(|| setting.key.to_owned())),
            )),
        }
    }

    /// Takes over one setting from `other`, whatever its fellow of a pair may be.
    pub fn copy(&mut self, setting: &Setting, other: &Config) {
        (setting.set)(self, (setting.get)(other));
    }

    /// A copy with these values by key laid over it. A value that its setting does not
    /// accept is left out and told; so are those of a pair that contradict each other.
    pub fn overlaid<'a>(&self, values: impl IntoIterator<Item = (&'a str, Value)>) -> (Config, Vec<LeftOut>) {
        let (mut config, mut left_out) = (self.clone(), Vec::new());
        for (key, raw) in values {
            match find(key).map(|setting| (setting, setting.kind.accept(&raw))) {
                Some((setting, Ok(value))) if setting.mutable => (setting.set)(&mut config, value),
                Some((_, Err(allowed))) => left_out.push(LeftOut::one(
                    key,
                    format!("{key}: '{}' is not allowed: use {allowed}", raw.shown()),
                )),
                Some((_, Ok(_))) | None => {
                    left_out.push(LeftOut::one(key, format!("{key}: there is no such setting to change")))
                }
            }
        }
        for found in config.contradictions() {
            let key = |setting: &Setting| setting.key.to_owned();
            let keys = vec![key(found.low), key(found.high)];
            left_out.push(LeftOut { keys, why: ConfigError(found.told(key)) });
            config.copy(found.low, self);
            config.copy(found.high, self);
        }
        (config, left_out)
    }

    /// The pairs of settings that contradict each other.
    fn contradictions(&self) -> Vec<Contradiction> {
        let found = |pair: &[&str; 2]| {
            let [low, high] = pair.map(|key| find(key).expect("the pairs are made of keys of the table"));
            let values = [low, high].map(|setting| (setting.get)(self));
            (values[0].number() > values[1].number()).then_some(Contradiction { low, high, values })
        };
        PAIRS.iter().filter_map(found).collect()
    }
}

/// Settings of which the first must not be above the second, by key. No setting is in two pairs: to give
/// up one pair makes no other one worse.
const PAIRS: [[&str; 2]; 4] = [
    ["min_fee_ppm", "max_fee_ppm"],
    ["rebalance_min_amount", "rebalance_max_amount"],
    ["low_liquidity_threshold", "high_liquidity_threshold"],
    ["sink_threshold", "source_threshold"],
];

/// A pair whose first value is above its second.
struct Contradiction {
    low: &'static Setting,
    high: &'static Setting,
    values: [Value; 2],
}

impl Contradiction {
    fn told(&self, name: impl Fn(&Setting) -> String) -> String {
        let [low, high] = &self.values;
        format!("{} ({low}) must not be above {} ({high})", name(self.low), name(self.high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(config: &Config, name: &str, value: &str) -> Result<Config, ConfigError> {
        config.with(find(name).expect(name), &Value::Text(value.to_owned()), name)
    }

    #[test]
    fn names_are_unique_and_documented() {
        let mut names = BTreeSet::new();
        for setting in SETTINGS {
            assert!(names.insert(setting.key.to_owned()), "{} twice", setting.key);
            if let Some(option) = setting.option
                && option.replace('-', "_") != setting.key
            {
                assert!(names.insert(option.replace('-', "_")), "{option} twice");
            }
            assert!(setting.doc.ends_with('.'), "{}: {}", setting.key, setting.doc);
        }
    }

    #[test]
    fn every_default_is_within_its_own_bounds() {
        let config = Config::default();
        for setting in SETTINGS {
            let value = (setting.get)(&config);
            assert_eq!(setting.kind.accept(&value), Ok(value), "{}", setting.key);
        }
        assert_eq!(config.contradictions().len(), 0);
    }

    #[test]
    fn both_names_of_a_setting_find_it() {
        for name in ["vegas-decay", "vegas_decay_rate", "revenue-ops-vegas-decay", "VEGAS_DECAY"] {
            assert_eq!(find(name).expect(name).key, "vegas_decay_rate");
        }
        assert!(find("nope").is_none());
    }

    #[test]
    fn values_are_read_as_old_config_files_write_them() {
        let config = Config::default();
        assert!(!set(&config, "vegas-reflex", "False").expect("a bool").enable_vegas_reflex);
        assert!(set(&config, "vegas-reflex", "1").expect("a bool").enable_vegas_reflex);
        assert_eq!(set(&config, "min-fee-ppm", " 25 ").expect("an integer").min_fee_ppm, 25);
        assert_eq!(set(&config, "scarcity-threshold", ".5").expect("a number").scarcity_threshold, 0.5);
        for (typed, read) in [("", ""), (" py-fees ,js_fees,", "py-fees, js_fees"), ("A", "A")] {
            assert_eq!(set(&config, "interpreted-modules", typed).expect("names").interpreted_modules, read);
        }
    }

    #[test]
    fn refusals_name_setting_value_and_range() {
        let config = Config::default();
        for (name, value, expect) in [
            ("revenue-ops-max-fee-ppm", "200000", "1 to 100000"),
            ("fee_interval", "-5", "60 to 86400"),
            ("fee_interval", "0", "60 to 86400"),
            ("vegas-reflex", "ture", "true or false"),
            ("scarcity-threshold", "NaN", "0 to 1"),
            ("rebalancer", "circular", "sling"),
            ("rebalance-strategy", "a/b c", "letters, digits"),
            ("rebalance-strategy", "", "letters, digits"),
            ("interpreted-modules", "py-fees, ../x", "names with commas between"),
            ("interpreted-modules", "py-fees js-fees", "names with commas between"),
            ("min_fee_ppm", "90000", "must not be above max_fee_ppm (5000)"),
        ] {
            let error = set(&config, name, value).expect_err(name).to_string();
            assert!(error.contains(name) && error.contains(value) && error.contains(expect), "{error}");
        }
    }

    #[test]
    fn options_may_come_in_any_order() {
        let options = [("revenue-ops-min-fee-ppm", "6000"), ("revenue-ops-max-fee-ppm", "7000")];
        let read = |options: &[(&'static str, &str)]| {
            Config::from_options(options.iter().map(|(name, text)| (*name, Value::Text((*text).to_owned()))))
        };
        assert_eq!(read(&options).expect("min below max").min_fee_ppm, 6000);
        assert!(read(&options[..1]).is_err());
    }

    #[test]
    fn stored_values_are_checked_again() {
        let values = [("min_fee_ppm", "20"), ("max_fee_ppm", "0"), ("snapshot", "x"), ("dry_run", "true")];
        let (config, refused) =
            Config::default().overlaid(values.map(|(key, text)| (key, Value::Text(text.to_owned()))));
        assert_eq!((config.min_fee_ppm, config.max_fee_ppm, config.dry_run), (20, 5_000, false));
        assert_eq!(refused.len(), 3, "{refused:?}");
    }

    #[test]
    fn of_stored_values_only_a_pair_that_contradicts_itself_is_left_out() {
        let values = [("min_fee_ppm", 300), ("daily_budget_sats", 0), ("max_fee_ppm", 200)];
        let (config, refused) = Config::default().overlaid(values.map(|(key, n)| (key, Value::Int(n))));
        assert_eq!(config, Config { daily_budget_sats: 0, ..Config::default() });
        assert_eq!(refused[0].why.to_string(), "min_fee_ppm (300) must not be above max_fee_ppm (200)");
        let options = Config { max_fee_ppm: 200, ..Config::default() };
        let (config, refused) = options.overlaid([("min_fee_ppm", Value::Int(300))]);
        assert_eq!((config, refused.len()), (options, 1));
    }

    proptest! {
        #[test]
        fn no_input_leaves_a_config_out_of_bounds(index in 0..SETTINGS.len(), text in "\\PC{0,12}|-?[0-9]{1,20}(\\.[0-9]{1,4})?") {
            let setting = &SETTINGS[index];
            if let Ok(config) = Config::default().with(setting, &Value::Text(text), setting.key) {
                let value = (setting.get)(&config);
                prop_assert_eq!(setting.kind.accept(&value), Ok(value));
                prop_assert_eq!(config.contradictions().len(), 0);
            }
        }
    }
}
