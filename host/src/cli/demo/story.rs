//! What befalls the node on top of its traffic, so that limits can be seen at work.

use super::stage::Stage;
use super::watch::{Event, EventKind, Scene};
use anyhow::{Result, bail};
use lab::node::SyncWarning;
use serde_json::json;

/// The operator's slip: the channel, and a fee rate (ppm) above every bound.
const SLIP: (&str, u32) = ("newcomer", 50_000);

/// How long the node is behind the chain, simulated hours.
const BEHIND_H: f64 = 3.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// An operator types a fee with two zeros too many.
    Slip,
    /// The node falls behind the chain.
    Behind,
    /// And is in step with it again.
    InStep,
}

/// What is still to come, in order of time (simulated hours since traffic began).
pub struct Story {
    acts: Vec<(f64, Act)>,
}

impl Story {
    /// The story of a run of so many hours.
    pub fn new(hours: f64) -> Story {
        let behind = 0.55 * hours;
        let acts = [
            (0.3 * hours, Act::Slip),
            (behind, Act::Behind),
            (behind + BEHIND_H.min(0.2 * hours), Act::InStep),
        ];
        Story { acts: acts.to_vec() }
    }

    /// Plays what is due.
    pub async fn tell(&mut self, stage: &Stage, hours: f64, scene: &mut Scene) -> Result<()> {
        while let Some(&(at, act)) = self.acts.first()
            && at <= hours
        {
            self.acts.remove(0);
            let (alias, kind, text) = match act {
                Act::Slip => slip(stage, scene).await?,
                Act::Behind => {
                    stage.lab.with_node(|node| node.set_sync_warning(Some(SyncWarning::Lightningd)));
                    ("the node", EventKind::News, "falls behind the chain: no fee may change".to_owned())
                }
                Act::InStep => {
                    stage.lab.with_node(|node| node.set_sync_warning(None));
                    ("the node", EventKind::News, "is in step with the chain again".to_owned())
                }
            };
            scene.events.push(Event { hours, who: alias.to_owned(), kind, text });
        }
        Ok(())
    }
}

async fn slip(stage: &Stage, scene: &mut Scene) -> Result<(&'static str, EventKind, String)> {
    let (alias, ppm) = SLIP;
    let name = stage.named(alias)?;
    let Err(refused) = stage.call("revenue-set-fee", json!([name.scid, ppm])).await else {
        bail!("{ppm} ppm for {} was accepted", name.scid);
    };
    let refused = refused.to_string();
    let why = refused.split_once(&format!("{}: ", name.scid)).map_or(refused.as_str(), |(_, why)| why);
    let why = why.split(';').next().unwrap_or(why);
    scene.tally.refused("out_of_bounds", why);
    Ok((alias, EventKind::Refused, format!("operator asks {ppm} ppm; refused: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_come_in_order_and_within_the_run() {
        for hours in [2.4, 24.0, 96.0, 2160.0] {
            let acts = Story::new(hours).acts;
            assert!(acts.windows(2).all(|pair| pair[0].0 < pair[1].0));
            assert!(acts.iter().all(|(at, _)| (0.0..hours).contains(at)));
        }
    }
}
