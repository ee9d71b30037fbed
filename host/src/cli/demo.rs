//! demo
/// What to show.
#[derive(clap::Args)]
pub struct Options {}
/// Runs it.
pub async fn run(_options: Options) -> anyhow::Result<()> { Ok(()) }
