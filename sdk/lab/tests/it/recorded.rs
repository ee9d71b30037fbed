//! A node that answers from recordings, as tests of books use it: through its socket, in every
//! release's own ways.

use std::collections::BTreeMap;
use std::path::Path;

use lab::{Flavour, Lab, LabConfig, Recorded};
use serde_json::{Value, json};

use crate::{Dir, fake_plugin};

fn recorded(flavour: Flavour) -> Recorded {
    let dir = match flavour {
        Flavour::V23_05 => "v23.05",
        Flavour::V24_11 => "v24.11",
        Flavour::V26_06 => "v26.06",
    };
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/recordings");
    Recorded::load(recordings.join(dir), flavour).unwrap()
}

struct Stage {
    lab: Lab,
    _dir: Dir,
}

impl Stage {
    async fn new(recorded: Recorded) -> Self {
        let dir = Dir::new();
        let lab = Lab::start(LabConfig::of_recording(&dir.0, recorded)).await.unwrap();
        Self { lab, _dir: dir }
    }

    async fn at_the_end(flavour: Flavour) -> Self {
        Self::new(recorded(flavour).at("after-close").unwrap()).await
    }

    async fn get(&self, method: &str, params: Value) -> Value {
        self.lab.call(method, params).await.unwrap().unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    async fn list(&self, method: &str, key: &str, params: Value) -> Vec<Value> {
        self.get(method, params).await[key].as_array().unwrap().clone()
    }

    /// Code and text of a refusal.
    async fn refusal(&self, method: &str, params: Value) -> (i64, String) {
        let error = self.lab.call(method, params).await.unwrap().unwrap_err();
        (error.code, error.message)
    }

    /// Routed fees, on-chain costs of channels, and rebalances, msat, as the lists tell them.
    async fn sums(&self) -> (u64, i64, u64) {
        let msat = |row: &Value, field: &str| row[field].as_u64().unwrap_or(0);
        let forwards = self.list("listforwards", "forwards", json!({"status": "settled"})).await;
        let events = self.list("bkpr-listaccountevents", "events", json!({})).await;
        let fees = events.iter().filter(|row| row["type"] == "onchain_fee" && row["account"] != "wallet");
        let payments = self.list("listsendpays", "payments", json!({"status": "complete"})).await;
        (
            forwards.iter().map(|row| msat(row, "fee_msat")).sum(),
            fees.map(|row| msat(row, "credit_msat") as i64 - msat(row, "debit_msat") as i64).sum(),
            payments.iter().map(|row| msat(row, "amount_sent_msat") - msat(row, "amount_msat")).sum(),
        )
    }
}

#[tokio::test]
async fn the_newest_node_plays_its_run() {
    let stage = Stage::at_the_end(Flavour::V26_06).await;
    assert_eq!(stage.sums().await, (47_508, 332_000 + 195_000 + 134_978 + 258_000, 900_225));
    assert_eq!(stage.list("listforwards", "forwards", json!({})).await.len(), 33);
    assert_eq!(stage.refusal("listchannelmoves", json!({})).await.0, -32601);
    let help = stage.get("help", json!({})).await.to_string();
    for (method, there) in [("bkpr-listbalances", true), ("sling-job", true), ("listchannelmoves", false)] {
        assert_eq!(help.contains(method), there, "{method}");
    }
    let info = stage.get("getinfo", json!({})).await;
    assert_eq!((&info["version"], &info["blockheight"]), (&json!("v26.06.6"), &json!(272)));
    assert_eq!(info["lightning-dir"], stage.lab.lightning_dir().display().to_string());
    assert!(stage.lab.now_unix_s() as u64 == 1_795_407_935 + 60, "{}", stage.lab.now_unix_s());

    let splice = "63ea61a18db25ee93f342b742f55684c2fe61ed844f96d8f5de08e890ec1e995";
    let events = stage.list("bkpr-listaccountevents", "events", json!({"payment_id": splice})).await;
    assert_eq!(events.len(), 8, "{events:?}");
    let by_id = json!({"channel_id": "46585adc3523b11aa24c5ba92ca08d6a81d1e60f23c9001575e095bd1b48de95"});
    let channels = stage.list("listpeerchannels", "channels", by_id).await;
    assert_eq!(channels[0]["short_channel_id"], "139x1x1");
    assert!(stage.list("listpeerchannels", "channels", json!(["02".repeat(33)])).await.is_empty());
    let peer = &stage.list("listclosedchannels", "closedchannels", json!({})).await[0]["peer_id"];
    assert_eq!(stage.list("listclosedchannels", "closedchannels", json!({"id": peer})).await.len(), 1);
}

#[tokio::test]
async fn lists_of_the_newest_node_are_paged_and_filtered() {
    let stage = Stage::at_the_end(Flavour::V26_06).await;
    for (method, key) in [("listforwards", "forwards"), ("listsendpays", "payments")] {
        let whole = stage.list(method, key, json!({})).await;
        for index in ["created", "updated"] {
            let (mut paged, mut start) = (Vec::new(), 1);
            loop {
                let page = json!({"index": index, "start": start, "limit": 4});
                let page = stage.list(method, key, page).await;
                let Some(last) = page.last() else { break };
                start = last[format!("{index}_index")].as_u64().unwrap() + 1;
                paged.extend(page);
            }
            assert_eq!(paged, whole, "{method} {index}");
        }
        let waited =
            json!({"subsystem": key.replace("payments", "sendpays"), "indexname": "updated", "nextvalue": 0});
        assert_eq!(stage.get("wait", waited).await["updated"], whole.len());
    }
    let filter = json!({"out_channel": "109x1x0", "status": "settled"});
    assert_eq!(stage.list("listforwards", "forwards", filter).await.len(), 33);
    assert!(stage.list("listforwards", "forwards", json!({"in_channel": "109x1x0"})).await.is_empty());
    assert!(stage.list("listsendpays", "payments", json!({"status": "failed"})).await.is_empty());
    let (code, text) = stage.refusal("listforwards", json!({"start": 3})).await;
    assert_eq!((code, text.as_str()), (-32602, "Can only specify {start} with {index}"));
    let unknown = stage.refusal("bkpr-listaccountevents", json!({"account": "ab".repeat(32)})).await;
    assert_eq!(unknown, (-32602, format!("Account '{}' not found", "ab".repeat(32))));
    let all = stage.list("bkpr-listincome", "income_events", json!({})).await.len();
    let late =
        stage.list("bkpr-listincome", "income_events", json!({"start_time": 1_795_407_900})).await.len();
    let early =
        stage.list("bkpr-listincome", "income_events", json!({"end_time": 1_795_407_899})).await.len();
    assert!(late > 0 && early > 0 && late + early == all);
}

#[tokio::test]
async fn a_run_is_played_phase_by_phase_with_its_notifications() {
    let stage = Stage::new(recorded(Flavour::V26_06)).await;
    let plugin = stage.lab.attach(fake_plugin()).await.unwrap();
    let next = json!({"subsystem": "sendpays", "indexname": "created", "nextvalue": 15});
    let (socket, params) = (stage.lab.rpc_path(), next);
    let waiting = tokio::spawn(async move { lab::client::call(&socket, "wait", params).await });
    assert_eq!(stage.sums().await, (47_508, 332_000, 0));
    stage.lab.enter_phase("after-sling").unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().unwrap()["created"], 15);
    for (phase, onchain) in [("after-splice", 590_000), ("onchain", 785_000), ("after-close", 919_978)] {
        stage.lab.enter_phase(phase).unwrap();
        assert_eq!(stage.sums().await.1, onchain, "{phase}");
    }
    assert!(stage.lab.enter_phase("never").is_err());
    let told = stage.lab.recorded_notifications();
    assert_eq!(told.iter().filter(|news| news.topic == "coin_movement").count(), 26);
    assert_eq!(told.last().unwrap().params["channel_state_changed"]["new_state"], "CLOSED");
    told.iter().for_each(|news| stage.lab.notify(news));
    let heard = plugin.call("fake-seen", json!({})).await.unwrap();
    let heard = heard.as_array().unwrap().iter().filter(|news| news["topic"] == "coin_movement");
    assert_eq!(heard.count(), 26);
}

