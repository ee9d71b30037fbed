//! Names that channels bore while nobody looked.

use crate::cycles::Services;
use crate::store::{accounts, cursors, forwards};
use anyhow::{Context, Result};

/// When listtransactions was last read.
const TRANSACTIONS_READ: &str = "transactions.read_s";

impl Services {
    /// Finds the channels behind names that forwards bear and no channel is known by: the place of its
    /// funding transaction in the chain gives a channel its name. Returns how many were found.
    pub(super) async fn learn_names(&self) -> Result<usize> {
        // A name may seem to fit one channel alone when the records of another are not read.
        if self.health().books_error.is_some() {
            return Ok(0);
        }
        let are_unowned = self.store.read(|conn| Ok(accounts::has_unowned_names(conn)?)).await?;
        if !are_unowned || !self.is_due(TRANSACTIONS_READ).await? {
            return Ok(0);
        }
        let places = self.node.places().await.context("listtransactions")?;
        let now = self.now();
        self.store
            .write(move |tx| {
                cursors::set(tx, TRANSACTIONS_READ, now.0)?;
                let learned = accounts::learn_names(tx, &places, now)?;
                forwards::claim_strays(tx)?;
                Ok(learned)
            })
            .await
    }
}
