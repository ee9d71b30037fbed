use std::collections::HashMap;

use super::*;

const START: f64 = 1_800_000_000.0;
const DAY: f64 = 86_400.0;

fn exp(f0: f64) -> Acceptance {
    Acceptance::Exponential { f0 }
}

fn single(accept: Acceptance, per_day: f64, ppm: u32) -> Market {
    Market::new(MarketSpec::single(accept, per_day, ppm, true), 11, START)
}

fn fee(ppm: u32, base_msat: u64) -> Fee {
    Fee { base_msat, ppm, htlc_min_msat: 0, htlc_max_msat: u64::MAX }
}

fn count(forwards: &[Forward], status: Status) -> usize {
    forwards.iter().filter(|forward| forward.status == status).count()
}

#[test]
fn arrivals_come_at_the_rate_of_the_demand() {
    let mut market = single(exp(500.0), 40.0, 0);
    let seen = market.advance(START + 100.0 * DAY);
    let offered = count(&seen, Status::Offered);
    // A few payments are larger than the channel can send: refused, yet they did come.
    let came = offered + count(&seen, Status::LocalFailed);
    // 4000 expected; 5 standard deviations are 316. Failures keep some senders away.
    assert!((3650..4316).contains(&came), "{came} arrivals");
    assert!(count(&seen, Status::Failed) > offered / 50);
    assert!(count(&seen, Status::Failed) < offered / 15);
}

#[test]
fn traffic_swings_over_the_day() {
    let mut market = single(exp(500.0), 400.0, 0);
    let seen = market.advance(START + 60.0 * DAY);
    let mut quarters = [0usize; 4];
    for forward in seen.iter().filter(|forward| forward.status == Status::Offered) {
        let of_day = seconds(forward.received_us).rem_euclid(DAY) / DAY;
        quarters[(of_day * 4.0) as usize] += 1;
    }
    let (high, low) = (quarters[0] + quarters[1], quarters[2] + quarters[3]);
    let ratio = high as f64 / low as f64;
    // Half a sine of amplitude 0.5 adds 1/pi to one half and takes it from the other.
    assert!((1.75..2.15).contains(&ratio), "{quarters:?}");
}

#[test]
fn a_dearer_channel_gets_fewer_payments() {
    let settled = |ppm| {
        let mut market = single(exp(500.0), 100.0, ppm);
        count(&market.advance(START + 60.0 * DAY), Status::Settled) as f64
    };
    let (free, cheap, dear) = (settled(0), settled(250), settled(1000));
    assert!((cheap / free - (-0.5f64).exp()).abs() < 0.05, "{cheap} of {free}");
    assert!((dear / free - (-2.0f64).exp()).abs() < 0.03, "{dear} of {free}");
}

#[test]
fn the_oracle_finds_the_known_optima() {
    let cases = [
        (exp(500.0), 500),
        (exp(200.0), 200),
        (Acceptance::Logit { mid: 800.0, width: 80.0 }, 644),
        (Acceptance::Logit { mid: 300.0, width: 40.0 }, 236),
        (Acceptance::Logit { mid: 150.0, width: 20.0 }, 118),
        (Acceptance::Capped { cap: 900.0 }, 900),
    ];
    for (accept, best) in cases {
        let found = single(accept, 40.0, 100).oracle_ppm(0);
        assert!(found.abs_diff(best) <= 2, "{accept:?}: {found}, not {best}");
    }
    assert_eq!(single(exp(500.0), 40.0, 100).oracle_ppm(1), 0, "nobody wants channel 1");
}

#[test]
fn fees_are_base_plus_share_rounded_down() {
    let mut market = Market::new(MarketSpec::single(exp(5000.0), 200.0, 0, true), 3, START);
    market.set_fee(0, fee(137, 1001), START);
    let seen = market.advance(START + 10.0 * DAY);
    let late = seen.iter().filter(|f| f.status == Status::Settled && f.received_us > micros(START + DAY));
    let late: Vec<_> = late.collect();
    assert!(late.len() > 500);
    for forward in late {
        assert_eq!(forward.fee_msat(), 1001 + forward.out_msat * 137 / 1_000_000);
    }
}

#[test]
fn old_fees_live_on_until_senders_hear_of_the_change() {
    let mut market = single(Acceptance::Capped { cap: 1000.0 }, 2000.0, 100);
    market.advance(START + DAY);
    market.set_fee(0, fee(300, 0), START + DAY);
    let seen = market.advance(START + 2.0 * DAY);
    let ppm = |f: &&Forward| (f.fee_msat() as f64 * 1e6 / f.out_msat as f64).round() as u32;
    let share_of_old = |from: f64, to: f64| {
        let here =
            |f: &&Forward| (micros(START + DAY + from)..micros(START + DAY + to)).contains(&f.received_us);
        let here: Vec<_> = seen.iter().filter(|f| f.status == Status::Settled).filter(here).collect();
        assert!(here.len() > 5);
        here.iter().filter(|f| ppm(f) == 100).count() as f64 / here.len() as f64
    };
    assert_eq!(share_of_old(0.0, 600.0), 1.0);
    let half_way = share_of_old(6600.0, 8400.0);
    assert!((0.3..0.7).contains(&half_way), "{half_way}");
    assert_eq!(share_of_old(14_401.0, DAY), 0.0);
}

