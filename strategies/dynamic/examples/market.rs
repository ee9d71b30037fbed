//! What the strategy earns on the table of demand shapes, as a share of the
//! best constant rate, beside constants. Parameters as `name=value`.
//!
//! `cargo run --release -p strategy-dynamic --example market -- hold-hours=12`

#[path = "../tests/common/market.rs"]
mod market;

use market::{Contestant, MORE, Market, Outcome, TABLE, run};

const DAYS: u64 = 90;

fn main() {
    let mut seeds = 8u64;
    let mut params = Vec::new();
    for argument in std::env::args().skip(1) {
        let Some((name, value)) = argument.split_once('=') else { continue };
        let Ok(value) = value.parse::<f64>() else { continue };
        match name {
            "seeds" => seeds = value as u64,
            _ => params.push((&*name.to_owned().leak(), value)),
        }
    }
    println!("{DAYS} days, {seeds} seeds: share of what the best constant rate earns");
    table("the table", &TABLE, &params, seeds);
    table("more shapes", &MORE, &params, seeds);
    table("in bursts of 3", &TABLE.map(|m| Market { burst: 3.0, ..m }), &params, seeds);
    table("willing to pay 1/2.5 of it later", &TABLE.map(|m| Market { shift: 2.5, ..m }), &params, seeds);
    table("willing to pay 2.5 times later", &TABLE.map(|m| Market { shift: 0.4, ..m }), &params, seeds);
}

fn table(title: &str, markets: &[Market], params: &[(&'static str, f64)], seeds: u64) {
    println!(
        "\n{title:32} {:>7} {:>8} {:>8} {:>6} {:>8} {:>10}",
        "start", "200 ppm", "dynamic", "worst", "last ppm", "updates/d"
    );
    let contestants =
        [Contestant::Constant(None), Contestant::Constant(Some(200)), Contestant::Dynamic(params.to_vec())];
    let mut sums = [0.0; 4];
    for market in markets {
        let results = contestants.each_ref().map(|contestant| repeat(market, contestant, seeds));
        let [start, constant, dynamic] = results.each_ref().map(|r| mean(r, |o| o.share));
        let worst = results[2].iter().map(|o| o.share).fold(f64::INFINITY, f64::min);
        let last = mean(&results[2], |o| f64::from(o.last_ppm));
        let updates = mean(&results[2], |o| o.updates_per_day);
        println!(
            "{:32} {start:7.2} {constant:8.2} {dynamic:8.2} {worst:6.2} {last:8.0} {updates:10.2}",
            market.name
        );
        for (sum, value) in sums.iter_mut().zip([start, constant, dynamic, updates]) {
            *sum += value / markets.len() as f64;
        }
    }
    let [start, constant, dynamic, updates] = sums;
    println!("{:32} {start:7.2} {constant:8.2} {dynamic:8.2} {:26.2}", "mean", updates);
}

fn mean(outcomes: &[Outcome], value: impl Fn(&Outcome) -> f64) -> f64 {
    outcomes.iter().map(value).sum::<f64>() / outcomes.len() as f64
}

fn repeat(market: &Market, contestant: &Contestant, seeds: u64) -> Vec<Outcome> {
    (0..seeds).map(|seed| run(market, contestant, seed, DAYS)).collect()
}
