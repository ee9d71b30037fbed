//! What each module brought while it was in force, against the node's own account.

use super::{digest, stage};
use crate::acts::{cycle, install, set_policy};
use crate::engine::place::guest;
use crate::support::{DEADLINE, Stage, wait_until};
use cl_revenue_ops::engine::built_in_component;
use lab::market::{Acceptance, ChannelSpec, DemandSpec, Status};
use lab::{Flavour, MarketSpec};
use serde_json::{Value, json};

pub(super) const DAY_S: f64 = 86_400.0;

/// Two channels that sell steadily up to this fee, ppm, and one that feeds both.
pub(super) fn busy(cap: f64) -> MarketSpec {
    let channel = |n: usize| ChannelSpec::new(&format!("peer-{n}"), n).ppm(200).held();
    let demand = |out: usize| DemandSpec::new(out, &[(2, 1.0)], 150.0, Acceptance::Capped { cap });
    MarketSpec::new((0..3).map(channel).collect(), vec![demand(0), demand(1)])
}

async fn performance(stage: &Stage, params: Value) -> Value {
    let mut all = vec![json!("performance")];
    all.extend(params.as_array().unwrap().iter().cloned());
    stage.success("revenue-strategy", json!(all)).await
}

fn module<'a>(answer: &'a Value, strategy: &str) -> &'a Value {
    let modules = answer["modules"].as_array().unwrap();
    modules
        .iter()
        .find(|module| module["strategy"] == strategy)
        .unwrap_or_else(|| panic!("{strategy} in {answer}"))
}

/// Fees and number of settled forwards that left by these channels in `[from, to)`, by the node's own record.
fn earned(stage: &Stage, channels: &[usize], from: &Value, to: &Value) -> (u64, u64) {
    let (from, to) = (from.as_u64().unwrap(), to.as_u64().unwrap_or(u64::MAX));
    stage.lab.with_node(|node| {
        let is_in = |at: u64| (from..to).contains(&at);
        let settled = node.forwards().filter(|forward| {
            forward.status == Status::Settled
                && channels.contains(&forward.out_channel)
                && is_in(forward.received_us / 1_000_000)
        });
        settled.fold((0, 0), |(fees, count), forward| (fees + forward.fee_msat(), count + 1))
    })
}

