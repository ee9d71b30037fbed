//! One channel through many cycles, with a host that takes every proposal.

use revenue_strategy::testing::{ChannelBuilder, InputBuilder, NOW_S, decide, interval};
use revenue_strategy::{FeeDecision, FeeInterval, ParamValue, Verdict};
use strategy_dynamic::Dynamic;

/// A node with one channel.
pub struct Node {
    pub now_s: u64,
    pub fee_ppm: u32,
    pub state: Vec<u8>,
    pub node_state: Vec<u8>,
    pub verdict: (Verdict, Option<u32>),
    pub last_change_s: u64,
    pub intervals: Vec<FeeInterval>,
    /// What the host says to a proposal.
    pub answer: Verdict,
    /// Feerate now and its daily mean, sat per kvB.
    pub feerate: (u32, u32),
    /// The host rehearses.
    pub explain: bool,
}

/// What was proposed: rate in ppm, reason by word, factors by word.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposed {
    pub ppm: u64,
    pub reason: String,
    pub factors: Vec<(String, f64)>,
}

impl Proposed {
    /// A factor by its word.
    pub fn factor(&self, word: &str) -> Option<f64> {
        self.factors.iter().find(|(name, _)| name == word).map(|(_, value)| *value)
    }
}

impl Node {
    pub fn new(fee_ppm: u32) -> Self {
        Self {
            now_s: NOW_S,
            fee_ppm,
            state: Vec::new(),
            node_state: Vec::new(),
            verdict: (Verdict::None, None),
            last_change_s: 0,
            intervals: vec![interval(NOW_S, NOW_S, fee_ppm)],
            answer: Verdict::Published,
            feerate: (10_000, 10_000),
            explain: false,
        }
    }

    /// Runs a cycle, then lets `seconds` pass in which `live_s` were usable
    /// and `forwards` settled.
    pub fn cycle(
        &mut self,
        channel: ChannelBuilder,
        seconds: u64,
        live_s: u32,
        forwards: u32,
    ) -> Option<Proposed> {
        let decided = self.decide(channel);
        self.state = decided.states.entry(0).to_vec();
        self.node_state = decided.node_state.clone();
        let proposed = decided.proposals.first().map(|_| words(&decided));
        if let Some(proposed) = &proposed {
            self.judge(u32::try_from(proposed.ppm).expect("a sane rate"));
        }
        self.now_s += seconds;
        let last = self.intervals.last_mut().expect("one runs always");
        last.end_s = self.now_s;
        last.live_s += live_s;
        last.settled += forwards;
        proposed
    }

    /// A cycle of half an hour in which nothing can be observed.
    pub fn quiet(&mut self, channel: ChannelBuilder) -> Option<Proposed> {
        self.cycle(channel, 1800, 0, 0)
    }

    fn decide(&self, channel: ChannelBuilder) -> FeeDecision {
        let channel = channel
            .fee_ppm(self.fee_ppm)
            .verdict(self.verdict.0, self.verdict.1)
            .with(|c| c.last_change_s = self.last_change_s)
            .intervals(self.intervals.iter().cloned())
            .state(&self.state);
        let input = InputBuilder::new()
            .now_s(self.now_s)
            .seed(self.now_s)
            .feerate(self.feerate.0, self.feerate.1)
            .node_state(&self.node_state)
            .param("host.explain", ParamValue::Flag(self.explain))
            .channel(channel)
            .build();
        decide::<Dynamic>(&input).expect("the strategy decides")
    }

    fn judge(&mut self, ppm: u32) {
        self.verdict = (self.answer, Some(ppm));
        if self.answer == Verdict::Published {
            self.fee_ppm = ppm;
            self.last_change_s = self.now_s;
            self.intervals.push(interval(self.now_s, self.now_s, ppm));
        }
    }
}

fn words(decided: &FeeDecision) -> Proposed {
    use revenue_strategy::FeeStrategy;
    let told = Dynamic::describe();
    let proposal = &decided.proposals[0];
    let factors = decided.factors[..proposal.factors_end as usize].iter();
    Proposed {
        ppm: proposal.fee_ppm,
        reason: told.reasons[proposal.reason as usize].clone(),
        factors: factors.map(|f| (told.factors[f.name as usize].clone(), f.value)).collect(),
    }
}
