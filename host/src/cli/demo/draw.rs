//! From a scene to lines of text, at most [`WIDTH`] columns wide.

mod why;

pub use why::{change, refused, why};

use super::stage::Stage;
use super::tally::listed;
use super::watch::{Event, EventKind, Row, Scene};

/// Columns that every line fits in.
pub const WIDTH: usize = 98;

/// Columns of a balance's bar.
const BAR: usize = 10;

/// Columns of the words on a channel's fee.
const WHY: usize = 35;

/// Latest events shown below the table.
const EVENTS: usize = 4;

/// News and refusals told after a day, where lines stay, and changed fees.
const NEWS: usize = 8;
const LEAPS: usize = 4;

/// How long a changed fee stands out, simulated hours.
const FRESH_H: f64 = 2.0;

/// What is played.
#[derive(Clone, Copy, Debug)]
pub struct Clip {
    /// Simulated days of traffic.
    pub days: f64,
    pub seed: u64,
    /// Simulated seconds per second.
    pub rate: f64,
}

/// Colours, or their absence.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    pub colour: bool,
}

impl Paint {
    /// `text` in one of the terminal's styles (SGR code).
    fn style(self, code: &str, text: &str) -> String {
        if self.colour && !code.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Less important.
    pub fn dim(self, text: &str) -> String {
        self.style("2", text)
    }

    /// More important.
    pub fn bold(self, text: &str) -> String {
        self.style("1", text)
    }
}

/// What is about to be played, where lines stay.
pub fn opening(clip: &Clip, stage: &Stage) -> Vec<String> {
    let (length, Clip { rate, seed, .. }) = (days(clip.days), clip);
    vec![
        format!(
            "cl-revenue-ops on a simulated node: {length} of traffic at {rate:.0} x real time, seed {seed}"
        ),
        format!(
            "plugin ready after {:.2} s; {} channels; policies set by revenue-policy:",
            stage.ready_after.as_secs_f64(),
            stage.names.len()
        ),
    ]
    .into_iter()
    .chain(super::stage::POLICIES.map(|(alias, policy)| format!("  {alias:<14} {}", policy.join(" "))))
    .collect()
}

/// One picture of the whole, for a terminal of 24 lines.
pub fn frame(scene: &Scene, clip: &Clip, paint: Paint) -> Vec<String> {
    let title = paint.bold("cl-revenue-ops on a simulated node");
    let last = clip.days * 24.0 - 1.0 / 60.0;
    let now = clock(scene.hours.min(last));
    let about = format!("{now} of {}   {:.0} x real time   seed {}", days(clip.days), clip.rate, clip.seed);
    let mut lines = vec![format!("{title}   {}", paint.dim(&about)), String::new()];
    lines.extend(table(scene, paint));
    lines.push(String::new());
    lines.extend(totals(scene, paint));
    let events = scene.events.iter().rev().take(EVENTS).rev();
    lines.extend(events.map(|event| told(event, paint)));
    lines.resize(lines.len() + EVENTS.saturating_sub(scene.events.len()), String::new());
    lines.push(progress(scene, clip, paint));
    lines
}

/// The channels.
pub fn table(scene: &Scene, paint: Paint) -> Vec<String> {
    let header = format!(
        "{:<13} {:<12} {:<7} {:<16} {:>7}    {}",
        "channel", "scid", "policy", "our side", "fee ppm", "why"
    );
    std::iter::once(paint.dim(&header))
        .chain(scene.rows.iter().map(|row| line(row, scene.hours, paint)))
        .collect()
}

fn line(row: &Row, hours: f64, paint: Paint) -> String {
    let arrow = match row.changed {
        None => " ",
        Some((_, before)) if before < row.fee_ppm => "▲",
        Some(_) => "▼",
    };
    let fee = format!("{:>7} {arrow}", thousands(u64::from(row.fee_ppm)));
    let fresh = row.changed.is_some_and(|(at, _)| hours - at < FRESH_H);
    let fee = if fresh { paint.style("1;33", &fee) } else { fee };
    let held_back = row.decision.as_ref().is_some_and(|decision| decision.refusal().is_some());
    format!(
        "{:<13} {} {} {} {:>3} % {fee}  {}",
        cut(&row.name.alias, 13),
        paint.dim(&format!("{:<12}", row.name.scid)),
        paint.style(colour_of(&row.strategy), &format!("{:<7}", cut(&row.strategy, 7))),
        bar(row.local_share, paint),
        (row.local_share * 100.0).round(),
        paint.style(if held_back { "31" } else { "" }, &cut(&why(row), WHY)),
    )
}

fn colour_of(strategy: &str) -> &'static str {
    match strategy {
        "dynamic" => "32",
        "static" => "36",
        "passive" => "2",
        "hive" => "33",
        _ => "35",
    }
}

