//! Where it is shown: in place on a terminal, line by line elsewhere.

use super::draw::{self, Clip, Paint};
use super::stage::Stage;
use super::watch::Scene;
use anyhow::Result;
use std::io::{self, IsTerminal, Write};

/// A second screen with a hidden cursor and without line wrap, and the way back from it. What
/// the terminal showed before is there again afterwards.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Standard output.
pub struct Screen {
    live: bool,
    entered: bool,
    paint: Paint,
    clip: Clip,
    /// Days whose table is printed, where it goes line by line.
    days: u64,
    /// Events that are printed.
    told: usize,
}

impl Screen {
    pub fn new(clip: Clip) -> Screen {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let live = io::stdout().is_terminal() && !dumb;
        let colour = live && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Screen { live, entered: false, paint: Paint { colour }, clip, days: 0, told: 0 }
    }

    pub fn paint(&self) -> Paint {
        self.paint
    }

    /// Says what is about to be played.
    pub fn opening(&mut self, stage: &Stage) -> Result<()> {
        let lines = draw::opening(&self.clip, stage);
        if self.live { Ok(()) } else { self.print(&lines) }
    }

    /// Shows the present moment.
    pub fn show(&mut self, scene: &Scene) -> Result<()> {
        if self.live {
            return self.redraw(scene);
        }
        let day = (scene.hours / 24.0) as u64;
        if day > self.days {
            self.days = day;
            return self.chapter(scene);
        }
        Ok(())
    }

    fn redraw(&mut self, scene: &Scene) -> Result<()> {
        let mut out = String::new();
        if !self.entered {
            out.push_str(ENTER);
            self.entered = true;
        }
        out.push_str(HOME);
        let lines = draw::frame(scene, &self.clip, self.paint);
        out.push_str(&lines.join(&format!("{CLEAR_LINE}\r\n")));
        out.push_str(CLEAR_LINE);
        out.push_str(CLEAR_BELOW);
        write(&out)
    }

    /// The events since the last table, and the next one.
    fn chapter(&mut self, scene: &Scene) -> Result<()> {
        let told = self.told.min(scene.events.len());
        let lines = draw::chapter(scene, &scene.events[told..], self.paint);
        self.told = scene.events.len();
        self.print(&lines)
    }

    /// Ends the live part with a last table.
    pub fn close(&mut self, scene: &Scene) -> Result<()> {
        if self.live {
            self.leave()?;
            return self.print(&draw::table(scene, self.paint));
        }
        match scene.hours / 24.0 - self.days as f64 {
            rest if rest > 0.05 => self.chapter(scene),
            _ => Ok(()),
        }
    }

    /// Ends it before its time.
    pub fn interrupted(&mut self) -> Result<()> {
        self.leave()?;
        self.print(&["stopping node and plugin".to_owned()])
    }

    fn leave(&mut self) -> Result<()> {
        if !self.entered {
            return Ok(());
        }
        self.entered = false;
        write(LEAVE)
    }

    /// Prints lines.
    pub fn print(&self, lines: &[String]) -> Result<()> {
        write(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nobody to tell that the terminal is gone.
        let _ = self.leave();
    }
}

fn write(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
