//! One strategy on the past: it is told what the strategy of then was told, with its own rates, verdicts
//! and memory in place of that one's, and its proposals pass the plugin's guard.

use super::History;
use crate::cli::strategy::backtest::{Entrant, updates_today};
use crate::cli::strategy::tally::Tally;
use crate::config::Config;
use crate::econ::whatif::{Range, earned};
use crate::engine::Engine;
use crate::guard::fee::{Case, History as Recent, check};
use crate::model::fee::{FeeProposal, Limit, Origin};
use crate::model::strategy::{ChannelRow, FeeInput, LastVerdict, StrategyProposal};
use crate::model::{
    Channel, ChannelId, ChannelState, Htlcs, NodeSnapshot, PeerId, Policy, Ppm, Scid, StrategyName, Tick,
    UnixTime,
};
use anyhow::{Result, anyhow};
use std::collections::{BTreeMap, HashMap};

/// What came of it.
pub(in crate::cli::strategy) struct Played {
    pub label: String,
    pub tally: Tally,
    pub faults: Vec<String>,
    /// By channel: the rates from the instants on at which they were set.
    pub rates: BTreeMap<u64, Vec<(UnixTime, Ppm)>>,
    pub revenue: Range,
}

impl Played {
    /// Proposals below the lowest fee of then.
    pub fn below_floor(&self) -> u32 {
        let count = |limit: Limit| self.tally.limited.get(limit.code()).copied().unwrap_or(0);
        count(Limit::MinFee(Ppm(0))) + count(Limit::ChainCost(Ppm(0)))
    }

    pub fn changes(&self) -> usize {
        self.rates.values().map(|rates| rates.len().saturating_sub(1)).sum()
    }
}

/// What the strategy has of one channel.
struct Own {
    fee: Ppm,
    state: Vec<u8>,
    verdict: LastVerdict,
    proposed: Option<Ppm>,
    /// When its rate changed, oldest first.
    changes: Vec<UnixTime>,
    from_congestion: bool,
}

struct Player<'a> {
    entrant: &'a Entrant,
    name: StrategyName,
    config: Config,
    own: HashMap<u64, Own>,
    node_state: Vec<u8>,
    played: Played,
}

pub(super) fn play(history: &History, entrant: &Entrant, engine: &Engine) -> Result<Played> {
    let mut player = Player {
        entrant,
        name: "backtest".parse().map_err(|why: String| anyhow!(why))?,
        config: Config::default(),
        own: HashMap::new(),
        node_state: Vec::new(),
        played: Played {
            label: entrant.label.clone(),
            tally: Tally::default(),
            faults: Vec::new(),
            rates: BTreeMap::new(),
            revenue: Range::default(),
        },
    };
    for (cycle, _) in &history.cycles {
        if let Some(input) = history.input(*cycle)? {
            player.cycle(input, engine);
        }
    }
    let mut played = player.played;
    for (pseudonym, channel) in &history.channels {
        let path = played.rates.get(pseudonym).map_or(&[][..], Vec::as_slice);
        for stretch in channel.stretches.values() {
            played.revenue += earned(stretch, path);
        }
    }
    Ok(played)
}