#[tokio::test]
async fn moves_are_made_from_the_books_when_wanted() {
    let recorded = recorded(Flavour::V26_06).at("after-close").unwrap().with_moves();
    let stage = Stage::new(recorded).await;
    let page = json!({"index": "created", "start": 67, "limit": 1000});
    let moves = stage.list("listchannelmoves", "channelmoves", page).await;
    let mut sides: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for row in moves.iter().filter(|row| row["primary_tag"] == "invoice") {
        sides.entry(row["payment_hash"].to_string()).or_default().push(row);
    }
    assert_eq!(sides.len(), 15);
    let fees: u64 = moves
        .iter()
        .filter(|row| row["primary_tag"] == "invoice")
        .map(|row| row["fees_msat"].as_u64().unwrap())
        .sum();
    assert_eq!(fees, 900_225);
    let chain = stage.list("listchainmoves", "chainmoves", json!({})).await;
    assert!(chain.iter().any(|row| row["primary_tag"] == "to_wallet" && row["spending_txid"].is_string()));
    let help = stage.get("help", json!({})).await.to_string();
    assert!(help.contains("listchannelmoves"));
}

#[tokio::test]
async fn a_node_of_2024_plays_its_run() {
    let stage = Stage::at_the_end(Flavour::V24_11).await;
    assert_eq!(stage.sums().await, (8_598, 661_416, 72_027));
    let page = stage.list("listforwards", "forwards", json!(["settled", null, null, "updated", 5, 3])).await;
    let indexes: Vec<&Value> = page.iter().map(|row| &row["updated_index"]).collect();
    assert_eq!(indexes, [5, 6, 7]);
    let hash = &stage.list("listsendpays", "payments", json!({})).await[0]["payment_hash"];
    let pair = stage.list("bkpr-listaccountevents", "events", json!({"payment_id": hash})).await;
    assert_eq!(pair.len(), 2);
    for method in ["listchannelmoves", "sql", "splicein"] {
        assert_eq!(stage.refusal(method, json!({})).await, (-32601, format!("Unknown command '{method}'")));
    }
    let answer = stage.get("setchannel", json!({"id": "109x1x0", "feeppm": 77})).await;
    assert_eq!(answer["channels"][0]["fee_proportional_millionths"], 77);
    let channels = stage.list("listpeerchannels", "channels", json!({})).await;
    assert_eq!(channels[0]["fee_proportional_millionths"], 77);
    assert_eq!(channels[0]["updates"]["local"]["fee_proportional_millionths"], 77);
    let (code, text) = stage.refusal("setchannel", json!({"id": "1x1x1", "feeppm": 150})).await;
    assert_eq!((code, text.as_str()), (-32602, "id: Short channel id not found: invalid token '\"1x1x1\"'"));
}

#[tokio::test]
async fn the_oldest_node_plays_its_run_without_pages() {
    let stage = Stage::at_the_end(Flavour::V23_05).await;
    assert_eq!(stage.sums().await, (7_149, 600_550, 0));
    assert_eq!(stage.list("listforwards", "forwards", json!({})).await.len(), 11);
    for (method, params, name) in [
        ("listforwards", json!({"index": "updated", "start": 5, "limit": 3}), "index"),
        ("listsendpays", json!({"index": "created"}), "index"),
        ("bkpr-listaccountevents", json!({"payment_id": "ab".repeat(32)}), "payment_id"),
    ] {
        let (code, text) = stage.refusal(method, params).await;
        assert_eq!(code, -32602);
        assert!(text.starts_with(&format!("unknown parameter: {name}, this may be caused")), "{text}");
    }
    assert_eq!(stage.refusal("wait", json!(["forwards", "updated", 0])).await.0, -32601);
    let account = json!({"account": "310e359a4801675d5f0e5ce218d706d882c81280b7a44b49bef0eb65e3c7e8c2"});
    let events = stage.list("bkpr-listaccountevents", "events", account).await;
    assert!(events.len() > 10 && events.iter().all(|row| row["account"] == events[0]["account"]));
}
