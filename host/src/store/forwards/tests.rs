mod rolled;
mod strays;
mod windows;

use super::*;
use crate::model::flow::{FlowClass, FlowHour, FlowState};
use crate::model::strategy::FeeInterval;
use crate::model::{Channel, ChannelId, Msat, Ppm, Scid};
use crate::store::flow::{self, FlowSums, FlowTotals};
use crate::store::intervals::{self, BURN_IN_S};
use crate::store::testing::{channel, channel_id, memory, peer, scid};
use crate::store::{names, window};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};

const START: u64 = 1_700_000_000;

fn forward(id: u64, status: ForwardStatus) -> Forward {
    Forward {
        in_channel: scid(1),
        in_htlc_id: id,
        out_channel: Some(scid(2)),
        in_msat: Msat(1_010_000 + id),
        out_msat: Msat(1_000_000),
        fee_msat: Msat(10_000 + id),
        status,
        received_ms: START * 1000 + id,
        resolved_ms: (status != ForwardStatus::Offered).then_some(START * 1000 + id + 500),
        failcode: None,
        created_index: Some(id),
        updated_index: Some(id),
    }
}

/// Channels 1 to 4; the second is also known by an alias and by an older scid.
fn observe(tx: &Transaction<'_>) {
    let mut before_splice = channel(2);
    before_splice.scid = Some(scid(20));
    let mut now = channel(2);
    now.alias_local = Some(scid(200));
    names::observe(tx, &[channel(1), before_splice, channel(3), channel(4)], UnixTime(START))
        .expect("stored");
    names::observe(tx, &[now], UnixTime(START + 1)).expect("stored");
}

fn owner(name: Scid) -> Option<ChannelId> {
    match name.block {
        1 | 3 | 4 => Some(channel_id(name.block as u8)),
        2 | 20 | 200 => Some(channel_id(2)),
        _ => None,
    }
}

#[test]
fn a_forward_counts_once_however_often_it_comes() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    observe(&tx);
    let offered = forward(7, ForwardStatus::Offered);
    let settled = forward(7, ForwardStatus::Settled);
    for (given, new, changed) in
        [(&offered, 1, 0), (&offered, 0, 0), (&settled, 0, 1), (&settled, 0, 0), (&offered, 0, 0)]
    {
        assert_eq!(ingest(&tx, std::slice::from_ref(given)), Ok(IngestStats { new, changed }));
    }
    assert_eq!(count(&tx), Ok(1));
    let totals = flow::totals(&tx).expect("totals");
    let came_in =
        FlowSums { in_msat: settled.in_msat, in_count: 1, sourced: settled.fee_msat, ..FlowSums::default() };
    let received = Some(UnixTime(START));
    assert_eq!(totals[&channel_id(1)], FlowTotals { sums: came_in, last_in: received, last_out: None });
    let left = FlowSums {
        out_msat: settled.out_msat,
        out_count: 1,
        earned: settled.fee_msat,
        ..FlowSums::default()
    };
    assert_eq!(totals[&channel_id(2)], FlowTotals { sums: left, last_in: None, last_out: received });
}

#[test]
fn failures_are_told_apart() {
    for (status, failcode, out, expected) in [
        (ForwardStatus::LocalFailed, Some(0x1007), true, (1, 0, 0)),
        (ForwardStatus::LocalFailed, None, true, (1, 0, 0)),
        (ForwardStatus::LocalFailed, Some(0x100c), true, (0, 0, 1)),
        (ForwardStatus::Failed, None, true, (0, 1, 0)),
        (ForwardStatus::Offered, None, true, (0, 0, 0)),
        (ForwardStatus::LocalFailed, Some(0x400a), false, (0, 0, 1)),
    ] {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        observe(&tx);
        let mut failed = forward(1, status);
        failed.failcode = failcode;
        failed.out_channel = out.then_some(scid(2));
        ingest(&tx, &[failed]).expect("stored");
        let totals = flow::totals(&tx).expect("totals");
        let charged = if out { channel_id(2) } else { channel_id(1) };
        let sums = totals.get(&charged).map(|total| total.sums).unwrap_or_default();
        let told = (sums.failed_liquidity, sums.failed_downstream, sums.failed_other);
        assert_eq!(told, expected, "{status:?} {failcode:?}");
        assert_eq!(
            totals.values().filter(|total| total.sums != sums && total.sums != FlowSums::default()).count(),
            0
        );
    }
}

#[test]
fn a_failed_forward_that_settles_after_all_is_no_failure() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    observe(&tx);
    ingest(&tx, &[forward(1, ForwardStatus::LocalFailed)]).expect("stored");
    ingest(&tx, &[forward(1, ForwardStatus::Settled)]).expect("stored");
    let sums = flow::totals(&tx).expect("totals")[&channel_id(2)].sums;
    assert_eq!((sums.failed_liquidity, sums.out_count), (0, 1));
}

