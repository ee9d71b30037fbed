//! What each module brought and cost while it was in force, and how it compares.

use crate::cycles::Services;
use crate::econ::performance::{Comparison, Measure, ModuleDay, Rate, compare, rate};
use crate::econ::pnl::{Costs, Pnl};
use crate::econ::student::Interval;
use crate::engine::built_in_digest;
use crate::model::module::{InstalledModule, Stage};
use crate::model::{CycleKind, Digest, SignedMsat, StrategyName, UnixTime};
use crate::rpc::args::{Args, Form, Kind, Param};
use crate::rpc::sheet::{Sheet, days_back, two};
use crate::rpc::{CommandError, CommandResult};
use crate::store::books::{self, ByModule, EvaluatorBooks, ModuleBooks, Proposer, by_evaluator};
use crate::store::{Connection, installed};
use serde_json::{Value, json};

pub(super) const FORM: Form = Form {
    action: "performance",
    params: &[
        Param::optional("name", Kind::Text, "A strategy or an installed module; all if left out."),
        Param::optional("days", Kind::Int { min: 1, max: 366 }, "Days to look back on; 30 if left out."),
    ],
    doc: "What each module brought and cost while it was in force, and how it compares with the one in force now.",
};

/// Days to look back on where the caller names none.
pub(super) const DEFAULT_DAYS: u64 = 30;

pub(super) async fn run(services: &Services, args: &Args) -> CommandResult {
    let name: Option<StrategyName> =
        args.opt_text("name").map(str::parse).transpose().map_err(CommandError::from)?;
    let days = args.opt_u64("days").unwrap_or(DEFAULT_DAYS);
    let now = services.now();
    let found = services.store.read(move |conn| Performance::read(conn, now, days)).await?;
    found.report(name.as_ref())
}

/// The node's books of some days until now, by module.
pub(super) struct Performance {
    days: u64,
    now: UnixTime,
    by_module: ByModule,
    by_evaluator: Vec<EvaluatorBooks>,
    /// Those that set fees; the same bytes may have several names.
    installed: Vec<InstalledModule>,
}

impl Performance {
    /// Reads the books of so many days until now.
    pub fn read(conn: &Connection, now: UnixTime, days: u64) -> anyhow::Result<Performance> {
        let mut by_module = books::all(conn)?.by_module(conn, days_back(now, days), now)?;
        // Those in force first, the latest of the others next.
        by_module.modules.sort_by_key(|module| {
            (std::cmp::Reverse(module.to.unwrap_or(UnixTime(u64::MAX))), std::cmp::Reverse(module.from))
        });
        let by_evaluator = by_evaluator(conn, by_module.from)?;
        let mut installed = installed::all(conn)?;
        installed.retain(|module| module.decides == CycleKind::Fee);
        Ok(Performance { days, now, by_module, by_evaluator, installed })
    }

    /// One module's figures under each strategy for whose peers it decided, each compared with the
    /// other one that is, or else was last, in force there.
    pub fn of_module(&self, digest: &Digest) -> Vec<Value> {
        let modules = &self.by_module.modules;
        let section = |module: &ModuleBooks| {
            let is_rival =
                |other: &&ModuleBooks| other.strategy == module.strategy && other.digest != *digest;
            let rivals: Vec<&ModuleBooks> = modules.iter().filter(is_rival).collect();
            self.section(module, reference(&rivals))
        };
        modules.iter().filter(|module| module.digest == *digest).map(section).collect()
    }

    /// What the jobs of one evaluator's module moved and cost; null when there was none.
    pub fn of_evaluator(&self, digest: &Digest) -> Value {
        let is_its = |books: &&EvaluatorBooks| matches!(&books.by, Proposer::Evaluator { digest: Some(found), .. } if found == digest);
        self.by_evaluator.iter().find(is_its).map_or(Value::Null, evaluator)
    }