#[test]
fn an_enforced_raise_refuses_old_fees_and_senders_try_again() {
    let mut spec = MarketSpec::single(Acceptance::Capped { cap: 1000.0 }, 2000.0, 100, true);
    spec.enforce_delay_s = Some(600.0);
    let mut market = Market::new(spec, 5, START);
    market.set_fee(0, fee(300, 0), START);
    let seen = market.advance(START + 4.0 * 3600.0);
    let refused: Vec<_> = seen.iter().filter(|f| f.refusal == Some(Refusal::FeeInsufficient)).collect();
    assert!(refused.len() > 50, "{}", refused.len());
    assert!(refused.iter().all(|f| f.received_us > micros(START + 600.0)));
    let again = |old: &&&Forward| {
        seen.iter().any(|f| {
            f.received_us == old.received_us && f.out_msat == old.out_msat && f.fee_msat() > old.fee_msat()
        })
    };
    assert!(refused.iter().filter(again).count() * 10 > refused.len() * 9);
}

#[test]
fn money_is_conserved_and_balances_stay_inside_the_channel() {
    let mut market = Market::new(MarketSpec::demo(), 1, START);
    let before: u64 = market.channels().iter().map(|c| c.our_msat).sum();
    let mut earned = 0;
    for hour in 1..=24 * 10 {
        for forward in market.advance(START + f64::from(hour) * 3600.0) {
            if forward.status == Status::Settled {
                earned += forward.fee_msat();
            }
        }
        for channel in market.channels() {
            assert!(channel.our_msat <= channel.capacity_msat);
            assert!(channel.pending_out.msat <= channel.our_msat);
            assert!(channel.pending_in.msat <= channel.capacity_msat - channel.our_msat);
            assert!(channel.pending_in.count <= u32::from(channel.slots));
        }
    }
    let after: u64 = market.channels().iter().map(|c| c.our_msat).sum();
    assert_eq!(after, before + earned);
    assert!(earned > 1_000_000, "{earned} msat in ten days");
}

#[test]
fn each_forward_has_one_identity_and_one_end() {
    let mut market = Market::new(MarketSpec::demo(), 2, START);
    let seen = market.advance(START + 5.0 * DAY);
    let mut life: HashMap<(usize, u64), Vec<Status>> = HashMap::new();
    for forward in &seen {
        life.entry((forward.in_channel, forward.in_htlc_id)).or_default().push(forward.status);
    }
    for states in life.values() {
        let fine = matches!(
            states.as_slice(),
            [Status::Offered | Status::LocalFailed] | [Status::Offered, Status::Settled | Status::Failed]
        );
        assert!(fine, "{states:?}");
    }
    assert!(count(&seen, Status::LocalFailed) > 20, "the demo shows depletion");
    assert!(seen.windows(2).all(
        |w| w[0].resolved_us.unwrap_or(w[0].received_us) <= w[1].resolved_us.unwrap_or(w[1].received_us)
    ));
}

#[test]
fn the_rush_hour_channel_runs_out_of_slots_at_times() {
    let mut market = Market::new(MarketSpec::demo(), 4, START);
    let mut shares = Vec::new();
    for minute in 1..=48 * 60 {
        market.advance(START + f64::from(minute) * 60.0);
        let channel = market.channel(5);
        shares.push(f64::from(channel.htlc_count(Direction::Out)) / f64::from(channel.slots));
    }
    let busy = shares.iter().filter(|share| **share > 0.8).count();
    assert!(busy > 20, "busy for {busy} minutes");
    assert!(busy < shares.len() / 2, "not always");
}

#[test]
fn held_htlcs_take_slots_and_liquidity_until_released() {
    let mut market = single(exp(500.0), 40.0, 0);
    market.channel_mut(0).slots = 2;
    let free = market.channel(0).spendable_msat();
    market.hold_htlc(0, Direction::Out, 1_000);
    market.hold_htlc(0, Direction::Out, 2_000);
    assert_eq!(market.channel(0).spendable_msat(), free - 3_000);
    let seen = market.advance(START + DAY);
    assert_eq!(count(&seen, Status::Offered), 0);
    assert!(count(&seen, Status::LocalFailed) > 0);
    assert_eq!(market.htlcs().count(), 2);
    assert_eq!(market.release_htlcs(0), 2);
    assert_eq!(market.channel(0).spendable_msat(), free);
    assert!(count(&market.advance(START + 3.0 * DAY), Status::Offered) > 0);
}

#[test]
fn one_seed_one_history_whatever_the_steps() {
    let run = |seed, step: f64| {
        let mut market = Market::new(MarketSpec::demo(), seed, START);
        let mut seen = Vec::new();
        let mut at = START;
        while at < START + 2.0 * DAY {
            at = (at + step).min(START + 2.0 * DAY);
            seen.extend(market.advance(at));
        }
        seen
    };
    assert_eq!(run(9, 60.0), run(9, DAY));
    assert_ne!(run(9, DAY), run(10, DAY));
}

#[test]
fn nobody_comes_while_time_is_skipped() {
    let mut market = single(exp(500.0), 400.0, 0);
    market.advance(START + DAY);
    let seen = market.skip(START + 11.0 * DAY);
    assert_eq!(count(&seen, Status::Offered), 0);
    let seen = market.advance(START + 12.0 * DAY);
    assert!(count(&seen, Status::Offered) > 100);
    assert!(seen.iter().all(|f| f.received_us >= micros(START + 11.0 * DAY) || f.status != Status::Offered));
}

#[test]
fn large_markets_are_plausible() {
    let market = Market::new(MarketSpec::sized(1000, 3), 3, START);
    let optima: Vec<u32> = (0..1000).step_by(50).map(|i| market.oracle_ppm(i)).collect();
    assert!(optima.iter().all(|ppm| *ppm > 10), "{optima:?}");
    let peers: std::collections::HashSet<_> = market.spec().channels.iter().map(|c| c.peer).collect();
    assert!((900..1000).contains(&peers.len()), "some peers have two channels");
}