#[test]
fn hours_of_all_names_are_one_channels() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    let mut by_alias = forward(1, ForwardStatus::Settled);
    by_alias.out_channel = Some(scid(200));
    ingest(&tx, &[by_alias, forward(2, ForwardStatus::Settled)]).expect("stored");
    assert!(flow::hours(&tx, UnixTime(0)).expect("hours").is_empty(), "no name is known yet");
    observe(&tx);
    let hours = flow::hours(&tx, UnixTime(START)).expect("hours");
    let hour = FlowHour {
        start: UnixTime(START - START % 3600),
        out_msat: Msat(2_000_000),
        out_count: 2,
        earned: Msat(20_003),
        ..FlowHour::default()
    };
    assert_eq!(hours[&channel_id(2)], vec![hour]);
    assert!(flow::hours(&tx, UnixTime(START + 3600)).expect("hours").is_empty());
}

#[test]
fn pruned_hours_stay_in_the_totals() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    observe(&tx);
    ingest(&tx, &[forward(1, ForwardStatus::Settled)]).expect("stored");
    let totals = flow::totals(&tx).expect("totals");
    let day = UnixTime(START - START % UnixTime::DAY);
    let sums = flow::sums(&tx, day).expect("sums");
    assert_eq!(flow::prune_hours(&tx, day.plus(UnixTime::DAY - 1)), Ok(0));
    assert_eq!(
        flow::prune_hours(&tx, day.plus(UnixTime::DAY)),
        Ok(2),
        "one row for each of the two channels"
    );
    assert!(flow::hours(&tx, UnixTime(0)).expect("hours").is_empty());
    assert_eq!(flow::totals(&tx), Ok(totals));
    assert_eq!(flow::sums(&tx, day), Ok(sums));
}

#[test]
fn flow_states_come_back_whole() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    let state = FlowState {
        channel_id: channel_id(1),
        peer_id: peer(1),
        class: FlowClass::Sink,
        flow_ratio: -0.25,
        window_in: Msat(5),
        window_out: Msat(4),
        window_days: 7,
        capacity: Msat(3),
        confidence: 0.5,
        velocity: -0.125,
        ema_decay: 0.75,
        forward_count: 2,
        last_forward: Some(UnixTime(START)),
        updated_at: UnixTime(START + 1),
    };
    let later = FlowState { class: FlowClass::Source, last_forward: None, ..state.clone() };
    flow::put_states(&tx, std::slice::from_ref(&state)).expect("stored");
    assert_eq!(flow::load_states(&tx), Ok(HashMap::from([(channel_id(1), state)])));
    flow::put_states(&tx, std::slice::from_ref(&later)).expect("stored");
    assert_eq!(flow::load_states(&tx), Ok(HashMap::from([(channel_id(1), later)])));
}

/// One page of the histories below: what the node may say of forwards.
fn tellings() -> impl Strategy<Value = Vec<Forward>> {
    let one = (0u64..12, 0usize..4).prop_map(|(id, status)| told(id, BY_RANK[status]));
    prop::collection::vec(one, 0..60)
}

/// What the node says of forward `id` when it ended with `status`: always the same.
fn told(id: u64, status: ForwardStatus) -> Forward {
    const OUT: [u32; 6] = [2, 20, 200, 3, 4, 999];
    let mut forward = forward(id, status);
    forward.in_channel = scid(1 + 2 * (id % 2) as u32);
    forward.out_channel = (!id.is_multiple_of(5)).then(|| scid(OUT[id as usize % OUT.len()]));
    forward.received_ms = (START + id * 1_700) * 1000 + 999;
    forward.failcode = (id.is_multiple_of(4) && status == ForwardStatus::LocalFailed).then_some(0x100c);
    forward
}

/// The best ending of each forward, taken from the tellings themselves.
fn endings(tellings: &[Forward]) -> Vec<Forward> {
    let mut best: BTreeMap<(Scid, u64), &Forward> = BTreeMap::new();
    for forward in tellings {
        let known = best.entry((forward.in_channel, forward.in_htlc_id)).or_insert(forward);
        if rank(known.status) < rank(forward.status) {
            *known = forward;
        }
    }
    best.into_values().cloned().collect()
}