    /// All modules, or those of one strategy or one module's name, compared with the one in force.
    pub fn report(&self, name: Option<&StrategyName>) -> CommandResult {
        let shown = self.named(name);
        let evaluators: Vec<Value> =
            self.by_evaluator.iter().filter(|books| is_named(books, name)).map(evaluator).collect();
        if let Some(name) = name.filter(|_| shown.is_empty() && evaluators.is_empty()) {
            return Err(self.unknown(name));
        }
        let reference = reference(&shown);
        let sums: Vec<Pnl> = shown.iter().map(|module| module.total()).collect();
        let others: Vec<Pnl> = self.others(&shown).map(ModuleBooks::total).collect();
        let modules: Vec<Value> = shown.iter().map(|module| self.section(module, reference)).collect();
        Ok(Sheet::new()
            .with("days", self.days)
            .with("from", self.by_module.from.0)
            .with("until", self.now.0)
            .with("exact_from", self.by_module.exact_from.max(self.by_module.from).0)
            .with("unit", "msat per day and million sat of capacity; days are UTC days")
            .with("compared_with", reference.map_or(Value::Null, |module| self.names(module).done()))
            .with("modules", modules)
            .with("shown", money(Sheet::new(), &sums.iter().sum()))
            .with("others", money(Sheet::new(), &others.iter().sum()))
            .with("unattributed", money(Sheet::new(), &self.by_module.unattributed))
            .with("total", money(Sheet::new(), &self.by_module.total()))
            .with("evaluators", evaluators)
            .done())
    }

    fn named(&self, name: Option<&StrategyName>) -> Vec<&ModuleBooks> {
        let has = |name: &StrategyName, module: &ModuleBooks| {
            module.strategy == *name || installed_name(&self.installed, module) == Some(name)
        };
        let is_named = |module: &&ModuleBooks| name.is_none_or(|name| has(name, module));
        self.by_module.modules.iter().filter(is_named).collect()
    }

    fn others<'a>(&'a self, shown: &'a [&ModuleBooks]) -> impl Iterator<Item = &'a ModuleBooks> {
        let is_shown = |module: &&ModuleBooks| shown.iter().any(|one| std::ptr::eq(*one, *module));
        self.by_module.modules.iter().filter(move |module| !is_shown(module))
    }

    fn unknown(&self, name: &StrategyName) -> CommandError {
        let mut known: Vec<&str> =
            self.by_module.modules.iter().map(|module| module.strategy.as_str()).collect();
        known.extend(self.by_evaluator.iter().filter_map(|books| match &books.by {
            Proposer::Evaluator { name, .. } => Some(name.as_str()),
            Proposer::Operator | Proposer::Others => None,
        }));
        known.sort_unstable();
        known.dedup();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        format!("no module decided as '{name}' in the last {} days; those that did: {known}", self.days)
            .into()
    }
}

fn is_named(books: &EvaluatorBooks, name: Option<&StrategyName>) -> bool {
    match (&books.by, name) {
        (_, None) => true,
        (Proposer::Evaluator { name: found, .. }, Some(name)) => found == name,
        (Proposer::Operator | Proposer::Others, Some(_)) => false,
    }
}

/// The module to compare with: of those in force that of the most capacity, else the last that was.
fn reference<'a>(shown: &[&'a ModuleBooks]) -> Option<&'a ModuleBooks> {
    let rank = |module: &&&ModuleBooks| {
        (module.to.unwrap_or(UnixTime(u64::MAX)), module.capacity_now, module.digest.0)
    };
    shown.iter().max_by_key(rank).copied()
}

/// Whether the bytes are those that come with the binary under the strategy's name.
fn is_built_in(module: &ModuleBooks) -> bool {
    built_in_digest(module.strategy.as_str()) == Some(module.digest)
}

/// The name of the installed module that decided; none for a built-in strategy or a file, also where their
/// bytes are installed under some other name.
fn installed_name<'a>(installed: &'a [InstalledModule], module: &ModuleBooks) -> Option<&'a StrategyName> {
    let same: Vec<&InstalledModule> = installed.iter().filter(|one| one.digest == module.digest).collect();
    let stood = same.iter().find(|one| one.stands_for == module.strategy);
    let found = if is_built_in(module) {
        stood.filter(|one| matches!(one.stage, Stage::Canary | Stage::Active | Stage::Superseded))
    } else {
        let only = same.first().filter(|_| same.len() == 1);
        stood.or_else(|| same.iter().find(|one| one.name == module.strategy)).or(only)
    };
    found.map(|one| &one.name)
}

impl Performance {
    fn names(&self, module: &ModuleBooks) -> Sheet {
        Sheet::new()
            .with("strategy", module.strategy.as_str())
            .with("module", installed_name(&self.installed, module).map(StrategyName::as_str))
            .with("built_in", is_built_in(module))
            .with("digest", module.digest.to_string())
            .with("version", module.version.as_deref())
    }

