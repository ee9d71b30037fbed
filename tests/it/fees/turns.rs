//! Looks at the node while a fee is set: none is noted that is older than the record of it.

use super::terms::{quiet, sizes, terms, tighten};
use crate::acts::{cycle, set_policy};
use crate::engine::place::guest;
use crate::support::Stage;
use lab::{Fault, Flavour};
use serde_json::{Value, json};
use std::time::Duration;

/// How long the node lets somebody wait, so that others come between. What is tested holds however long
/// it is.
const WAIT: Duration = Duration::from_secs(5);

/// Ways to have the plugin look at the node without setting a fee.
#[derive(Clone, Copy, Debug)]
enum Look {
    Rebalance,
    Verify,
}

impl Look {
    const ALL: [Look; 2] = [Look::Rebalance, Look::Verify];

    async fn once(self, stage: &Stage) {
        match self {
            // Whatever it says of the wish.
            Look::Rebalance => {
                let wish =
                    json!({"from_channel": stage.scid(1), "to_channel": stage.scid(2), "amount_sats": 1_000});
                stage.call("revenue-rebalance", wish).await;
            }
            Look::Verify => {
                let path = stage.lab.lightning_dir().join("honest.wasm");
                std::fs::write(&path, guest("honest")).unwrap();
                let words = json!(["verify", path.to_str().unwrap(), "world=fee"]);
                stage.success("revenue-strategy", words).await;
            }
        }
    }
}

/// Who made the changes of fees so far, the latest first.
async fn changes(stage: &Stage) -> Vec<Value> {
    let status = stage.until_fees_rest().await;
    let changes = status["recent_fee_changes"].as_array().unwrap();
    changes.iter().map(|change| change["reason"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_that_is_being_set_is_no_strangers_to_others_who_look() {
    for look in Look::ALL {
        let stage = quiet(Flavour::V26_06).start().await;
        cycle(&stage).await;
        stage.lab.with_mischief(|mischief| mischief.add("setchannel", Fault::LateAnswer(WAIT), Some(1)));
        set_policy(&stage, 0, &["static", "fee_ppm=345"]).await;
        stage.until_fee(0, 345).await;
        look.once(&stage).await;
        assert_eq!(changes(&stage).await, [json!("target")], "{look:?}");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_from_before_a_fee_was_set_undoes_nothing_in_the_books() {
    for look in Look::ALL {
        let stage = quiet(Flavour::V26_06).start().await;
        cycle(&stage).await;
        let before = terms(&stage, 0);
        let looks = stage.count("listpeerchannels");
        stage
            .lab
            .with_mischief(|mischief| mischief.add("listpeerchannels", Fault::LateAnswer(WAIT), Some(1)));
        let set = async {
            stage.until_count("listpeerchannels", looks + 1).await;
            tighten(&stage, 0).await;
        };
        tokio::join!(look.once(&stage), set);
        assert_eq!(terms(&stage, 0), (1_000, sizes(&stage, 0).1), "{look:?}");
        cycle(&stage).await;
        let changes = changes(&stage).await;
        assert_eq!(changes.len(), 1, "{look:?}: {changes:?}");
        set_policy(&stage, 0, &["passive"]).await;
        stage.until_fees_rest().await;
        assert_eq!(terms(&stage, 0), before, "{look:?}");
        stage.end().await;
    }
}
