#![allow(clippy::unwrap_used)]
use super::*;
use crate::cli::demo::stage::Name;
use crate::cli::demo::watch::{Decision, Limit};
use serde_json::{Value, json};

const PLAIN: Paint = Paint { colour: false };
const CLIP: Clip = Clip { days: 4.0, seed: 1, rate: 5_760.0 };

fn decision(value: Value) -> Decision {
    serde_json::from_value(value).unwrap()
}

fn row(strategy: &str, decision: Option<Decision>) -> Row {
    Row {
        name: Name { scid: "187040x2x1".into(), alias: "exchange-sink".into(), peer_id: "02".repeat(33) },
        strategy: strategy.into(),
        local_share: 0.25,
        fee_ppm: 1_295,
        changed: Some((3.0, 210)),
        decision,
    }
}

fn priced(reason: &str, scarcity: f64) -> Value {
    json!({
        "cycle": 7, "old_fee_ppm": 210, "proposed_ppm": 295, "approved_ppm": 295, "reason": reason,
        "factors": { "base-ppm": 210.4, "scarcity": scarcity, "congestion": 1.0, "vegas": 2.5 },
        "verdict": "approved", "outcome": "applied", "limits": [],
    })
}

fn with(mut value: Value, changes: Value) -> Value {
    for (key, change) in changes.as_object().unwrap() {
        value[key] = change.clone();
    }
    value
}

#[test]
fn every_fee_has_its_words() {
    let refused = json!({ "verdict": "rate_limited", "outcome": null, "verdict_text": "12 changes" });
    let failed = json!({ "outcome": "failed", "outcome_text": "no such channel" });
    let unchanged = json!({ "verdict": "unchanged", "outcome": null, "old_fee_ppm": 295 });
    let limited = json!({ "limits": [{ "limit": "step_up", "ppm": 800 }] });
    let foreign = json!({ "reason": "greed", "factors": { "hunger": 3 } });
    for (strategy, value, expect) in [
        ("dynamic", priced("climb", 1.0), "climb: base 210"),
        ("dynamic", priced("scarcity", 1.4), "scarcity: base 210 x scarcity 1.40"),
        ("dynamic", priced("congestion", 1.0), "HTLC slots full: highest fee"),
        ("dynamic", priced("congestion-over", 1.0), "slots free: base 210"),
        ("dynamic", priced("vegas", 1.0), "mempool: floor x 2.50"),
        ("dynamic", with(priced("climb", 1.0), limited), "climb: base 210 [step_up 800]"),
        ("dynamic", with(priced("climb", 1.0), refused), "295 ppm refused: rate_limited"),
        ("dynamic", with(priced("climb", 1.0), failed), "295 ppm refused: failed"),
        ("static", with(priced("target", 1.0), unchanged), "policy: one fixed rate"),
        ("hive", priced("fleet", 1.0), "policy: a fleet member"),
        ("passive", priced("climb", 1.0), "policy: hands off"),
        ("my-module", with(priced("", 1.0), foreign), "greed: hunger 3"),
    ] {
        assert_eq!(why(&row(strategy, Some(decision(value)))), expect);
    }
    assert_eq!(why(&row("dynamic", None)), "no change wanted so far");
}

#[test]
fn a_channel_is_one_line() {
    let table = table(&scene(vec![row("dynamic", Some(decision(priced("scarcity", 1.4))))], vec![]), PLAIN);
    assert_eq!(
        table[1],
        "exchange-sink 187040x2x1   dynamic ███░░░░░░░  25 %   1,295 ▲  scarcity: base 210 x scarcity 1.40"
    );
    let columns = |mark: &str| table[0].find(mark).unwrap();
    assert_eq!(&table[1].chars().skip(columns("our side")).take(3).collect::<String>(), "███");
    assert_eq!(&table[1].chars().skip(columns("why")).take(8).collect::<String>(), "scarcity");
}

fn scene(rows: Vec<Row>, events: Vec<Event>) -> Scene {
    Scene { hours: 27.2, rows, events, sat_per_vb: Some(28.0), ..Scene::default() }
}

fn event(hours: f64, kind: EventKind, text: &str) -> Event {
    Event { hours, who: "exchange-sink".into(), kind, text: text.into() }
}

#[test]
fn everything_fits_in_a_terminal_of_100_by_24() {
    let long = "x".repeat(300);
    let mut wide = decision(priced(&long, 2.0));
    wide.limits.push(Limit { limit: long.clone(), ppm: Some(u32::MAX) });
    let mut row = row(&long, Some(wide));
    (row.name.alias, row.fee_ppm) = (long.clone(), 100_000);
    let mut scene = scene(vec![row; 13], vec![event(27.0, EventKind::Refused, &long); 30]);
    scene.tally.refused(&long, &long);
    let frame = frame(&scene, &CLIP, PLAIN);
    assert!(frame.len() <= 24, "{} lines", frame.len());
    for line in frame.iter().chain(&chapter(&scene, &scene.events, PLAIN)) {
        assert!(line.chars().count() <= WIDTH, "{line}");
    }
}

#[test]
fn colours_only_where_asked_for() {
    let scene = scene(vec![row("dynamic", None); 3], vec![event(1.0, EventKind::News, "news")]);
    let painted = |colour| frame(&scene, &CLIP, Paint { colour }).concat();
    assert!(!painted(false).contains('\x1b') && painted(true).contains('\x1b'));
}

#[test]
fn a_chapter_tells_each_thing_once_and_the_greatest_leaps() {
    let refused = |hours| event(hours, EventKind::Refused, "300 ppm refused");
    let leaps =
        [1.1, 9.0, 1.2, 8.0, 7.0, 6.0].map(|leap| event(leap, EventKind::Changed { leap }, "changed"));
    let events: Vec<Event> = [refused(2.0), refused(3.0)].into_iter().chain(leaps).collect();
    let hours: Vec<f64> = notable(&events).iter().map(|event| event.hours).collect();
    assert_eq!(hours, [2.0, 6.0, 7.0, 8.0, 9.0]);
}

#[test]
fn numbers_read_well() {
    assert_eq!([0, 999, 1_000, 72_566_308].map(thousands), ["0", "999", "1,000", "72,566,308"]);
    assert_eq!([0.0, 27.2, 95.99].map(clock), ["day 1 00:00", "day 2 03:12", "day 4 23:59"]);
    assert_eq!((cut("abc", 3), cut("abcd", 3)), ("abc".to_owned(), "ab…".to_owned()));
}
