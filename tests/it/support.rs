//! The stage of the tests: the real plugin, started as lightningd starts it, on a simulated node.

#![allow(clippy::unwrap_used)]

use lab::market::{ChannelSpec, DemandSpec};
use lab::plugin::LogLine;
use lab::{Extra, Flavour, Lab, LabConfig, MarketSpec, Plugin, PluginCommand, Recorded};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Generous: a test fails by this only when something hangs.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// Between two looks at something that is awaited.
const LOOK: Duration = Duration::from_millis(25);

/// What is put on the stage. Unless told otherwise: lightningd v26.06 with the demo market, standing
/// still, with bookkeeper and sling; a plugin without options whose clock runs at real speed.
pub struct Setup {
    config: LabConfig,
    command: PluginCommand,
}

impl Setup {
    fn new(flavour: Flavour) -> Setup {
        // What the home of whoever runs the tests holds must not matter.
        let command = PluginCommand::new(env!("CARGO_BIN_EXE_cl-revenue-ops")).env("HOME", "/nonexistent");
        Setup { config: LabConfig { manual: true, ..LabConfig::new("", flavour) }, command }
    }

    /// A real node of this release, which answers from its recordings, standing at a phase of its
    /// run (`start`, `after-sling`, `after-splice`, `onchain`, `after-close`; not every run has all).
    /// `Lab::enter_phase` moves it on, `Lab::recorded_notifications` is what it said.
    pub fn recorded(mut self, phase: &str) -> Setup {
        let version = match self.config.flavour {
            Flavour::V23_05 => "v23.05",
            Flavour::V24_11 => "v24.11",
            Flavour::V26_06 => "v26.06",
        };
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/recordings");
        let recorded = Recorded::load(format!("{fixtures}/{version}"), self.config.flavour).unwrap();
        self.config = LabConfig::of_recording("", recorded.at(phase).unwrap());
        self
    }

    /// The node's channels and the demand for them.
    pub fn spec(mut self, spec: MarketSpec) -> Setup {
        self.config.spec = spec;
        self
    }

    /// `count` like channels with peers of their own, without demand.
    pub fn channels(self, count: usize) -> Setup {
        let channels = (0..count).map(|n| ChannelSpec::new(&format!("peer{n}"), n)).collect();
        self.spec(MarketSpec::new(channels, Vec::<DemandSpec>::new()))
    }

    /// An option of the plugin, without `revenue-ops-`.
    pub fn option(mut self, name: &str, value: impl Into<Value>) -> Setup {
        self.command = self.command.option(&format!("revenue-ops-{name}"), value);
        self
    }

    /// The speed of the plugin's clock, seconds per second; the market stands still.
    pub fn rate(mut self, rate: f64) -> Setup {
        self.config.rate = rate;
        self
    }

    /// A plugin whose clock all but stands still: jobs run when they are woken, and those that come at
    /// the start, however long the test takes.
    pub fn unhurried(self) -> Setup {
        self.rate(0.001)
    }

    /// Lets time run on the node too, at the plugin's speed.
    pub fn running(mut self) -> Setup {
        self.config.manual = false;
        self
    }

    /// Lets time stand still on the node until a test moves it.
    pub fn standing(mut self) -> Setup {
        self.config.manual = true;
        self
    }

    /// The other plugins on the node.
    pub fn extras(mut self, extras: &[Extra]) -> Setup {
        self.config.extras = extras.to_vec();
        self
    }

    /// The node without the plugin.
    pub async fn build(mut self) -> Backstage {
        // Its path is short, as a unix socket's must be.
        let dir = TempDir::new(&std::env::temp_dir(), "revops");
        self.config.dir = dir.path().to_owned();
        let lab = Lab::start(self.config).await.unwrap();
        Backstage { lab, command: self.command, dir }
    }

    /// The node with the plugin ready.
    pub async fn start(self) -> Stage {
        let stage = self.build().await.start().await;
        stage.until_ready().await;
        stage
    }

    /// Why the plugin refuses to start.
    pub async fn refusal(self) -> String {
        let backstage = self.build().await;
        let outcome = backstage.lab.attach(backstage.command.clone()).await;
        format!("{:#}", outcome.err().expect("the plugin starts although it must not"))
    }
}

/// A simulated node before the plugin.
pub struct Backstage {
    pub lab: Lab,
    pub command: PluginCommand,
    dir: TempDir,
}

