//! What the plugin's own reports, and the node's payments, say of the run.

use super::draw::thousands;
use super::stage::Stage;
use super::watch::Scene;
use anyhow::Result;
use serde_json::{Value, json};

/// Figures of the books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Payments to ourselves, what they brought home, and what they cost, msat.
    pub rebalances: u64,
    pub moved_msat: u64,
    pub rebalance_cost_msat: u64,
    /// `revenue-dashboard`'s net profit over the days of the run, msat.
    pub net_profit_msat: i64,
}

impl Books {
    /// Asks plugin and node.
    pub async fn gather(stage: &Stage, scene: &Scene) -> Result<Books> {
        let days = (scene.hours / 24.0).ceil().max(1.0) as u64;
        let dashboard = stage.call("revenue-dashboard", json!([days])).await?;
        let payments = stage.call("listsendpays", json!({ "status": "complete" })).await?;
        let payments = payments["payments"].as_array().map(Vec::as_slice).unwrap_or_default();
        let arrived = |payment: &Value| payment["amount_msat"].as_u64().unwrap_or_default();
        Ok(Books {
            rebalances: payments.len() as u64,
            moved_msat: payments.iter().map(arrived).sum(),
            rebalance_cost_msat: dashboard["period"]["rebalance_cost_msat"].as_u64().unwrap_or_default(),
            net_profit_msat: dashboard["financial_health"]["net_profit_msat"].as_i64().unwrap_or_default(),
        })
    }

    /// What rebalancing did.
    pub fn rebalances_line(&self) -> String {
        match self.rebalances {
            0 => "none was worth its cost".to_owned(),
            count => format!(
                "{count} payments brought {} sat to where they sell, for {} sat",
                thousands(self.moved_msat / 1000),
                thousands(self.rebalance_cost_msat / 1000)
            ),
        }
    }

    /// What is left.
    pub fn profit_line(&self) -> String {
        let sign = if self.net_profit_msat < 0 { "-" } else { "" };
        let sats = thousands(self.net_profit_msat.unsigned_abs() / 1000);
        format!("{sign}{sats} sat after all costs, says revenue-dashboard")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_in_words() {
        let books = Books {
            rebalances: 3,
            moved_msat: 1_500_000_000,
            rebalance_cost_msat: 900_225,
            net_profit_msat: -1_772_695,
        };
        assert_eq!(
            books.rebalances_line(),
            "3 payments brought 1,500,000 sat to where they sell, for 900 sat"
        );
        assert_eq!(books.profit_line(), "-1,772 sat after all costs, says revenue-dashboard");
    }
}
