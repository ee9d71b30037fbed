//! What strategies are tried on.

use lab::MarketSpec;
use lab::market::Acceptance;

/// A market, or a group of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Name {
    /// Six shapes of demand, each for one channel that keeps its balance.
    Shapes,
    /// Thirteen channels of all kinds, which drain and fill.
    Demo,
}

/// A market and the channels of it that strategies decide about.
pub(super) struct Stage {
    pub spec: MarketSpec,
    /// Index and title.
    pub channels: Vec<(usize, String)>,
}

/// The markets of that name.
pub(super) fn stages(name: Name) -> Vec<Stage> {
    match name {
        Name::Shapes => shapes(),
        Name::Demo => {
            let spec = MarketSpec::demo();
            let title = |(index, channel): (usize, &lab::market::ChannelSpec)| (index, channel.alias.clone());
            let channels = spec.channels.iter().enumerate().map(title).collect();
            vec![Stage { spec, channels }]
        }
    }
}

fn shapes() -> Vec<Stage> {
    let exp = |f0| Acceptance::Exponential { f0 };
    let logit = |mid, width| Acceptance::Logit { mid, width };
    [
        ("exp 500, 40/d, from 100", exp(500.0), 40.0, 100),
        ("exp 500, 6/d, from 100", exp(500.0), 6.0, 100),
        ("exp 200, 40/d, from 800", exp(200.0), 40.0, 800),
        ("logit 800±80, 40/d, from 100", logit(800.0, 80.0), 40.0, 100),
        ("logit 300±40, 6/d, from 1000", logit(300.0, 40.0), 6.0, 1_000),
        ("logit 150±20, 120/d, from 600", logit(150.0, 20.0), 120.0, 600),
    ]
    .map(|(title, accept, per_day, start_ppm)| Stage {
        spec: MarketSpec::single(accept, per_day, start_ppm, true),
        channels: vec![(0, title.to_owned())],
    })
    .into()
}
