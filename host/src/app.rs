//! Wiring: options and commands to lightningd, services to jobs, and the end of it all.

mod input;
mod places;

use crate::clock::Clock;
use crate::config::{self, Config, SETTINGS, Value as Setting};
use crate::cycles::adopt;
use crate::cycles::lifecycle::{Lifecycle, Phase};
use crate::cycles::schedule::{JobName, Jobs, run_job};
use crate::cycles::settings::Settings;
use crate::cycles::{Parts, Services, trust};
use crate::engine::{Engine, EngineOptions};
use crate::model::WorkerMode;
use crate::node::{Node, Patience};
use crate::rpc::{self, COMMANDS};
use crate::store::Store;
use anyhow::{Context, Result, anyhow};
use cln_plugin::options::{ConfigOption, Value as OptionValue};
use cln_plugin::{Builder, ConfiguredPlugin, Plugin, RpcMethodBuilder};
use input::UntilEnd;
use places::Files;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, Stdin, Stdout};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Where lightningd speaks to us.
type Input = UntilEnd<Stdin>;

/// How long the end of the plugin waits for work under way. lightningd kills a plugin that
/// takes 30 s.
const END_PATIENCE: Duration = Duration::from_secs(3);

/// How long the end may take to tell sling, which a busy machine can make longer than a moment. sling's answer
/// is not waited for that long.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(10);

/// After a failed start the next try comes after this long.
const START_RETRY: Duration = Duration::from_secs(10);

/// What every handler gets.
#[derive(Clone)]
struct App {
    lifecycle: Lifecycle,
    settings: Arc<Settings>,
    stop: CancellationToken,
}

/// Runs the plugin on standard input and output until lightningd ends it.
pub async fn run() -> Result<()> {
    let stop = CancellationToken::new();
    let Some(configured) = builder(stop.clone()).configure().await? else { return Ok(()) };
    let config = match read_options(&configured) {
        Ok(config) => config,
        Err(error) => return refuse(configured, &error.to_string()).await,
    };
    if let Err(error) = trust::pinned(&config) {
        return refuse(configured, &error).await;
    }
    let environment = Environment::of(&configured)?;
    if let Err(error) = environment.files(&config) {
        return refuse(configured, &error).await;
    }
    let clock = match Clock::for_network(&environment.network) {
        Ok(clock) => clock,
        Err(error) => return refuse(configured, &format!("{error:#}")).await,
    };
    let settings = Arc::new(Settings::new(config));
    let (phase, lifecycle) = Lifecycle::starting(settings.clone());
    let app = App { lifecycle: lifecycle.clone(), settings: settings.clone(), stop };
    let plugin = configured.start(app.clone()).await?;
    let tasks = TaskTracker::new();
    tasks.spawn(start_up(environment, clock, settings, phase, tasks.clone(), app.stop.clone()));
    tokio::select! {
        () = app.stop.cancelled() => {}
        ended = plugin.join() => ended?,
    }
    app.stop.cancel();
    tasks.close();
    if tokio::time::timeout(END_PATIENCE, tasks.wait()).await.is_err() {
        tracing::warn!("ending with work under way; the next start looks at what became of it");
    }
    if let Some(services) = lifecycle.services_now() {
        let farewell = tokio::time::timeout(FAREWELL_PATIENCE, services.leave_sling()).await;
        if let Err(error) = farewell.unwrap_or_else(|elapsed| Err(elapsed.into())) {
            tracing::warn!("sling was not told that nobody watches its jobs now: {error:#}");
        }
        let store = services.store.clone();
        tokio::task::spawn_blocking(move || store.close()).await??;
    }
    Ok(())
}

/// Ends the start, and has lightningd's log say why: what a plugin gives as its reason lightningd
/// itself logs for debugging only.
async fn refuse(configured: ConfiguredPlugin<App, Input, Stdout>, why: &str) -> Result<()> {
    let message = format!("cl-revenue-ops does not start: {why}");
    let line =
        json!({ "jsonrpc": "2.0", "method": "log", "params": { "level": "error", "message": message } });
    // Nothing else is written meanwhile: lightningd waits for the answer that follows.
    let mut out = tokio::io::stdout();
    out.write_all(format!("{line}\n\n").as_bytes()).await?;
    out.flush().await?;
    configured.disable(why).await
}

