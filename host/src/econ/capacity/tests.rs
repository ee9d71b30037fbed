use super::*;
use crate::econ::pnl::Costs;
use crate::model::ledger::{CostKind, CostSource, SignedMsat};

const CAPACITY: u64 = 1_000_000_000;

fn pnl(earned: u64, open: i64, rebalance: u64) -> Pnl {
    let mut costs = Costs { rebalance: Msat(rebalance), ..Costs::default() };
    costs.book(CostKind::Open, CostSource::Node, SignedMsat(open));
    Pnl { traffic: Traffic { earned: Msat(earned), ..Traffic::default() }, costs }
}

/// A channel about which there is nothing to say.
fn quiet(n: u8) -> Candidate {
    Candidate {
        channel_id: ChannelId([n; 32]),
        name: format!("{n}x1x0"),
        peer_id: PeerId([2; 33]),
        capacity: Msat(CAPACITY),
        local: Msat(CAPACITY / 5),
        age_days: 200,
        class: Class::BreakEven,
        pnl: pnl(5_000, 5_000, 0),
        recent: Traffic::default(),
        recent_days: 7,
        recent_purchases: 0,
        peer_splices: Some(true),
    }
}

fn winner(n: u8) -> Candidate {
    Candidate {
        class: Class::Profitable,
        pnl: pnl(90_000, 5_000, 10_000),
        recent: Traffic { out_msat: Msat(7 * CAPACITY), ..Traffic::default() },
        ..quiet(n)
    }
}

fn sunk(n: u8) -> Candidate {
    Candidate { class: Class::Underwater, pnl: pnl(1_000, 5_000_000, 0), recent_purchases: 2, ..quiet(n) }
}

fn idle(n: u8) -> Candidate {
    Candidate { local: Msat(CAPACITY / 2), pnl: pnl(0, 5_000, 0), ..quiet(n) }
}

#[test]
fn winners_and_losers() {
    let incoming = Traffic { in_msat: Msat(7 * CAPACITY), ..Traffic::default() };
    let both = Traffic { in_msat: Msat(2 * CAPACITY), out_msat: Msat(7 * CAPACITY), ..Traffic::default() };
    let slow = Traffic { out_msat: Msat(3 * CAPACITY), ..Traffic::default() };
    for (candidate, wins, loss) in [
        (quiet(1), false, None),
        (winner(1), true, None),
        (Candidate { recent: incoming, ..winner(1) }, true, None),
        (Candidate { recent: both, ..winner(1) }, false, None),
        (Candidate { recent: slow, ..winner(1) }, false, None),
        (Candidate { pnl: pnl(11_000, 0, 10_000), ..winner(1) }, false, None),
        (sunk(1), false, Some((Loss::FireSale, Action::Close))),
        (Candidate { recent_purchases: 1, ..sunk(1) }, false, Some((Loss::FireSale, Action::Defibrillate))),
        (Candidate { age_days: 90, ..sunk(1) }, false, None),
        (Candidate { pnl: pnl(4_000, 5_000, 0), ..sunk(1) }, false, None),
        (
            Candidate { class: Class::Zombie, pnl: pnl(4_000, 5_000, 0), recent_purchases: 0, ..sunk(1) },
            false,
            Some((Loss::FireSale, Action::Close)),
        ),
        (idle(1), false, Some((Loss::Stagnant, Action::Defibrillate))),
        (Candidate { recent_purchases: 2, ..idle(1) }, false, Some((Loss::Stagnant, Action::Close))),
        (Candidate { age_days: 6, ..idle(1) }, false, None),
        (Candidate { local: Msat(CAPACITY / 3), ..idle(1) }, false, None),
        (Candidate { pnl: pnl(5_000, 0, 0), ..idle(1) }, false, None),
    ] {
        let all = [candidate];
        let advice = advise(&all, Some(5_000), 7);
        let found = advice.losers.first().map(|loser| (loser.loss, loser.action));
        assert_eq!((!advice.winners.is_empty(), found), (wins, loss), "{:?}", all[0]);
    }
}

#[test]
fn every_loser_and_every_winner_gets_advice() {
    let all = [winner(1), Candidate { capacity: Msat(9 * CAPACITY), ..sunk(2) }, sunk(3), idle(4), quiet(5)];
    let advice = advise(&all, Some(5_000), 7);
    let [pair, surplus, revive] = &advice.recommendations[..] else {
        panic!("{:#?}", advice.recommendations)
    };
    assert!(pair.starts_with("Close 2x1x0 and move its 200000 sat to 1x1x0 by a splice."), "{pair}");
    assert!(
        pair.contains("turned over 100 % of its 1000000 sat a day in 7 days, 100 % of it outgoing"),
        "{pair}"
    );
    assert!(
        surplus.starts_with("Close 3x1x0. In 200 days it earned 1 and brought in 0 sat, cost 5000 sat"),
        "{surplus}"
    );
    assert!(
        surplus.ends_with("a mutual close would cost about 1000 sat (at the present feerate)."),
        "{surplus}"
    );
    assert!(revive.starts_with("Try to sell what 4x1x0 has before you close it"), "{revive}");

    let all =
        [winner(1), Candidate { peer_splices: Some(false), pnl: pnl(80_000, 5_000, 10_000), ..winner(2) }];
    let advice = advise(&all, None, 7);
    assert!(advice.recommendations[0].starts_with("Add funds to 1x1x0 by a splice."));
    assert!(advice.recommendations[1].contains("another channel with the peer of 2x1x0"));
}

#[test]
fn the_mempool_is_respected() {
    for (perkb, word, cost) in [
        (Some(5_000), "PROCEED: 5.0 sat/vB", (Msat::from_sats(1_000), true)),
        (Some(100_000), "PROCEED", (Msat::from_sats(20_000), true)),
        (Some(100_100), "HOLD: 100.1 sat/vB", (Msat::from_sats(20_020), true)),
        (None, "UNKNOWN", (Msat::from_sats(3_000), false)),
    ] {
        let mempool = Mempool::at(perkb);
        assert!(mempool.recommendation().starts_with(word), "{}", mempool.recommendation());
        assert_eq!(mempool.close_cost(), cost, "{perkb:?}");
    }
    let all = [sunk(1), idle(2)];
    let advice = advise(&all, Some(150_000), 7);
    assert!(
        advice.recommendations[0]
            .starts_with("Once the feerate is 100 sat/vB or less (now 150.0): close 1x1x0."),
        "{}",
        advice.recommendations[0]
    );
    // Buying liquidity needs no transaction.
    assert!(advice.recommendations[1].starts_with("Try to sell"));
}