fn told(section: &Value) -> (u64, u64) {
    (section["revenue_msat"].as_u64().unwrap(), section["forwards"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_module_has_what_its_channels_earned_while_it_was_in_force() {
    let honest = guest("honest");
    let mut stage = Stage::on(Flavour::V26_06).spec(busy(5_000.0)).start().await;
    install(&stage, "guest", &honest);
    set_policy(&stage, 0, &["static", "fee_ppm=1000"]).await;
    stage.until_fee(0, 1_000).await;
    cycle(&stage).await;
    let first = performance(&stage, json!([])).await;
    assert_eq!(module(&first, "dynamic")["channels_in_force"], 2, "{first}");
    let compared = &module(&first, "static")["compared"];
    assert_eq!(
        (&compared["verdict"], &compared["with"]["strategy"]),
        (&json!("not enough data"), &json!("dynamic"))
    );
    assert!(compared["net"]["missing"].as_str().unwrap().contains("7 days (it has 0)"), "{compared}");

    // The plugin's clock stands still while the node lives on: a start sets it right.
    stage.lab.advance_by(9.0 * DAY_S).unwrap();
    stage.restart().await;
    set_policy(&stage, 0, &["strategy=guest"]).await;
    // 5 ppm more than 1,000 is no change worth telling: it decides all the same.
    cycle(&stage).await;
    stage.lab.advance_by(DAY_S).unwrap();
    stage.restart().await;
    cycle(&stage).await;
    stage.until_forwards_are_stored().await;

    let found = performance(&stage, json!([])).await;
    let [fixed, moving, guest] = ["static", "dynamic", "guest"].map(|strategy| module(&found, strategy));
    assert_eq!((&fixed["to"], &guest["digest"]), (&guest["from"], &json!(digest(&honest))), "{found}");
    assert_eq!(moving["from"], module(&first, "dynamic")["from"], "in force while the plugin was down");
    for (section, channels) in [(fixed, &[0][..]), (moving, &[1, 2]), (guest, &[0])] {
        assert_eq!(told(section), earned(&stage, channels, &section["from"], &section["to"]), "{section}");
        assert!(told(section).1 > 50, "the market moves: {section}");
    }
    let days = fixed["channel_days"].as_f64().unwrap();
    assert!((days - 9.0).abs() < 0.1, "{days}");
    assert_eq!((&guest["in_force"], &guest["channels_in_force"]), (&json!(true), &json!(1)));

    // Twenty times the revenue per sat, day by day on the same days.
    let compared = &fixed["compared"];
    assert_eq!(compared["verdict"], "better", "{compared}");
    assert_eq!(
        (&compared["net"]["paired"], &compared["with"]["strategy"]),
        (&json!(true), &json!("dynamic"))
    );
    let rate = &fixed["per_day_per_million_sats"]["revenue_msat"];
    let mean = rate["mean"].as_f64().unwrap();
    assert!(rate["low"].as_f64().unwrap() < mean && mean < rate["high"].as_f64().unwrap(), "{rate}");
    // 5 million sat: the mean of its days is about what it earned in all.
    let over_all = told(fixed).0 as f64 / days / 5.0;
    assert!((mean / over_all - 1.0).abs() < 0.2, "{mean} and {over_all}");
    assert_eq!(guest["per_day_per_million_sats"]["verdict"], "not enough data", "{guest}");

    sums_are_the_nodes(&stage).await;
    stage.end().await;
}

/// The parts add up to the node's figures over its life, with and without a name.
async fn sums_are_the_nodes(stage: &Stage) {
    // Costs of opening come from bookkeeper, in a job of their own.
    wait_until(DEADLINE, async || {
        let history = stage.success("revenue-history", json!({})).await;
        for params in [json!([null, 366]), json!(["static", 366])] {
            let found = performance(stage, params).await;
            for (part, whole) in [
                ("revenue_msat", "lifetime_revenue_msat"),
                ("net_msat", "lifetime_net_profit_msat"),
                ("rebalance_cost_msat", "lifetime_rebalance_costs_msat"),
                ("forwards", "lifetime_forward_count"),
            ] {
                let of = |section: &str| found[section][part].as_i64().unwrap();
                let sum = of("shown") + of("others") + of("unattributed");
                if json!(sum) != history[whole] || sum != of("total") {
                    return Err(json!([part, found, history]));
                }
            }
        }
        Ok(())
    })
    .await;
    let why = stage.refusal("revenue-strategy", json!(["performance", "nobody"])).await;
    assert!(why.contains("'nobody'") && why.contains("dynamic, guest, static"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_rests_is_followed_by_whom_answers_instead() {
    let mut stage = stage(&[50, 250]).await;
    let (honest, panics) = (guest("honest"), guest("panic"));
    install(&stage, "guest", &honest);
    for channel in [0, 1] {
        set_policy(&stage, channel, &["strategy=guest"]).await;
    }
    cycle(&stage).await;
    let found = performance(&stage, json!(["guest"])).await;
    assert_eq!(found["modules"][0]["channels_in_force"], 2, "{found}");
    // A module that was in force for no second has no row.
    stage.lab.advance_by(3_600.0).unwrap();
    stage.restart().await;
    install(&stage, "guest", &panics);
    // A fault changes no fee: what was in force stays so.
    cycle(&stage).await;
    let found = performance(&stage, json!(["guest"])).await;
    assert_eq!(found["modules"][0]["channels_in_force"], 2, "{found}");
    for _ in 0..3 {
        cycle(&stage).await;
    }
    let found = performance(&stage, json!([])).await;
    let (rests, answers) = (module(&found, "guest"), module(&found, "dynamic"));
    assert_eq!((&rests["digest"], &rests["in_force"]), (&json!(digest(&honest)), &json!(false)), "{found}");
    assert_eq!((&answers["channels_in_force"], &answers["from"]), (&json!(2), &rests["to"]), "{found}");
    assert!(!found.to_string().contains(&digest(&panics)), "it never decided: {found}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_built_in_strategy_is_itself_whatever_else_its_bytes_are_called() {
    let stage = stage(&[50, 250]).await;
    cycle(&stage).await;
    let bytes = built_in_component("dynamic").unwrap();
    let path = stage.lab.lightning_dir().join("twin.wasm");
    std::fs::write(&path, bytes).unwrap();
    let install = json!(["install", path.to_str().unwrap(), "name=twin", "unsigned=true"]);
    stage.success("revenue-strategy", install).await;
    stage.success("revenue-strategy", json!(["activate", "twin", "for=twin", "force=true"])).await;
    set_policy(&stage, 0, &["strategy=twin"]).await;
    cycle(&stage).await;
    let found = performance(&stage, json!([])).await;
    for (strategy, name, built_in) in [("dynamic", Value::Null, true), ("twin", json!("twin"), false)] {
        let row = module(&found, strategy);
        assert_eq!((&row["module"], &row["built_in"]), (&name, &json!(built_in)), "{row}");
        assert_eq!((&row["digest"], &row["channels_in_force"]), (&json!(digest(bytes)), &json!(1)), "{row}");
    }
    let own = performance(&stage, json!(["twin"])).await;
    assert_eq!(own["modules"].as_array().map(Vec::len), Some(1), "{own}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_puts_nothing_in_force() {
    let stage = Stage::on(Flavour::V26_06).channels(2).option("dry-run", true).start().await;
    cycle(&stage).await;
    let found = performance(&stage, json!([])).await;
    assert_eq!((&found["modules"], &found["compared_with"]), (&json!([]), &json!(null)), "{found}");
    stage.end().await;
}
