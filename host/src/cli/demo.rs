//! `cl-revenue-ops demo`: the plugin at work on a simulated node, to watch.
//!
//! Node and traffic are `lab`'s; the plugin is this very binary, started over pipes and a socket
//! as lightningd does. What is shown is read through the node's commands, as any client would.

mod books;
mod compare;
mod draw;
mod options;
mod screen;
mod stage;
mod story;
mod summary;
mod tally;
mod watch;

pub use options::Options;

use anyhow::{Context, Result, bail};
use draw::Clip;
use options::Pace;
use screen::Screen;
use stage::Stage;
use std::future::pending;
use story::Story;
use tokio::signal::unix::{Signal, SignalKind, signal};
use watch::{Scene, Watcher};

/// Plays it until its end or a signal.
pub async fn run(options: Options) -> Result<()> {
    let pace = options.pace()?;
    let mut ends = Ends::listen()?;
    let mut screen = Screen::new(Clip { days: pace.days, seed: options.seed, rate: pace.rate });
    let stage = tokio::select! {
        stage = Stage::set_up(&options, pace) => stage?,
        () = ends.wait() => return Ok(()),
    };
    let shown = tokio::select! {
        shown = show(&options, pace, &stage, &mut screen) => shown,
        () = ends.wait() => screen.interrupted(),
    };
    // The terminal comes back before anything is said about the end.
    drop(screen);
    let closed = stage.close().await;
    match shown {
        // Whoever closed our output has seen enough.
        Err(error) if is_broken_pipe(&error) => closed,
        shown => shown.and(closed),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    error.downcast_ref().is_some_and(broken)
}

async fn show(options: &Options, pace: Pace, stage: &Stage, screen: &mut Screen) -> Result<()> {
    screen.opening(stage)?;
    let scene = play(pace, stage, screen).await?;
    screen.close(&scene)?;
    let report = summary::Report::gather(stage, &scene).await?;
    screen.print(&summary::lines(&report, &scene, screen.paint()))?;
    screen.print(&summary::own_node(&stage.program, screen.paint()))?;
    if options.serve {
        stage.lab.resume();
        screen.print(&summary::serving(stage))?;
        return pending().await;
    }
    Ok(())
}

/// Plays the traffic to its end, looking on.
async fn play(pace: Pace, stage: &Stage, screen: &mut Screen) -> Result<Scene> {
    let (mut watcher, mut story) = (Watcher::default(), Story::new(pace.days * 24.0));
    let mut ticks = tokio::time::interval(pace.glance());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    watcher.look(stage, 0.0).await.context("looking at the plugin")?;
    stage.lab.resume();
    loop {
        ticks.tick().await;
        if let Some(status) = stage.plugin.exit_status() {
            bail!("the plugin ended ({status}); it said: {}", stage.last_words());
        }
        let hours = stage.hours();
        let over = hours >= pace.days * 24.0;
        if over {
            stage.lab.pause();
        }
        story.tell(stage, hours, &mut watcher.scene).await?;
        watcher.look(stage, hours).await.context("looking at the plugin")?;
        screen.show(&watcher.scene)?;
        if over {
            return Ok(watcher.scene);
        }
    }
}

/// The signals that end the demo.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
}

impl Ends {
    fn listen() -> Result<Ends> {
        Ok(Ends { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
