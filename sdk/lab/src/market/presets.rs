//! Ready-made markets.

use super::{Acceptance, Burst, ChannelSpec, DemandSpec, FeerateStep, MarketSpec};
use crate::rng::Rng;

fn exp(f0: f64) -> Acceptance {
    Acceptance::Exponential { f0 }
}

fn logit(mid: f64, width: f64) -> Acceptance {
    Acceptance::Logit { mid, width }
}

impl MarketSpec {
    /// Thirteen channels, each a character an operator knows; a mempool spike after 30 hours.
    pub fn demo() -> Self {
        let mut spec = Self::new(demo_channels(), demo_demands());
        spec.feerates = [(0.0, 4.0), (30.0, 28.0), (33.0, 9.0), (36.0, 5.0)]
            .map(|(hours, sat_per_vb)| FeerateStep { at_s: hours * 3600.0, sat_per_vb })
            .to_vec();
        spec
    }

    /// `n` channels of random size, balance and demand; traffic is unevenly spread as on a real
    /// node, about 10 forwards per channel and day.
    pub fn sized(n: usize, seed: u64) -> Self {
        let mut rng = Rng::stream(seed, 0);
        let channels: Vec<ChannelSpec> = (0..n).map(|i| random_channel(&mut rng, i, n)).collect();
        let pull: Vec<f64> = (0..n).map(|_| (rng.normal()).exp()).collect();
        let demands = (0..n).filter(|_| n > 1).map(|out| random_demand(&mut rng, out, &pull));
        let demands: Vec<DemandSpec> = demands.collect();
        Self::new(channels, demands)
    }

    /// One channel (index 0) under one demand, fed by a channel that never runs dry (index 1).
    /// With `held` its balance stays at one half. For experiments with fee controllers.
    pub fn single(accept: Acceptance, per_day: f64, start_ppm: u32, held: bool) -> Self {
        let tested = ChannelSpec::new("tested", 0).ppm(start_ppm);
        let tested = if held { tested.held() } else { tested };
        let world = ChannelSpec::new("world", 1).size(1_000_000_000, 0.5).held();
        let mut demands = vec![DemandSpec::new(0, &[(1, 1.0)], per_day, accept)];
        if !held {
            demands.push(DemandSpec::new(1, &[(0, 1.0)], per_day / 2.0, exp(1000.0)));
        }
        Self::new(vec![tested, world], demands)
    }
}

fn demo_channels() -> Vec<ChannelSpec> {
    vec![
        ChannelSpec::new("wallet-hub", 0).size(20_000_000, 0.25).remote(200.0).ppm(50),
        ChannelSpec::new("exchange-sink", 1).size(10_000_000, 0.8).ppm(250),
        ChannelSpec::new("old-router", 2).size(8_000_000, 0.5).ppm(200),
        ChannelSpec::new("quiet-corner", 3).ppm(400),
        ChannelSpec::new("drained-dry", 4).size(5_000_000, 0.03).ppm(300),
        ChannelSpec::new("rush-hour", 5).size(4_000_000, 0.5).slots(12).ppm(150),
        ChannelSpec::new("pricey-drain", 6).size(10_000_000, 0.7).ppm(500),
        ChannelSpec::new("newcomer", 7).size(3_000_000, 0.0).remote(0.3).ppm(200),
        ChannelSpec::new("penny-pincher", 8).size(6_000_000, 0.5).ppm(600),
        ChannelSpec::new("pocket-phone", 9).size(1_000_000, 0.4).remote(20.0).private().ppm(100),
        ChannelSpec::new("fleet-mate", 10).ppm(100),
        ChannelSpec::new("corner-shop", 11).size(6_000_000, 0.6).ppm(350),
        ChannelSpec::new("old-router", 2).size(12_000_000, 0.4).remote(60.0).ppm(220),
    ]
}

fn demo_demands() -> Vec<DemandSpec> {
    let rush = Burst { every_s: 6.0 * 3600.0, lasts_s: 2400.0, factor: 120.0, hold_s: 1200.0 };
    let demand = DemandSpec::new;
    vec![
        demand(
            0,
            &[(1, 2.0), (2, 1.0), (4, 2.0), (5, 1.5), (6, 0.5), (7, 0.5), (10, 2.0), (11, 1.0)],
            45.0,
            exp(150.0),
        ),
        demand(1, &[(0, 3.0), (2, 1.0), (8, 1.0), (12, 1.0)], 60.0, logit(700.0, 90.0)),
        demand(2, &[(0, 1.0), (8, 1.0), (10, 1.0), (12, 1.0)], 40.0, exp(400.0)),
        demand(3, &[(0, 1.0), (2, 1.0)], 1.2, exp(300.0)),
        demand(4, &[(0, 2.0), (2, 1.0), (10, 1.0)], 40.0, exp(600.0)),
        demand(5, &[(0, 1.0), (2, 1.0), (12, 1.0)], 15.0, exp(250.0)).median_sat(5_000.0).burst(rush),
        demand(6, &[(0, 2.0), (12, 1.0)], 14.0, Acceptance::Capped { cap: 1900.0 }).median_sat(120_000.0),
        demand(7, &[(0, 1.0), (12, 1.0)], 10.0, exp(350.0)),
        demand(8, &[(2, 1.0), (5, 1.0), (12, 1.0)], 120.0, logit(150.0, 20.0)).median_sat(25_000.0),
        demand(9, &[(0, 1.0)], 3.0, exp(500.0)).median_sat(15_000.0),
        demand(10, &[(2, 1.0), (11, 1.0), (12, 1.0)], 20.0, exp(300.0)),
        demand(11, &[(0, 2.0), (9, 0.3), (10, 1.0)], 22.0, exp(350.0)),
        demand(12, &[(1, 1.0), (2, 1.0), (5, 1.5), (6, 0.3), (8, 1.0), (10, 1.5)], 35.0, exp(320.0)),
    ]
}

fn random_channel(rng: &mut Rng, index: usize, n: usize) -> ChannelSpec {
    // One peer in twenty has a second channel.
    let peer = if index > 0 && rng.below(20) == 0 { rng.below(index) } else { index };
    let sat = (rng.exponential() * 4e6).clamp(5e5, 1e8) as u64 / 100_000 * 100_000;
    let mut spec = ChannelSpec::new(&format!("peer-{peer:05}"), peer).size(sat, rng.uniform());
    spec.ppm = 50 + rng.below(500) as u32;
    spec.peer_ppm = rng.below(800) as u32;
    spec.public = n < 20 || rng.below(25) != 0;
    spec.age_days = rng.between(1.0, 700.0);
    if rng.below(2) == 0 { spec.remote(rng.between(1.0, 700.0)) } else { spec }
}

fn random_demand(rng: &mut Rng, out: usize, pull: &[f64]) -> DemandSpec {
    let inputs: Vec<(usize, f64)> = (0..6)
        .map(|_| (out + 1 + rng.below(pull.len() - 1)) % pull.len())
        .map(|input| (input, 1.0 / pull[input]))
        .collect();
    let price = 250.0 * (0.7 * rng.normal()).exp();
    let accept = match rng.below(4) {
        0 => logit(2.0 * price, 0.2 * price),
        1 => Acceptance::Capped { cap: 1.5 * price },
        _ => exp(price),
    };
    let demand = DemandSpec::new(out, &inputs, 10.0 * pull[out], accept);
    demand.median_sat(60_000.0 * (0.5 * rng.normal()).exp())
}