impl Backstage {
    /// Starts the plugin, which may not be ready yet.
    pub async fn start(self) -> Stage {
        let plugin = self.lab.attach(self.command.clone()).await.unwrap();
        Stage { plugin, lab: self.lab, command: self.command, _dir: self.dir }
    }
}

/// A running plugin on a simulated node. What the plugin logged is printed when a test fails.
pub struct Stage {
    pub plugin: Plugin,
    pub lab: Lab,
    /// How the plugin is started; a restart takes what it says then.
    pub command: PluginCommand,
    // The last field, since a directory goes after those who work in it.
    _dir: TempDir,
}

impl Stage {
    /// What to put on the stage, on a lightningd of this release.
    pub fn on(flavour: Flavour) -> Setup {
        Setup::new(flavour)
    }

    /// A command's answer, an error answer too.
    pub async fn call(&self, method: &str, params: Value) -> Value {
        let answer = tokio::time::timeout(DEADLINE, self.plugin.call(method, params.clone())).await;
        let answer = answer.unwrap_or_else(|_| panic!("{method} {params} never answers"));
        answer.unwrap_or_else(|error| panic!("{method} {params}: {error}"))
    }

    /// An answer that must not be an error.
    pub async fn success(&self, method: &str, params: Value) -> Value {
        let answer = self.call(method, params.clone()).await;
        assert!(answer.get("error").is_none(), "{method} {params}: {answer}");
        answer
    }

    /// The sentence of an answer that must be an error.
    pub async fn refusal(&self, method: &str, params: Value) -> String {
        let answer = self.call(method, params.clone()).await;
        assert_eq!(answer["status"], "error", "{method} {params}: {answer}");
        answer["error"].as_str().expect("an error is a text").to_owned()
    }

    pub async fn status(&self) -> Value {
        self.call("revenue-status", json!({})).await
    }

    pub async fn until_ready(&self) {
        self.until_status(|status| status["ready"] == true).await;
    }

    /// Has all fees looked at, and returns the status once that is over.
    pub async fn fee_cycle(&self) -> Value {
        let id = |status: &Value| status["last_fee_cycle"]["id"].as_u64().unwrap_or(0);
        let before = id(&self.until_fees_rest().await);
        self.success("revenue-wake-all", json!({})).await;
        self.until_status(|status| id(status) > before && is_at_rest(status, "fees")).await
    }

    /// Waits until no fee cycle runs and nobody has asked for one; the status then.
    pub async fn until_fees_rest(&self) -> Value {
        self.until_status(|status| is_at_rest(status, "fees")).await
    }

    /// Waits until the plugin has logged a line with all these parts.
    pub async fn until_logged(&self, parts: &[&str]) {
        wait_until(DEADLINE, async || {
            let logs = self.plugin.logs();
            let is_it = |line: &LogLine| parts.iter().all(|part| line.message.contains(part));
            if logs.iter().any(is_it) { Ok(()) } else { Err(json!(format!("no line with {parts:?}"))) }
        })
        .await;
    }

    /// Waits until the status is as wanted.
    pub async fn until_status(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_until(DEADLINE, async || {
            let status = self.status().await;
            if wanted(&status) { Ok(status) } else { Err(status) }
        })
        .await
    }

    /// Waits until a channel of the node has this fee.
    pub async fn until_fee(&self, channel: usize, ppm: u32) {
        wait_until(DEADLINE, async || match self.fee(channel) {
            now if now == ppm => Ok(()),
            now => Err(json!(format!("channel {channel} has {now} ppm, not {ppm}"))),
        })
        .await;
    }

    /// Waits until a channel's fee on the node is within these bounds, ppm.
    pub async fn until_within(&self, channel: usize, min: u32, max: u32) {
        wait_until(DEADLINE, async || match self.fee(channel) {
            now if (min..=max).contains(&now) => Ok(()),
            now => Err(json!(format!("channel {channel} has {now} ppm, not {min} to {max}"))),
        })
        .await;
    }

    /// A channel's fee rate on the node, ppm.
    pub fn fee(&self, channel: usize) -> u32 {
        self.lab.with_node(|node| node.fee(channel).ppm)
    }

    /// The fee rates of all channels on the node, ppm.
    pub fn fees(&self) -> Vec<u32> {
        let count = self.lab.with_node(|node| node.channels().len());
        (0..count).map(|channel| self.fee(channel)).collect()
    }