/// Options and commands. `stop` is cancelled when lightningd closes its end of the pipe.
fn builder(stop: CancellationToken) -> Builder<App, Input, Stdout> {
    let input = UntilEnd::new(tokio::io::stdin(), stop);
    let builder = Builder::new(input, tokio::io::stdout()).dynamic();
    let builder = SETTINGS.iter().fold(builder, |builder, setting| {
        let Some(name) = setting.option_name() else { return builder };
        let default = (setting.get)(&Config::default()).to_string();
        let option = ConfigOption::new_str_with_default(&name, &default, setting.doc);
        builder.option(if setting.mutable { option.dynamic() } else { option })
    });
    let builder = COMMANDS.iter().fold(builder, |builder, command| {
        let method = RpcMethodBuilder::new(command.name, move |plugin: Plugin<App>, params| async move {
            Ok(rpc::answer(command, plugin.state().lifecycle.clone(), params).await)
        });
        builder.rpcmethod_from_builder(method.description(command.description).usage(command.usage))
    });
    let builder = TOPICS.iter().fold(builder, |builder, topic| {
        builder.subscribe(topic, move |plugin: Plugin<App>, payload| notified(plugin, topic, payload))
    });
    builder.setconfig_callback(set_config).subscribe("shutdown", |plugin: Plugin<App>, _| async move {
        plugin.state().stop.cancel();
        Ok(())
    })
}

/// Notifications that hasten what reading the node's lists finds anyway.
const TOPICS: [&str; 5] =
    ["forward_event", "channel_state_changed", "channel_opened", "coin_movement", "sendpay_success"];

async fn notified(plugin: Plugin<App>, topic: &'static str, payload: Value) -> Result<()> {
    // Before the services are ready there is nothing to hasten.
    let Some(services) = plugin.state().lifecycle.services_now() else { return Ok(()) };
    match topic {
        "forward_event" => services.forward_event(&payload).await,
        "channel_state_changed" => services.channel_state_changed(&payload).await,
        "coin_movement" => services.coin_movement(&payload).await,
        topic => {
            services.jobs.wake(JobName::Ledger);
            if topic == "sendpay_success" {
                services.jobs.wake(JobName::RebalanceJobs);
            }
            Ok(())
        }
    }
}

/// lightningd's `setconfig` for a dynamic option: an error is an RPC error here, so that
/// lightningd keeps the old value too.
async fn set_config(plugin: Plugin<App>, request: Value) -> Result<Value> {
    let name = request["config"].as_str().unwrap_or_default();
    let refused = |why: String| anyhow!(json!({ "code": -32602, "message": why }).to_string());
    let setting =
        crate::config::find(name).ok_or_else(|| refused(format!("{name}: there is no such option")))?;
    let raw =
        Setting::Text(request["val"].as_str().map_or_else(|| request["val"].to_string(), str::to_owned));
    let app = plugin.state();
    if let Some(services) = app.lifecycle.services_now() {
        services
            .check_named(setting, &raw.to_string())
            .await
            .map_err(|why| refused(format!("{name}: {why}")))?;
    }
    app.settings.set_option(setting, &raw).await.map_err(|error| refused(error.to_string()))?;
    Ok(json!({}))
}

/// The options as lightningd gave them; what nobody set has its default.
fn read_options(plugin: &ConfiguredPlugin<App, Input, Stdout>) -> Result<Config> {
    let mut values = Vec::new();
    for name in SETTINGS.iter().filter_map(|setting| setting.option_name()) {
        let value = match plugin.option_str(&name)? {
            Some(OptionValue::String(text)) => Setting::Text(text),
            Some(OptionValue::Integer(number)) => Setting::Int(number),
            Some(OptionValue::Boolean(flag)) => Setting::Bool(flag),
            Some(_) | None => continue,
        };
        values.push((name, value));
    }
    Ok(Config::from_options(values.iter().map(|(name, value)| (name.as_str(), value.clone())))?)
}

/// Where lightningd lives.
struct Environment {
    /// The network's own directory.
    lightning_dir: PathBuf,
    socket: PathBuf,
    network: String,
}

impl Environment {
    fn of(plugin: &ConfiguredPlugin<App, Input, Stdout>) -> Result<Environment> {
        let configuration = plugin.configuration();
        let lightning_dir = PathBuf::from(&configuration.lightning_dir);
        Ok(Environment {
            socket: lightning_dir.join(&configuration.rpc_file),
            network: configuration.network.clone(),
            lightning_dir,
        })
    }

    /// Our own directory: strategies, cache and, by default, the database.
    fn data_dir(&self) -> PathBuf {
        self.lightning_dir.join("revenue-ops")
    }