    fn section(&self, module: &ModuleBooks, reference: Option<&ModuleBooks>) -> Value {
        let days = days(module);
        let compared = reference.filter(|reference| *reference != module).map(|other| {
            let compared = comparison(&days, &self::days(other));
            compared.with("with", self.names(other))
        });
        let section = self
            .names(module)
            .with("from", module.from.0)
            .with("to", module.to.map(|to| to.0))
            .with("in_force", module.to.is_none())
            .with("channels", module.channels)
            .with("channels_in_force", module.channels_now)
            .money("capacity_in_force", module.capacity_now)
            .with("channel_days", two(module.channel_s() as f64 / UnixTime::DAY as f64));
        money(section, &module.total())
            .with("per_day_per_million_sats", rates(&days))
            .with("compared", compared.map_or(Value::Null, Sheet::done))
            .done()
    }
}

/// Adds revenue, costs and net of some books.
fn money(sheet: Sheet, pnl: &Pnl) -> Sheet {
    sheet
        .money("revenue", pnl.traffic.earned)
        .money("sourced", pnl.traffic.sourced)
        .with("forwards", pnl.traffic.out_count)
        .money("forwarded", pnl.traffic.out_msat)
        .money("rebalance_cost", pnl.costs.rebalance)
        .money("onchain_cost", on_chain(&pnl.costs))
        .money("net", pnl.net())
}

fn on_chain(costs: &Costs) -> SignedMsat {
    costs.total() - costs.rebalance.into()
}

fn days(module: &ModuleBooks) -> Vec<ModuleDay> {
    let day = |(day, books): (&UnixTime, &books::DayBooks)| ModuleDay {
        day: *day,
        forwards: books.pnl.traffic.out_count,
        revenue: books.pnl.traffic.earned.into(),
        net: books.pnl.net(),
        capacity_s: books.capacity_s,
        in_force_s: books.in_force_s,
    };
    module.days.iter().map(day).collect()
}

fn rates(days: &[ModuleDay]) -> Value {
    let (revenue, net) = (rate(days, Measure::Revenue), rate(days, Measure::Net));
    Sheet::new()
        .with("days", revenue.days)
        .with("forwards", revenue.forwards)
        .with("verdict", revenue.missing.as_ref().map(|_| "not enough data"))
        .with("missing", revenue.missing.clone())
        .with("revenue_msat", mean(&revenue))
        .with("net_msat", mean(&net))
        .done()
}

fn mean(rate: &Rate) -> Value {
    match (rate.interval, rate.mean) {
        (Some(found), _) => interval(found),
        (None, Some(mean)) => json!({ "mean": two(mean), "low": null, "high": null }),
        (None, None) => Value::Null,
    }
}

fn interval(found: Interval) -> Value {
    json!({ "mean": two(found.mean), "low": two(found.low), "high": two(found.high) })
}

fn comparison(ours: &[ModuleDay], theirs: &[ModuleDay]) -> Sheet {
    let net = compare(ours, theirs, Measure::Net);
    Sheet::new()
        .with("verdict", net.verdict.words())
        .with("revenue", compared(&compare(ours, theirs, Measure::Revenue)))
        .with("net", compared(&net))
}

fn compared(found: &Comparison) -> Value {
    Sheet::new()
        .with("verdict", found.verdict.words())
        .with("missing", Some(&found.missing).filter(|missing| !missing.is_empty()).cloned())
        .with("difference_msat", found.difference.map_or(Value::Null, interval))
        .with("chance", found.chance)
        .with("paired", found.paired)
        .with("days", json!([found.days.0, found.days.1]))
        .done()
}

fn evaluator(books: &EvaluatorBooks) -> Value {
    let (name, digest, version) = match &books.by {
        Proposer::Evaluator { name, digest, version } => (name.as_str(), *digest, version.as_deref()),
        Proposer::Operator => ("operator", None, None),
        Proposer::Others => ("others", None, None),
    };
    let ppm = u128::from(books.fee.0) * 1_000_000 / u128::from(books.moved.0.max(1));
    Sheet::new()
        .with("evaluator", name)
        .with("digest", digest.map(|digest| digest.to_string()))
        .with("version", version)
        .with("jobs", books.jobs)
        .with("payments", books.payments)
        .money("moved", books.moved)
        .money("rebalance_cost", books.fee)
        .with("cost_ppm", u64::try_from(ppm).unwrap_or(u64::MAX))
        .done()
}