    /// The peer of a channel.
    pub fn peer(&self, channel: usize) -> String {
        self.lab.with_node(|node| node.channels()[channel].peer_id.clone())
    }

    /// The short channel id of a channel.
    pub fn scid(&self, channel: usize) -> String {
        self.lab.with_node(|node| node.channels()[channel].scid.to_string())
    }

    /// Waits until a method was called on the node's socket this often.
    pub async fn until_count(&self, method: &str, calls: usize) {
        wait_until(DEADLINE, async || match self.count(method) {
            now if now >= calls => Ok(()),
            now => Err(json!(format!("{now} calls of {method}, not {calls}"))),
        })
        .await;
    }

    /// Waits until the ledger has looked at the node.
    pub async fn until_funds_are_read(&self) {
        wait_until(DEADLINE, async || {
            let history = self.success("revenue-history", json!({})).await;
            if history["as_of"].is_u64() { Ok(()) } else { Err(history) }
        })
        .await;
    }

    /// Waits until the plugin knows every fee that the node has collected.
    pub async fn until_forwards_are_stored(&self) {
        wait_until(DEADLINE, async || {
            let collected = json!(self.lab.with_node(|node| node.fees_collected_msat()));
            let history = self.success("revenue-history", json!({})).await;
            let stored = &history["lifetime_revenue_msat"];
            if *stored == collected {
                Ok(())
            } else {
                Err(json!(format!("{stored} msat stored, {collected} collected")))
            }
        })
        .await;
    }

    /// How often a method was called on the node's socket.
    pub fn count(&self, method: &str) -> usize {
        self.lab.with_mischief(|mischief| mischief.count(method))
    }

    /// What the degraded list says of a part.
    pub async fn degraded(&self, part: &str) -> Option<String> {
        why_degraded(&self.status().await, part)
    }

    /// The plugin's own directory.
    pub fn data_dir(&self) -> PathBuf {
        self.lab.lightning_dir().join("revenue-ops")
    }

    /// The plugin's database, unless the option names another.
    pub fn db_path(&self) -> PathBuf {
        self.data_dir().join("revenue_ops.db")
    }

    /// Starts the plugin after it ended, and waits until it is ready.
    pub async fn start_again(&mut self) {
        self.plugin = self.lab.attach(self.command.clone()).await.unwrap();
        self.until_ready().await;
    }

    /// Stops the plugin as `plugin stop` does and starts it again.
    pub async fn restart(&mut self) {
        self.plugin.stop().await.unwrap();
        self.start_again().await;
    }

    /// Ends node and plugin in good order.
    pub async fn end(self) {
        let stopped = self.plugin.stop().await.unwrap();
        assert!(stopped.by_itself, "the plugin had to be killed");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for line in self.plugin.logs() {
                eprintln!("plugin: {}: {}", line.level, line.message);
            }
        }
    }
}

/// Whether a job neither runs nor was asked to.
pub fn is_at_rest(status: &Value, job: &str) -> bool {
    let job = &status["jobs"][job];
    job["running"] == false && job["woken"] == false
}

/// What the degraded list of a status says of a part.
pub fn why_degraded(status: &Value, part: &str) -> Option<String> {
    let parts = status["degraded"].as_array().expect("a list");
    let found = parts.iter().find(|entry| entry["part"] == part)?;
    Some(found["why"].as_str().expect("a text").to_owned())
}

/// Looks until `look` finds something; what it saw instead is the failure's text.
pub async fn wait_until<T>(deadline: Duration, mut look: impl AsyncFnMut() -> Result<T, Value>) -> T {
    let start = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) => {
                assert!(start.elapsed() < deadline, "not within {deadline:?}; the last look: {seen}")
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The names of an object's fields, sorted: their order means nothing.
pub fn fields(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// A directory of one owner, with whom it goes.
pub struct TempDir(PathBuf);

impl TempDir {
    /// One that nobody has, whatever an earlier process with the number of this one left behind.
    pub fn new(parent: &Path, name: &str) -> TempDir {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let dir = parent.join(format!("{name}-{}-{number}", std::process::id()));
            match std::fs::create_dir(&dir) {
                Ok(()) => return TempDir(dir),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{}: {error}", dir.display()),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A killed plugin may still write; what is left then is the system's to clean.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
