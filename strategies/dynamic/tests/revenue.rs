//! What the strategy earns, beside constants and the controller it replaces.
//! The full table is the example `market`.

#[path = "common/market.rs"]
mod market;

use market::{Contestant, TABLE, run};

/// Mean share of the best constant rate that the climber of the Python
/// original earns on this table.
const ORIGINAL: f64 = 0.32;

#[test]
fn it_earns_more_than_a_constant_and_far_more_than_the_original() {
    let dynamic = Contestant::Dynamic(Vec::new());
    let constant = Contestant::Constant(Some(200));
    let (mut earned, mut by_constant, mut updates) = (0.0, 0.0, 0.0);
    let mut runs = 0.0;
    for market in &TABLE {
        let mut row = 0.0;
        for seed in 0..2 {
            let outcome = run(market, &dynamic, seed, 60);
            row += outcome.share / 2.0;
            earned += outcome.share;
            updates += outcome.updates_per_day;
            by_constant += run(market, &constant, seed, 60).share;
            runs += 1.0;
        }
        assert!(row > ORIGINAL, "{}: {row:.2}", market.name);
    }
    let (earned, by_constant, updates) = (earned / runs, by_constant / runs, updates / runs);
    assert!(earned >= 0.80, "{earned:.2} of the best constant rate");
    assert!(earned > by_constant + 0.10, "{earned:.2} beside {by_constant:.2} at 200 ppm");
    assert!(earned > ORIGINAL + 0.40, "{earned:.2}");
    assert!(updates < 3.0, "{updates:.2} updates per day");
}

#[test]
fn it_follows_demand_that_turns_away() {
    let turned = market::Market { shift: 2.5, ..TABLE[0] };
    let dynamic = run(&turned, &Contestant::Dynamic(Vec::new()), 1, 90);
    assert!(dynamic.share > 0.7, "{:.2}", dynamic.share);
    assert!(dynamic.last_ppm < 400, "{} ppm", dynamic.last_ppm);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let dynamic = Contestant::Dynamic(Vec::new());
    let share = |seed| run(&TABLE[1], &dynamic, seed, 20).share;
    assert!(share(3).to_bits() == share(3).to_bits());
    assert!(share(3).to_bits() != share(4).to_bits());
}
