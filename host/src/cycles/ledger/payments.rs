//! Rebalances: completed payments to ourselves, whoever made them, and where they went through.

use crate::cycles::Services;
use crate::model::ledger::{PaymentSide, Rebalance};
use crate::model::list::{List, ListIndex};
use crate::node::CallError;
use crate::store::{lists, rebalances};
use anyhow::{Context, Result};

/// Most payments whose channels bookkeeper is asked for in one round.
const ASKED_PER_ROUND: usize = 25;

/// When listhtlcs was last read.
const HTLCS_READ: &str = "htlcs.read_s";

impl Services {
    /// Reads new payments. Returns how many were new.
    pub(super) async fn read_rebalances(&self) -> Result<usize> {
        let mut new = 0;
        let is_awaited = self.must_read_anew(List::Payments).await?;
        for index in ListIndex::BOTH {
            if !self.read_sendpays(index, &mut new).await? {
                let all = self.node.all_self_payments(self.node_id).await.context("listsendpays")?;
                new += self.store_rebalances(all, None).await?;
                break;
            }
        }
        if is_awaited {
            self.note_read_anew(List::Payments).await?;
        }
        Ok(new)
    }

    /// False when this lightningd cannot list pages.
    async fn read_sendpays(&self, index: ListIndex, new: &mut usize) -> Result<bool> {
        let reach = self.store.read(move |conn| Ok(lists::reach(conn, List::Payments, index)?)).await?;
        let mut after = reach.unwrap_or(0);
        loop {
            let page = self.node.sendpays_page(index, after, self.node_id).await.context("listsendpays")?;
            let Some(page) = page else { return Ok(false) };
            if page.last_index > after {
                *new += self.store_rebalances(page.to_self, Some((index, page.last_index))).await?;
            }
            if page.is_last || page.last_index == after {
                return Ok(true);
            }
            after = page.last_index;
        }
    }

    async fn store_rebalances(&self, rows: Vec<Rebalance>, reach: Option<(ListIndex, u64)>) -> Result<usize> {
        let at = self.steady_now();
        self.store
            .write(move |tx| {
                let new = rebalances::put(tx, &rows, at)?;
                if let Some((index, last)) = reach {
                    lists::set_reach(tx, List::Payments, index, last)?;
                }
                Ok(new)
            })
            .await
    }

    /// Finds channels of payments that no announced movement told: bookkeeper is asked, payment by
    /// payment, or where it cannot tell, the node's HTLCs are read. The outer error is ours, the inner one
    /// the node's.
    pub(super) async fn find_channels(&self) -> Result<Result<(), CallError>> {
        let now = self.now();
        let due = self.store.read(move |conn| Ok(rebalances::unpaired(conn, now, ASKED_PER_ROUND)?)).await?;
        if due.is_empty() {
            return Ok(Ok(()));
        }
        let (sides, found) = match self.ask_bookkeeper(&due).await {
            Ok(Some(sides)) => (sides, Ok(())),
            Ok(None) | Err(_) => match self.read_htlcs().await? {
                Ok(sides) => (sides, Ok(())),
                Err(error) => (Vec::new(), Err(error)),
            },
        };
        self.store
            .write(move |tx| {
                rebalances::put_sides(tx, &sides, now)?;
                rebalances::match_sides(tx, now)?;
                Ok(rebalances::tried(tx, &due, now)?)
            })
            .await?;
        Ok(found)
    }

    async fn ask_bookkeeper(&self, hashes: &[[u8; 32]]) -> Result<Option<Vec<PaymentSide>>, CallError> {
        let mut sides = Vec::new();
        for hash in hashes {
            let Some(found) = self.node.payment_sides(hash).await? else { return Ok(None) };
            sides.extend(found);
        }
        Ok(Some(sides))
    }

    /// Ends of all payments whose HTLCs the node still lists, once in a while. The outer error is ours, the
    /// inner one the node's.
    async fn read_htlcs(&self) -> Result<Result<Vec<PaymentSide>, CallError>> {
        if !self.take_turn(HTLCS_READ).await? {
            return Ok(Ok(Vec::new()));
        }
        let htlcs = match self.node.htlc_sides().await {
            Ok(htlcs) => htlcs,
            Err(error) if error.is_unknown_method() => Vec::new(),
            Err(error) => return Ok(Err(error)),
        };
        self.store.read(move |conn| Ok(Ok(rebalances::sides_of_htlcs(conn, &htlcs)?))).await
    }
}