/// Sums worked out the plain way, without this module's help.
fn plain_sums(endings: &[Forward], since: u64) -> HashMap<ChannelId, FlowSums> {
    let mut sums: HashMap<ChannelId, FlowSums> = HashMap::new();
    for forward in endings.iter().filter(|forward| forward.received_ms >= since * 1000) {
        let out = forward.out_channel;
        if let (Some(channel), ForwardStatus::Settled) = (owner(forward.in_channel), forward.status) {
            let sum = sums.entry(channel).or_default();
            sum.in_msat += forward.in_msat;
            sum.in_count += 1;
            sum.sourced += forward.fee_msat;
        }
        let Some(channel) = owner(out.unwrap_or(forward.in_channel)) else { continue };
        let sum = sums.entry(channel).or_default();
        match (forward.status, out, forward.failcode) {
            (ForwardStatus::Settled, Some(_), _) => {
                sum.out_msat += forward.out_msat;
                sum.out_count += 1;
                sum.earned += forward.fee_msat;
            }
            (ForwardStatus::Offered, ..) | (ForwardStatus::Settled, None, _) => {}
            (_, None, _) | (ForwardStatus::LocalFailed, _, Some(_)) => sum.failed_other += 1,
            (ForwardStatus::LocalFailed, _, None) => sum.failed_liquidity += 1,
            (ForwardStatus::Failed, ..) => sum.failed_downstream += 1,
        }
    }
    sums.retain(|_, sum| *sum != FlowSums::default());
    sums
}

/// Two intervals for every channel: up to `CHANGE`, and from then on.
const CHANGE: u64 = START + 9_000;

fn make_intervals(tx: &Transaction<'_>) {
    let at_rate =
        |ppm: u32| -> Vec<Channel> { (1..=4).map(|n| Channel { fee_ppm: Ppm(ppm), ..channel(n) }).collect() };
    for (at, ppm) in [(START - 10_000, 100), (CHANGE, 200)] {
        intervals::observe(tx, UnixTime(at), &at_rate(ppm), |_| Msat(0)).expect("stored");
    }
}

fn check_intervals(conn: &Connection, endings: &[Forward]) -> std::result::Result<(), TestCaseError> {
    let end = UnixTime(START + 100_000);
    for (channel_id, spans) in intervals::load(conn, UnixTime(0), 9, end).expect("intervals") {
        for span in spans {
            let within = |forward: &&Forward| {
                let received = received_s(forward);
                forward.out_channel.and_then(owner) == Some(channel_id)
                    && received >= span.start.0 + BURN_IN_S
                    && received < span.end.0
            };
            let inside: Vec<Forward> = endings.iter().filter(within).cloned().collect();
            let sum = plain_sums(&inside, 0).remove(&channel_id).unwrap_or_default();
            let FeeInterval { settled, failed_liquidity, failed_downstream, out, earned, .. } = span;
            prop_assert_eq!((settled, out, earned), (sum.out_count, sum.out_msat, sum.earned));
            prop_assert_eq!(
                (failed_liquidity, failed_downstream),
                (sum.failed_liquidity, sum.failed_downstream)
            );
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_order_repetition_and_paging_gives_the_same_sums(
        tellings in tellings(),
        page in 1usize..20,
        since in 0u64..20_000,
        length in 0u64..200_000,
    ) {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        observe(&tx);
        make_intervals(&tx);
        let mut stats = IngestStats::default();
        for page in tellings.chunks(page) {
            let some = ingest(&tx, page).expect("stored");
            stats.new += some.new;
            stats.changed += some.changed;
        }
        let endings = endings(&tellings);
        prop_assert_eq!(stats.new, endings.len() as u64);
        prop_assert_eq!(count(&tx), Ok(stats.new));

        let mut totals: HashMap<_, _> =
            flow::totals(&tx).expect("totals").into_iter().map(|(channel, total)| (channel, total.sums)).collect();
        totals.retain(|_, sums| *sums != FlowSums::default());
        prop_assert_eq!(totals, plain_sums(&endings, 0));

        let mut sums = flow::sums(&tx, UnixTime(START + since)).expect("sums");
        sums.retain(|_, sums| *sums != FlowSums::default());
        prop_assert_eq!(sums, plain_sums(&endings, START + since));

        let until = UnixTime(START + since + length);
        let mut window = flow::sums_between(&tx, UnixTime(START + since), until).expect("sums");
        window.by_channel.retain(|_, sums| *sums != FlowSums::default());
        let inside: Vec<Forward> =
            endings.iter().filter(|one| one.received_ms < until.0 * 1000).cloned().collect();
        prop_assert_eq!(window.by_channel, plain_sums(&inside, START + since));

        let settled = |one: &&Forward| one.status == ForwardStatus::Settled && one.received_ms >= (START + since) * 1000;
        let earned: Msat =
            endings.iter().filter(settled).filter(|one| one.out_channel.is_some()).map(|one| one.fee_msat).sum();
        prop_assert_eq!(flow::earned_between(&tx, UnixTime(START + since), window::FOR_EVER), Ok(earned));
        check_intervals(&tx, &endings)?;
    }
}
