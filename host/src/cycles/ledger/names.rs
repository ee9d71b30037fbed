//! Names that channels bore while nobody looked.

use crate::cycles::Services;
use crate::node::CallError;
use crate::store::{accounts, forwards};
use anyhow::Result;

/// When listtransactions was last read.
const TRANSACTIONS_READ: &str = "transactions.read_s";

impl Services {
    /// Finds the channels behind names that forwards bear and no channel is known by: the place of its
    /// funding transaction in the chain gives a channel its name. Returns how many were found. The outer
    /// error is ours, the inner one the node's.
    pub(super) async fn learn_names(&self) -> Result<Result<usize, CallError>> {
        // A name may seem to fit one channel alone when the records of another are not read.
        if self.health().books_error.is_some() {
            return Ok(Ok(0));
        }
        let are_unowned = self.store.read(|conn| Ok(accounts::has_unowned_names(conn)?)).await?;
        if !are_unowned || !self.take_turn(TRANSACTIONS_READ).await? {
            return Ok(Ok(0));
        }
        let places = match self.node.places().await {
            Ok(places) => places,
            Err(error) => return Ok(Err(error)),
        };
        let now = self.now();
        self.store
            .write(move |tx| {
                let learned = accounts::learn_names(tx, &places, now)?;
                forwards::claim_strays(tx)?;
                Ok(Ok(learned))
            })
            .await
    }
}