/// Our side of a channel.
fn bar(share: f64, paint: Paint) -> String {
    let full = ((share.clamp(0.0, 1.0) * BAR as f64).round() as usize).min(BAR);
    let colour = if share < 0.1 {
        "31"
    } else if share < 0.35 {
        "33"
    } else {
        "32"
    };
    format!("{}{}", paint.style(colour, &"█".repeat(full)), paint.dim(&"░".repeat(BAR - full)))
}

/// The sums so far, in two lines.
fn totals(scene: &Scene, paint: Paint) -> Vec<String> {
    let tally = &scene.tally;
    let chain = scene.sat_per_vb.map_or_else(|| "?".to_owned(), |rate| format!("{rate:.0}"));
    let sums = format!(
        "earned {} sat by {} forwards   fee changes {}   mempool {chain} sat/vB",
        paint.bold(&thousands(tally.fees_msat / 1000)),
        thousands(tally.settled),
        thousands(scene.setchannels),
    );
    vec![sums, refusals(scene)]
}

fn refusals(scene: &Scene) -> String {
    let refusals = &scene.tally.refusals;
    if refusals.is_empty() {
        return "refused: nothing yet".to_owned();
    }
    let codes = listed(refusals.iter().map(|(code, refusals)| (code, refusals.count)));
    cut(&format!("refused: {codes}"), WIDTH)
}

fn told(event: &Event, paint: Paint) -> String {
    let text = cut(&event.text, WIDTH - 28);
    let text = match event.kind {
        EventKind::Changed { .. } => text,
        EventKind::Refused => paint.style("31", &text),
        EventKind::News => paint.style("35", &text),
    };
    format!("{}  {:<14} {text}", paint.dim(&clock(event.hours)), cut(&event.who, 14))
}

fn progress(scene: &Scene, clip: &Clip, paint: Paint) -> String {
    const CELLS: usize = 60;
    let share = (scene.hours / (clip.days * 24.0)).clamp(0.0, 1.0);
    let full = (share * CELLS as f64).round() as usize;
    let left = (1.0 - share) * clip.days * 86_400.0 / clip.rate;
    let (done, rest) = (paint.style("32", &"━".repeat(full)), paint.dim(&"─".repeat(CELLS - full)));
    format!("{done}{rest} {:>3.0} %  {left:.0} s left", share * 100.0)
}

/// A stretch of the run for places where lines stay: the channels at its end, the sums so far,
/// and what happened in it.
pub fn chapter(scene: &Scene, events: &[Event], paint: Paint) -> Vec<String> {
    let mut lines = vec![String::new(), format!("After {:.1} days", scene.hours / 24.0)];
    lines.extend(table(scene, paint));
    lines.extend(totals(scene, paint));
    lines.extend(notable(events).into_iter().map(|event| told(event, paint)));
    lines
}

/// News, refusals and the greatest leaps of fees, in order of time. The same words about the
/// same channel are told once.
fn notable(events: &[Event]) -> Vec<&Event> {
    let mut notable: Vec<&Event> = Vec::new();
    for event in events.iter().filter(|event| !matches!(event.kind, EventKind::Changed { .. })) {
        if !notable.iter().any(|told| told.who == event.who && told.text == event.text) {
            notable.push(event);
        }
    }
    notable.truncate(NEWS);
    let leap = |event: &Event| match event.kind {
        EventKind::Changed { leap } => Some(leap),
        EventKind::Refused | EventKind::News => None,
    };
    let mut leaps: Vec<(f64, &Event)> =
        events.iter().filter_map(|event| Some((leap(event)?, event))).collect();
    leaps.sort_by(|one, other| other.0.total_cmp(&one.0));
    notable.extend(leaps.into_iter().take(LEAPS).map(|(_, event)| event));
    notable.sort_by(|one, other| one.hours.total_cmp(&other.hours));
    notable
}

/// `day 2 03:10` of simulated hours since the start.
pub fn clock(hours: f64) -> String {
    let minutes = (hours.max(0.0) * 60.0) as u64;
    format!("day {} {:02}:{:02}", minutes / 1440 + 1, minutes / 60 % 24, minutes % 60)
}

fn days(days: f64) -> String {
    format!("{days} {}", if days == 1.0 { "day" } else { "days" })
}

/// `12,345`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}

/// At most `width` characters.
pub fn cut(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
