//! `cl-revenue-ops demo`: the real plugin on a simulated node, a few days in a minute.

mod draw;
mod stage;
mod summary;
mod view;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use stage::Stage;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;
use view::{Tallies, View};

/// What to play.
#[derive(clap::Args)]
pub struct Options {
    /// Days of traffic to play.
    #[arg(long, default_value_t = 4.0, value_parser = positive)]
    days: f64,
    /// Seconds to play them in.
    #[arg(long, default_value_t = 60.0, value_parser = positive)]
    seconds: f64,
    /// Everything random in the market follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the node's files go; a temporary directory if not given.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Keep the node and the plugin up afterwards, until Ctrl-C.
    #[arg(long)]
    serve: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        Ok(_) | Err(_) => Err("use a number above 0".to_owned()),
    }
}

/// Time between two looks at the node.
const LOOK: Duration = Duration::from_millis(150);

/// Simulated time between two tables when nobody watches a terminal, seconds.
const PLAIN_TABLE_S: f64 = 12.0 * 3600.0;

/// Plays it.
pub async fn run(options: Options) -> Result<()> {
    let live = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
    println!("{}", draw::introduction(options.days, options.seconds));
    let stage = Stage::set(&options).await.context("setting the stage")?;
    let played = tokio::select! {
        played = play(&stage, &options, live) => played,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            println!("\ninterrupted");
            return stage.strike().await;
        }
    };
    let (view, tallies) = played?;
    println!("{}", summary::text(&stage, &view, &tallies, &options));
    if options.serve {
        println!("{}", summary::serving(&stage));
        tokio::signal::ctrl_c().await?;
    }
    stage.strike().await
}

/// Shows the days as they pass; gives the last view, and what was counted on the way.
async fn play(stage: &Stage, options: &Options, live: bool) -> Result<(View, Tallies)> {
    let (start, length) = (stage.start_unix_s, options.days * 86_400.0);
    let bar = live.then(|| progress_bar(length as u64)).transpose()?;
    let mut tallies = Tallies::default();
    let mut next_table = PLAIN_TABLE_S;
    let mut reckless = Some(stage::RECKLESS_AT * length);
    loop {
        let passed = stage.now_unix_s() - start;
        let view = View::look(stage).await?;
        tallies.note(&view);
        if reckless.is_some_and(|at| passed >= at) {
            reckless = None;
            let answer = stage.try_reckless_fee().await?;
            match &bar {
                Some(bar) => bar.println(&answer),
                None => println!("{answer}\n"),
            }
            tallies.note_refusal("out_of_bounds");
        }
        if passed >= length {
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
            return Ok((view, tallies));
        }
        match &bar {
            Some(bar) => {
                bar.set_message(draw::table(&view, &tallies, passed));
                bar.set_position(passed as u64);
            }
            None if passed >= next_table => {
                next_table = passed - passed % PLAIN_TABLE_S + PLAIN_TABLE_S;
                println!("{}", draw::table(&view, &tallies, passed));
            }
            None => {}
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn progress_bar(length: u64) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{msg}\n{bar:60} {percent:>3} %, {eta} to go")?;
    Ok(ProgressBar::new(length).with_style(style))
}
