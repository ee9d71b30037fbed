//! `cl-revenue-ops strategy`: what an author needs to make a strategy, and what anybody needs to
//! judge one. No node is asked but by `sign` and `push`, and nothing but what is named here is written.

mod backtest;
mod bench;
mod build;
mod check;
mod form;
mod history;
mod inspect;
mod kind;
mod new;
mod node;
mod plot;
mod push;
mod replay;
mod run;
mod sigfile;
mod sign;
mod tally;
mod verify;

use std::process::ExitCode;

/// The tools.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Make a crate for a new strategy, which builds and passes its tests as it is.
    New(new::Options),
    /// Build the component of a crate, and check it.
    Build(build::Options),
    /// Print the SHA-256 by which the plugin knows a module.
    Digest(inspect::Digest),
    /// Say what a module is: world, version, parameters, reasons, size, imports.
    Inspect(inspect::Inspect),
    /// Try a module: imports, limits, determinism, snapshots of every kind, golden vectors.
    Check(check::Options),
    /// Decide about snapshots that come as JSON on stdin, with no node.
    Run(run::Options),
    /// Make a call again that a plugin wrote down, and say whether it comes to the same.
    Replay(replay::Options),
    /// Compare strategies on simulated markets, or on the past of a node: earnings, changes of the fee,
    /// refusals; with a plot.
    Backtest(backtest::Options),
    /// Make a module's manifest, and have the author's node sign it.
    Sign(sign::Options),
    /// Say whether a node with these trusted signers would let a module in.
    Verify(verify::Options),
    /// Push a signed module to a node.
    Push(push::Options),
}

/// Runs a tool; whether it found a fault is its exit code.
pub fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::New(options) => new::new(&options),
        Command::Build(options) => build::build(&options),
        Command::Digest(options) => inspect::digest(&options),
        Command::Inspect(options) => inspect::inspect(&options),
        Command::Check(options) => check::run(&options),
        Command::Run(options) => run::run(&options),
        Command::Replay(options) => replay::run(&options),
        Command::Backtest(options) => backtest::run(&options),
        Command::Sign(options) => sign::sign(&options),
        Command::Verify(options) => verify::verify(&options),
        Command::Push(options) => push::push(&options),
    };
    match done {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cl-revenue-ops: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What a tool that worked found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Bad,
}

impl From<bool> for Verdict {
    fn from(good: bool) -> Verdict {
        if good { Verdict::Good } else { Verdict::Bad }
    }
}
