//! A backtest as a picture: for each channel the rates over time, for each player what it earned.

use std::fmt::Write;

/// What is drawn.
pub(super) struct Picture {
    pub title: String,
    /// The width of every panel.
    pub seconds: u64,
    /// The first two are the measure, and drawn dashed.
    pub players: Vec<String>,
    pub panels: Vec<Panel>,
    /// For each player what it had earned by the end of each day, sat; empty: no such panel.
    pub earned: Vec<Vec<f64>>,
}

/// One channel.
pub(super) struct Panel {
    pub name: String,
    /// For each player: seconds since the start, and the rate from then on, ppm.
    pub rates: Vec<Vec<(u64, u32)>>,
}

const WIDTH: f64 = 760.0;
const PANEL: f64 = 150.0;
/// Around a panel: left, right, above.
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const ABOVE: f64 = 34.0;
/// Dark enough on white, and told apart by those who do not see red or green.
const COLOURS: [&str; 8] =
    ["#777777", "#bbbbbb", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

impl Picture {
    /// As SVG.
    pub fn draw(&self) -> String {
        let panels = self.panels.len() + usize::from(!self.earned.is_empty());
        let height = 60.0 + panels as f64 * (PANEL + ABOVE) + 20.0;
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {height}\" width=\"{w}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"11\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
            w = WIDTH + LEFT + RIGHT
        );
        text(&mut out, LEFT, 18.0, &format!("Rates (ppm) over {}", self.title), "black");
        for (player, name) in self.players.iter().enumerate() {
            let x = LEFT + player as f64 * 130.0;
            text(&mut out, x, 38.0, &format!("— {name}"), colour(player));
        }
        let mut top = 60.0;
        for panel in &self.panels {
            self.rates(&mut out, top + ABOVE, panel);
            top += PANEL + ABOVE;
        }
        if !self.earned.is_empty() {
            self.earnings(&mut out, top + ABOVE);
        }
        out.push_str("</svg>\n");
        out
    }

    /// One channel's rates, each as steps; the scale begins at 0.
    fn rates(&self, out: &mut String, top: f64, panel: &Panel) {
        let seconds = self.seconds.max(1) as f64;
        let all = panel.rates.iter().flatten();
        let most = f64::from(all.map(|(_, ppm)| *ppm).max().unwrap_or(0).max(1));
        frame(out, top, &panel.name, most);
        let x = |at: f64| LEFT + at / seconds * WIDTH;
        let y = |ppm: f64| top + PANEL * (1.0 - ppm / most);
        for (player, rates) in panel.rates.iter().enumerate() {
            let mut points = String::new();
            let mut last = None;
            for (at, ppm) in rates {
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

    /// What each player earned by the end of each day, over all channels.
    fn earnings(&self, out: &mut String, top: f64) {
        let days = self.earned.iter().map(Vec::len).min().unwrap_or(0);
        let most =
            self.earned.iter().filter_map(|sums| sums.last()).fold(1.0_f64, |most, sum| most.max(*sum));
        frame(out, top, "earned, sat, all channels", most);
        for (player, sums) in self.earned.iter().enumerate() {
            let mut points = String::new();
            push(&mut points, LEFT, top + PANEL);
            for (day, sum) in sums.iter().enumerate() {
                let x = LEFT + (day + 1) as f64 / days as f64 * WIDTH;
                push(&mut points, x, top + PANEL * (1.0 - sum / most));
            }
            line(out, &points, player);
        }
    }
}

fn colour(player: usize) -> &'static str {
    COLOURS[player % COLOURS.len()]
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
