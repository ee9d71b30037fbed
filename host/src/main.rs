//! The binary: the plugin when lightningd starts it, a small tool box when a person does.

use cl_revenue_ops::{app, cli, engine};
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// A Core Lightning plugin that runs a routing node's business.
///
/// lightningd starts it without arguments. The commands below are for people.
#[derive(Parser)]
#[command(name = "cl-revenue-ops", version)]
struct Arguments {
    /// lightningd in developer mode passes this to its plugins; nothing here depends on it.
    #[arg(long, hide = true)]
    developer: bool,
    #[command(subcommand)]
    command: Option<Tool>,
}

#[derive(Subcommand)]
enum Tool {
    /// Run the plugin on a simulated node and watch it set fees.
    Demo(cli::demo::Options),
    /// Call a method of a lightningd, or of the demo's simulated node.
    Rpc(cli::rpc::Options),
    /// Print the tables of options or commands, as in docs/.
    Docs(cli::docs::Options),
    /// Make, try and judge a strategy.
    #[command(subcommand)]
    Strategy(cli::strategy::Command),
}

fn main() -> ExitCode {
    // First of all, since the children limit themselves before there is anything else in them.
    match std::env::args_os().nth(1) {
        Some(first) if first == engine::COMPILE_SUBCOMMAND => return engine::compile_child_main(),
        Some(first) if first == engine::WORKER_SUBCOMMAND => return engine::worker_main(),
        Some(first) if first == engine::REPLAY_SUBCOMMAND => return engine::replay_child_main(),
        _ => {}
    }
    share_freed_memory();
    let arguments = Arguments::parse();
    let run: std::pin::Pin<Box<dyn Future<Output = anyhow::Result<()>>>> = match arguments.command {
        Some(Tool::Demo(options)) => Box::pin(cli::demo::run(options)),
        Some(Tool::Rpc(options)) => Box::pin(cli::rpc::run(options)),
        Some(Tool::Docs(options)) => {
            Box::pin(async move { Ok(cli::print(&cli::docs::render(options.table))?) })
        }
        Some(Tool::Strategy(command)) => return cli::strategy::run(command),
        None if started_by_lightningd() => Box::pin(app::run()),
        None => {
            // A person without a command wants to know what there is.
            return match Arguments::command().print_help() {
                Ok(()) => ExitCode::from(2),
                Err(_) => ExitCode::FAILURE,
            };
        }
    };
    block_on(run)
}

/// glibc gives threads arenas of their own, and each arena keeps what was freed in it: jobs would not use what
/// other jobs are done with. Our threads seldom allocate at the same time, so that one arena does for all. Large
/// blocks go back to the system when they are freed; by default each of them would raise the limit from which on
/// they do.
#[cfg(target_env = "gnu")]
fn share_freed_memory() {
    const LARGE: libc::c_int = 256 << 10;
    // SAFETY: there is one thread yet. What is refused stays as it was.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// Other allocators do so by themselves, or cannot be told.
#[cfg(not(target_env = "gnu"))]
fn share_freed_memory() {}

/// lightningd names itself in the environment of its plugins.
fn started_by_lightningd() -> bool {
    std::env::var_os("LIGHTNINGD_PLUGIN").is_some()
}

fn block_on(run: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match &runtime {
        Ok(runtime) => runtime.block_on(run),
        Err(error) => Err(anyhow::anyhow!("no threads to run on: {error}")),
    };
    if let Ok(runtime) = runtime {
        // A blocked thread must not keep an ended plugin alive.
        runtime.shutdown_background();
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cl-revenue-ops: {error:#}");
            ExitCode::FAILURE
        }
    }
}