    /// The databases that the settings mean.
    fn files(&self, config: &Config) -> Result<Files, String> {
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        places::files(&config.db_path, &self.lightning_dir, &self.data_dir(), home.as_deref())
    }
}

/// Makes the services ready, trying until they are, and starts the jobs.
async fn start_up(
    environment: Environment,
    clock: Clock,
    settings: Arc<Settings>,
    phase: watch::Sender<Phase>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let services = loop {
        match services(&environment, clock, &settings).await {
            Ok(services) => break Arc::new(services),
            Err(error) => {
                tracing::warn!("not ready yet: {error:#}");
                phase.send_replace(Phase::Starting(format!("{error:#}")));
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(START_RETRY) => {}
        }
    };
    for job in JobName::ALL {
        let services = services.clone();
        let run = {
            let services = services.clone();
            move |trigger| {
                let services = services.clone();
                async move {
                    match job {
                        JobName::Forwards => services.forwards_round().await,
                        JobName::Flow => services.flow_cycle().await,
                        JobName::Fees => services.fee_cycle(trigger).await,
                        JobName::Ledger => services.ledger_round().await,
                        JobName::Accounts => services.accounts_round().await,
                        JobName::Rebalance => services.rebalance_cycle(trigger).await,
                        JobName::RebalanceJobs => services.rebalance_jobs().await,
                        JobName::Sling => services.sling_round().await,
                        JobName::Policies => services.sweep_policies().await,
                        JobName::Upkeep => services.upkeep().await,
                    }
                }
            }
        };
        tasks.spawn(run_job(job, services.jobs.clone(), clock, services.settings.watch(), stop.clone(), run));
    }
    tasks.spawn(follow_settings(services.clone(), stop));
    phase.send_replace(Phase::Ready(services));
}

async fn services(environment: &Environment, clock: Clock, settings: &Arc<Settings>) -> Result<Services> {
    let config = settings.current();
    let node = Node::new(environment.socket.clone(), patience(&config));
    let identity = node.identity().await.context("asking lightningd who it is")?;
    let Files { own, python } = environment.files(&config).map_err(anyhow::Error::msg)?;
    let (node_id, network) = (identity.node_id, identity.network.clone());
    let store = tokio::task::spawn_blocking(move || Store::open(&own, &node_id, &network)).await??;
    let steady_start = store.write(move |tx| Ok(crate::store::clock::resume(tx, clock.started())?)).await?;
    let stage = adopt::Stage { node: &node, store: &store, settings, now: clock.now() };
    let not_imported = stage.adopt(&python).await?;
    if let Some(why) = &not_imported {
        tracing::warn!("{why}");
    }
    settings.load_overrides(&store).await?;
    for left_out in settings.left_out() {
        tracing::warn!("a stored setting is left out: {}", left_out.why);
    }
    let pseudonym_key = store.read(|conn| Ok(crate::store::meta::pseudonym_key(conn)?)).await?;
    let options = EngineOptions::in_dir(&environment.data_dir())?;
    let config = settings.current();
    let mode = WorkerMode::from_name(&config.strategy_worker).expect("a setting of words has one of them");
    let mut options = options.placed_as(mode);
    options.interpreted = interpreted(&config);
    let engine = tokio::task::spawn_blocking(move || Engine::new(options)).await??;
    // Nothing fails from here on: a store that is given up must not be held.
    settings.hold(&store).await?;
    let jobs = Arc::new(Jobs::default());
    Ok(Services::new(Parts {
        identity,
        node,
        store,
        engine,
        clock,
        steady_start,
        settings: settings.clone(),
        jobs,
        pseudonym_key,
        not_imported,
    }))
}

fn patience(config: &Config) -> Patience {
    Patience {
        timeout: Duration::from_secs(config.rpc_timeout_seconds),
        rest: Duration::from_secs(config.rpc_circuit_breaker_seconds),
    }
}

fn interpreted(config: &Config) -> std::collections::BTreeSet<String> {
    config::listed(&config.interpreted_modules).map(str::to_owned).collect()
}

/// Carries changed settings to those who keep a copy, and has the fees looked at.
async fn follow_settings(services: Arc<Services>, stop: CancellationToken) {
    let mut settings = services.settings.watch();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = settings.changed() => if changed.is_err() { return },
        }
        let config = settings.borrow_and_update().clone();
        services.node.set_patience(patience(&config));
        services.engine.set_interpreted(interpreted(&config));
        services.visit_all();
    }
}
