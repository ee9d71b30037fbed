use super::*;
use proptest::prelude::*;

const NOW: UnixTime = UnixTime(1_800_000_000);
const CAPACITY: Msat = Msat::from_sats(1_000_000);
const THRESHOLDS: Thresholds = Thresholds { source: 0.5, sink: -0.5 };

/// Flow in sat, `hours_ago` before now, in `count` forwards each way that has flow.
fn hour(hours_ago: u64, inflow: u64, outflow: u64, count: u32) -> FlowHour {
    FlowHour {
        start: NOW.minus(hours_ago * UnixTime::HOUR),
        in_msat: Msat::from_sats(inflow),
        out_msat: Msat::from_sats(outflow),
        in_count: if inflow > 0 { count } else { 0 },
        out_count: if outflow > 0 { count } else { 0 },
        ..FlowHour::default()
    }
}

/// The same flow on each of seven days, latest first.
fn daily(flow: [(u64, u64); 7]) -> Vec<FlowHour> {
    (0..).zip(flow).map(|(day, (inflow, outflow))| hour(24 * day + 1, inflow, outflow, 5)).collect()
}

fn analyzed(hours: &[FlowHour], previous: Option<&FlowState>) -> FlowState {
    let flow =
        ChannelFlow { channel_id: ChannelId([1; 32]), peer_id: PeerId([2; 33]), capacity: CAPACITY, hours };
    analyze(&flow, previous, THRESHOLDS, 7, NOW)
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

#[test]
fn a_silent_channel_is_balanced_and_unsure() {
    let state = analyzed(&[], None);
    assert_eq!((state.class, state.flow_ratio, state.confidence), (FlowClass::Balanced, 0.0, 0.1));
    assert_eq!((state.last_forward, state.forward_count, state.velocity), (None, 0, 0.0));
    assert_eq!(state.ema_decay, 0.8);
}

#[test]
fn classes_follow_ratio_or_direction() {
    for (name, flow, class) in [
        ("drains by 0.6 of the capacity a day", (0, 600_000), FlowClass::Source),
        ("fills by 0.6 of the capacity a day", (600_000, 0), FlowClass::Sink),
        ("beyond the threshold with 65 % one way", (1_200_000, 2_200_000), FlowClass::Source),
        ("8 % of the capacity a week, 75 % out", (3_000, 9_000), FlowClass::Source),
        ("8 % of the capacity a week, 75 % in", (9_000, 3_000), FlowClass::Sink),
        ("70 % out exactly", (3_000, 7_000), FlowClass::Source),
        ("65 % out is no direction", (35_000, 65_000), FlowClass::Balanced),
        ("4.9 % of the capacity a week is too little", (0, 7_000), FlowClass::Balanced),
    ] {
        assert_eq!(analyzed(&daily([flow; 7]), None).class, class, "{name}");
    }
}

#[test]
fn thresholds_are_the_operators() {
    let hours = daily([(35_000, 65_000); 7]);
    let flow = ChannelFlow {
        channel_id: ChannelId([1; 32]),
        peer_id: PeerId([2; 33]),
        capacity: CAPACITY,
        hours: &hours,
    };
    let class = |source, sink| analyze(&flow, None, Thresholds { source, sink }, 7, NOW).class;
    assert_eq!(class(0.029, -0.5), FlowClass::Source);
    assert_eq!(class(0.031, -0.5), FlowClass::Balanced);
    assert_eq!(class(0.5, 0.031), FlowClass::Sink);
}

#[test]
fn decay_depends_on_how_steady_the_flow_is() {
    for (name, flow, decay) in [
        ("the same every day", [(0, 50_000); 7], 0.9),
        ("alternating: net varies as much as the volume", alternating(), 0.6),
        ("two active days are too few", two_days(), 0.8),
        ("below 1000 sat a day", [(0, 999); 7], 0.8),
    ] {
        let state = analyzed(&daily(flow), None);
        assert!(close(state.ema_decay, decay), "{name}: {}", state.ema_decay);
    }
}

fn alternating() -> [(u64, u64); 7] {
    std::array::from_fn(|day| if day % 2 == 0 { (0, 50_000) } else { (50_000, 0) })
}

fn two_days() -> [(u64, u64); 7] {
    std::array::from_fn(|day| if day < 2 { (0, 500_000) } else { (0, 0) })
}

#[test]
fn decay_is_linear_between_steady_and_erratic() {
    // Net 70,000 or 130,000 on alternate days of which one kind is one more:
    // sd = 30,000 * sqrt(48)/7, mean volume = (4 * 70,000 + 3 * 130,000) / 7.
    let flow = std::array::from_fn(|day| (0, if day % 2 == 0 { 70_000 } else { 130_000 }));
    let variation = 30_000.0 * 48_f64.sqrt() / 7.0 / (670_000.0 / 7.0);
    let expected = 0.9 - (variation - 0.1) / 0.4 * 0.3;
    let state = analyzed(&daily(flow), None);
    assert!(close(state.ema_decay, expected), "{} {expected}", state.ema_decay);
}

#[test]
fn the_ratio_weighs_days_by_age() {
    // One active day: decay 0.8. Today weighs 1 of (1 - 0.8^7) / 0.2.
    let weights = (1.0 - 0.8_f64.powi(7)) / 0.2;
    let today = analyzed(&[hour(1, 0, 100_000, 1)], None);
    assert!(close(today.flow_ratio, 0.1 / weights), "{}", today.flow_ratio);
    let oldest = analyzed(&[hour(24 * 7 - 1, 100_000, 0, 1)], None);
    assert!(close(oldest.flow_ratio, -0.1 * 0.8_f64.powi(6) / weights), "{}", oldest.flow_ratio);
}

#[test]
fn hours_before_the_window_do_not_count() {
    let state = analyzed(&[hour(24 * 7, 0, 900_000, 9)], None);
    assert_eq!((state.window_out, state.forward_count, state.last_forward), (Msat::ZERO, 0, None));
}

#[test]
fn confidence_needs_forwards_and_recent_ones() {
    for (hours_ago, forwards, confidence) in [
        (0, 20, 1.0),
        (0, 40, 1.0),
        (0, 10, 0.55),
        (72, 20, 0.5),
        (72, 10, 0.275),
        (144, 20, 0.25),
        (144, 1, 0.1),
    ] {
        let state = analyzed(&[hour(hours_ago, 0, 1_000, forwards)], None);
        let told = format!("{forwards} forwards {hours_ago} h ago: {}", state.confidence);
        assert!(close(state.confidence, confidence), "{told}");
    }
}

#[test]
fn the_last_forward_is_found_in_any_day() {
    let state = analyzed(&[hour(100, 0, 1_000, 1), hour(50, 1_000, 0, 1), hour(3, 0, 0, 0)], None);
    assert_eq!(state.last_forward, Some(NOW.minus(50 * UnixTime::HOUR)));
}

#[test]
fn velocity_compares_with_the_previous_analysis() {
    let hours = daily([(0, 600_000); 7]);
    let ratio = analyzed(&hours, None).flow_ratio;
    for (minutes, ratio_before, velocity) in [
        (60, ratio - 0.1, 0.1),
        (120, ratio - 0.1, 0.05),
        (60, ratio + 0.1, -0.1),
        (30, ratio - 5.0, 0.5),
        (30, ratio + 5.0, -0.5),
        (29, ratio - 0.1, 0.123),
        (0, ratio - 0.1, 0.123),
    ] {
        let mut previous = analyzed(&[], None);
        previous.updated_at = NOW.minus(minutes * 60);
        previous.flow_ratio = ratio_before;
        previous.velocity = 0.123;
        let state = analyzed(&hours, Some(&previous));
        assert!(close(state.velocity, velocity), "{minutes} min: {}", state.velocity);
    }
}

proptest! {
    #[test]
    fn results_stay_in_their_ranges(
        flow in prop::collection::vec((0u64..300, 0u64..5_000_000, 0u64..5_000_000, 0u32..1_000), 0..80),
        window_days in 1u32..90,
        capacity in 0u64..10_000_000_000,
    ) {
        let hours: Vec<_> = flow.iter().map(|(ago, inflow, outflow, count)| hour(*ago, *inflow, *outflow, *count)).collect();
        let flow = ChannelFlow {
            channel_id: ChannelId([1; 32]), peer_id: PeerId([2; 33]), capacity: Msat(capacity), hours: &hours,
        };
        let state = analyze(&flow, None, THRESHOLDS, window_days, NOW);
        prop_assert!((0.1..=1.0).contains(&state.confidence));
        prop_assert!((0.6..=0.9).contains(&state.ema_decay));
        prop_assert!(state.flow_ratio.is_finite());
        let inside = |hour: &&FlowHour| NOW.since(hour.start) < u64::from(window_days) * UnixTime::DAY;
        prop_assert_eq!(state.window_out, hours.iter().filter(inside).map(|hour| hour.out_msat).sum::<Msat>());
        prop_assert_eq!(state.window_in, hours.iter().filter(inside).map(|hour| hour.in_msat).sum::<Msat>());
    }
}

#[test]
fn the_multiplier_says_which_way_and_how_sure() {
    let of = |flow_ratio, confidence| {
        flow_multiplier(&FlowState { flow_ratio, confidence, ..analyzed(&[], None) })
    };
    assert_eq!(of(0.05, 1.0), 1.0);
    assert_eq!(of(0.8, 0.5), 1.2);
    assert_eq!(of(-0.8, 1.0), 0.6);
    assert_eq!(of(9.0, 1.0), 2.0);
}