impl Player<'_> {
    fn cycle(&mut self, mut input: FeeInput, engine: &Engine) {
        let now = input.now;
        for row in &mut input.channels {
            self.put_own(row, now);
        }
        input.node_state = std::mem::take(&mut self.node_state);
        input.params.retain(|(name, _)| name.starts_with("host."));
        let given = self.entrant.params.iter().filter(|(name, _)| !name.starts_with("host."));
        input.params.extend(given.cloned());
        match engine.decide_fees(&self.entrant.module, &input) {
            Ok(decision) => {
                for wanted in &decision.proposals {
                    self.judge(wanted, &input);
                }
                self.node_state = decision.node_state;
                for (row, state) in input.channels.iter().zip(decision.states.iter()) {
                    if let Some(own) = self.own.get_mut(&row.pseudonym) {
                        own.state = state.to_vec();
                    }
                }
            }
            Err(fault) => {
                self.node_state = input.node_state;
                self.played.faults.push(fault.to_string());
            }
        }
    }

    /// Puts what is this strategy's own into a row that was told to another.
    fn put_own(&mut self, row: &mut ChannelRow, now: UnixTime) {
        let rates = self.played.rates.entry(row.pseudonym).or_insert_with(|| vec![(now, row.fee)]);
        let own = self.own.entry(row.pseudonym).or_insert_with(|| Own {
            fee: row.fee,
            state: Vec::new(),
            verdict: LastVerdict::None,
            proposed: None,
            changes: Vec::new(),
            from_congestion: false,
        });
        row.fee = own.fee;
        row.state.clone_from(&own.state);
        (row.last_verdict, row.last_proposed) = (own.verdict, own.proposed);
        row.last_change = own.changes.last().copied().unwrap_or(rates[0].0);
        row.updates_left = self.config.max_updates_per_day.saturating_sub(updates_today(&own.changes, now));
    }

    fn judge(&mut self, wanted: &StrategyProposal, input: &FeeInput) {
        let row = &input.channels[wanted.row];
        let Some(own) = self.own.get_mut(&row.pseudonym) else { return };
        let channel = channel(row, input);
        let proposal = FeeProposal {
            channel_id: channel.channel_id,
            origin: Origin::Strategy(self.name.clone()),
            fee: wanted.fee,
            base_fee: wanted.base_fee,
            htlc_max: wanted.htlc_max,
            reason: wanted.reason.clone(),
            factors: Vec::new(),
        };
        let config = Config { min_fee_ppm: row.min_fee.0, max_fee_ppm: row.max_fee.0, ..self.config.clone() };
        let policy = Policy { strategy: self.name.clone(), ..Policy::default_for(channel.peer_id) };
        let snapshot = snapshot(input);
        let verdict = check(
            proposal,
            Case {
                config: &config,
                policy: &policy,
                snapshot: &snapshot,
                channel: &channel,
                history: Recent {
                    updates_today: updates_today(&own.changes, input.now),
                    fee_from_congestion: own.from_congestion,
                    last_change: own.changes.last().copied(),
                    ..Recent::default()
                },
                stands_in: true,
            },
        );
        (own.verdict, own.proposed) = (verdict.told(), Some(wanted.fee));
        if let Ok(approved) = &verdict.result
            && approved.get().fee != own.fee
        {
            own.fee = approved.get().fee;
            own.changes.push(input.now);
            own.from_congestion = approved.get().from_congestion;
            self.played.rates.entry(row.pseudonym).or_default().push((input.now, own.fee));
        }
        self.played.tally.count(&verdict);
    }
}

/// The row as the guard knows channels. Ids are not in the journal, and the guard needs none.
fn channel(row: &ChannelRow, input: &FeeInput) -> Channel {
    Channel {
        channel_id: ChannelId([0; 32]),
        scid: Some(Scid {
            block: input.block_height.saturating_sub(row.age_blocks),
            transaction: 1,
            output: 0,
        }),
        alias_local: None,
        peer_id: PeerId([2; 33]),
        peer_connected: row.connected,
        state: ChannelState::Normal,
        opener: row.opener,
        private: !row.public,
        total: row.capacity,
        to_us: row.local,
        spendable: row.spendable,
        receivable: row.receivable,
        fee_base: row.base_fee,
        fee_ppm: row.fee,
        htlc_min: crate::model::Msat::ZERO,
        htlc_max: row.htlc_max,
        peer_fee_ppm: row.peer_fee,
        htlcs: Htlcs { incoming: row.htlcs_in, outgoing: row.htlcs_out, slots: row.htlc_slots },
        funding_txid: None,
    }
}

/// The node of then. The row's own bounds have the chain's cost in them.
fn snapshot(input: &FeeInput) -> NodeSnapshot {
    NodeSnapshot {
        tick: Tick { now: input.now, seed: input.seed },
        node_id: PeerId([2; 33]),
        network: String::new(),
        blockheight: input.block_height,
        not_synced: None,
        feerate_perkb: None,
        channels: Vec::new(),
    }
}
