//! The other plugins that this one works with, found by the commands they offer.

use super::wire::Help;
use super::{CallError, Group, Node};
use serde_json::json;

/// A plugin that makes more possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Companion {
    Sling,
    Bookkeeper,
    Hive,
    Clboss,
}

impl Companion {
    /// All of them.
    pub const ALL: [Companion; 4] = [Self::Sling, Self::Bookkeeper, Self::Hive, Self::Clboss];

    /// The word used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Companion::Sling => "sling",
            Companion::Bookkeeper => "bookkeeper",
            Companion::Hive => "hive",
            Companion::Clboss => "clboss",
        }
    }

    /// What is missing without it.
    pub const fn without_it(self) -> &'static str {
        match self {
            Companion::Sling => "no rebalancing",
            Companion::Bookkeeper => "on-chain costs are estimates",
            Companion::Hive => "no fleet",
            Companion::Clboss => "nothing: no other program sets fees",
        }
    }

    /// A command that only it offers.
    const fn command(self) -> &'static str {
        match self {
            Companion::Sling => "sling-version",
            Companion::Bookkeeper => "bkpr-listaccountevents",
            Companion::Hive => "hive-status",
            Companion::Clboss => "clboss-status",
        }
    }
}

/// Which companions are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Companions {
    present: Vec<Companion>,
}

impl Companions {
    /// Whether it is there.
    pub fn has(&self, companion: Companion) -> bool {
        self.present.contains(&companion)
    }
}

impl Node {
    /// Asks lightningd for its commands, never a companion itself, which may be slow.
    pub async fn companions(&self) -> Result<Companions, CallError> {
        let help: Help = self.call(Group::Read, "help", json!({})).await?;
        let offers = |companion: &Companion| {
            help.help.iter().any(|entry| entry.command.split_whitespace().next() == Some(companion.command()))
        };
        Ok(Companions { present: Companion::ALL.into_iter().filter(offers).collect() })
    }
}
