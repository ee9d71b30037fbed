//! A backtest as a picture: for each channel the rates over time, for each player what it earned.

use super::table::Game;
use super::world::Outcome;
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const PANEL: f64 = 150.0;
/// Around a panel: left, right, above.
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const ABOVE: f64 = 34.0;
/// Dark enough on white, and told apart by those who do not see red or green.
const COLOURS: [&str; 8] =
    ["#777777", "#bbbbbb", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// The picture as SVG.
pub(super) fn draw(title: &str, days: u32, games: &[Game]) -> String {
    let panels: usize = games.iter().map(|game| game.stage.channels.len()).sum();
    let players: &[Outcome] = games.first().map_or(&[], |game| &game.outcomes);
    let height = 60.0 + (panels + 1) as f64 * (PANEL + ABOVE) + 20.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {height}\" width=\"{w}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        w = WIDTH + LEFT + RIGHT
    );
    text(&mut out, LEFT, 18.0, &format!("Rates (ppm) over {title}, simulated"), "black");
    for (player, outcome) in players.iter().enumerate() {
        let x = LEFT + player as f64 * 130.0;
        text(&mut out, x, 38.0, &format!("— {}", outcome.player), colour(player));
    }
    let mut top = 60.0;
    for game in games {
        for (row, (_, name)) in game.stage.channels.iter().enumerate() {
            rates(&mut out, top + ABOVE, name, days, &game.outcomes, row);
            top += PANEL + ABOVE;
        }
    }
    earnings(&mut out, top + ABOVE, games, players.len());
    out.push_str("</svg>\n");
    out
}

fn colour(player: usize) -> &'static str {
    COLOURS[player % COLOURS.len()]
}

/// One channel's rates, each as steps; the scale begins at 0.
fn rates(out: &mut String, top: f64, name: &str, days: u32, outcomes: &[Outcome], row: usize) {
    let seconds = f64::from(days) * 86_400.0;
    let all = outcomes.iter().flat_map(|outcome| &outcome.channels[row].rates);
    let most = f64::from(all.map(|(_, ppm)| *ppm).max().unwrap_or(0).max(1));
    frame(out, top, name, most);
    let x = |at: f64| LEFT + at / seconds * WIDTH;
    let y = |ppm: f64| top + PANEL * (1.0 - ppm / most);
    for (player, outcome) in outcomes.iter().enumerate() {
        let mut points = String::new();
        let mut last = None;
        for (at, ppm) in &outcome.channels[row].rates {
            let (at, ppm) = (x(*at as f64), y(f64::from(*ppm)));
            if let Some(before) = last {
                push(&mut points, at, before);
            }
            push(&mut points, at, ppm);
            last = Some(ppm);
        }
        push(&mut points, x(seconds), last.unwrap_or(y(0.0)));
        line(out, &points, player);
    }
}

/// What each player earned by the end of each day, over all channels, sat.
fn earnings(out: &mut String, top: f64, games: &[Game], players: usize) {
    let days = games.iter().flat_map(|game| &game.outcomes).flat_map(|outcome| &outcome.channels);
    let days = days.map(|path| path.days.len()).min().unwrap_or(0);
    let sum = |player: usize, day: usize| -> f64 {
        let paths = games.iter().flat_map(|game| &game.outcomes[player].channels);
        paths.map(|path| path.days[day] as f64 / 1_000.0).sum()
    };
    let end = days.saturating_sub(1);
    let most = (0..players).filter(|_| days > 0).map(|player| sum(player, end)).fold(1.0, f64::max);
    frame(out, top, "earned, sat, all channels", most);
    for player in 0..players {
        let mut points = String::new();
        push(&mut points, LEFT, top + PANEL);
        for day in 0..days {
            let x = LEFT + (day + 1) as f64 / days as f64 * WIDTH;
            push(&mut points, x, top + PANEL * (1.0 - sum(player, day) / most));
        }
        line(out, &points, player);
    }
}

fn push(points: &mut String, x: f64, y: f64) {
    write!(points, "{x:.1},{y:.1} ").expect("writing to a String does not fail");
}

fn line(out: &mut String, points: &str, player: usize) {
    let dashes = if player < 2 { " stroke-dasharray=\"5 3\"" } else { "" };
    writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"{dashes}/>",
        points.trim_end(),
        colour(player)
    )
    .expect("writing to a String does not fail");
}

fn frame(out: &mut String, top: f64, name: &str, most: f64) {
    writeln!(
        out,
        "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{WIDTH}\" height=\"{PANEL}\" fill=\"none\" stroke=\"#dddddd\"/>"
    )
    .expect("writing to a String does not fail");
    text(out, LEFT, top - 6.0, name, "black");
    text(out, 8.0, top + 10.0, &format!("{most:.0}"), "#555555");
    text(out, 8.0, top + PANEL, "0", "#555555");
}

fn text(out: &mut String, x: f64, y: f64, text: &str, fill: &str) {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    writeln!(out, "<text x=\"{x}\" y=\"{y}\" fill=\"{fill}\">{escaped}</text>")
        .expect("writing to a String does not fail");
}
