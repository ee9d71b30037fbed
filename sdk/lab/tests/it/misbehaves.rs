//! Faults on demand, seen by a client.

use std::time::{Duration, Instant};

use lab::{Fault, Flavour, Lab, client};
use serde_json::{Value, json};

use crate::Dir;

async fn lab(dir: &Dir) -> Lab {
    Lab::start(dir.manual(Flavour::V26_06)).await.unwrap()
}

fn next(lab: &Lab, method: &str, fault: Fault) {
    lab.with_mischief(|mischief| mischief.add(method, fault, Some(1)));
}

#[tokio::test]
async fn late_and_dead_answers() {
    let dir = Dir::new();
    let lab = lab(&dir).await;
    next(&lab, "getinfo", Fault::Late(Duration::from_millis(400)));
    let began = Instant::now();
    assert!(lab.call("getinfo", json!({})).await.unwrap().is_ok());
    assert!(began.elapsed() >= Duration::from_millis(400));
    next(&lab, "getinfo", Fault::LateAnswer(Duration::from_millis(400)));
    let (began, before) = (Instant::now(), lab.call("getinfo", json!({})));
    let mine = async {
        while lab.with_mischief(|mischief| mischief.count("getinfo")) < 2 {
            tokio::task::yield_now().await;
        }
        lab.with_node(|node| node.mine(5));
    };
    let (before, ()) = tokio::join!(before, mine);
    assert!(began.elapsed() >= Duration::from_millis(400));
    let after = lab.call("getinfo", json!({})).await.unwrap().unwrap();
    assert_ne!(
        before.unwrap().unwrap()["blockheight"],
        after["blockheight"],
        "as it was when it was asked for"
    );
    next(&lab, "getinfo", Fault::Dead);
    let limit = Duration::from_millis(300);
    let dead = client::call_within(&lab.rpc_path(), "getinfo", json!({}), limit).await.unwrap_err();
    assert!(dead.to_string().contains("no answer to getinfo"), "{dead}");
    assert!(lab.call("getinfo", json!({})).await.unwrap().is_ok(), "one call only");
}

#[tokio::test]
async fn dropped_connections_do_or_do_not_apply() {
    let dir = Dir::new();
    let lab = lab(&dir).await;
    let set = json!({"id": lab.with_node(|node| node.channels()[1].scid.to_string()), "feeppm": 777});
    next(&lab, "setchannel", Fault::Drop);
    assert!(lab.call("setchannel", set.clone()).await.is_err());
    assert_ne!(lab.with_node(|node| node.fee(1).ppm), 777);
    next(&lab, "setchannel", Fault::ApplyThenDrop);
    assert!(lab.call("setchannel", set).await.is_err());
    assert_eq!(lab.with_node(|node| node.fee(1).ppm), 777);
}

#[tokio::test]
async fn errors_stale_answers_and_wrong_ids() {
    let dir = Dir::new();
    let lab = lab(&dir).await;
    next(&lab, "feerates", Fault::Error { code: -5, message: "no".into() });
    let error = lab.call("feerates", json!(["perkb"])).await.unwrap().unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (-5, "no"));
    lab.with_mischief(|mischief| mischief.add("getinfo", Fault::Stale, Some(2)));
    let height =
        async |lab: &Lab| lab.call("getinfo", json!({})).await.unwrap().unwrap()["blockheight"].clone();
    let first = height(&lab).await;
    lab.with_node(|node| node.mine(5));
    assert_eq!(height(&lab).await, first, "the old answer again");
    assert_ne!(height(&lab).await, first);
    next(&lab, "getinfo", Fault::WrongId);
    let wrong = lab.call("getinfo", json!({})).await.unwrap_err();
    assert!(wrong.to_string().contains("for another request"), "{wrong}");
}

#[tokio::test]
async fn answers_with_more_less_and_far_more() {
    let dir = Dir::new();
    let lab = lab(&dir).await;
    let channels = async |fault| -> Vec<Value> {
        next(&lab, "listpeerchannels", fault);
        lab.call("listpeerchannels", json!({})).await.unwrap().unwrap()["channels"]
            .as_array()
            .unwrap()
            .clone()
    };
    assert!(channels(Fault::UnknownFields).await[0]["updates"]["local"]["x_from_the_future"].is_object());
    let bare = channels(Fault::MissingFields).await;
    assert_eq!(bare[0].as_object().unwrap().len(), 5, "{}", bare[0]);
    let huge = channels(Fault::Huge(5000)).await;
    assert_eq!(huge.len(), 5013);
    let mut ids: Vec<_> = huge.iter().map(|channel| channel["channel_id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5013);
}

#[tokio::test]
async fn calls_are_logged_until_forgotten() {
    let dir = Dir::new();
    let lab = lab(&dir).await;
    lab.call("getinfo", json!({})).await.unwrap().unwrap();
    lab.call("listfunds", json!({"spent": false})).await.unwrap().unwrap();
    let calls = lab.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!((calls[1].method.as_str(), &calls[1].params), ("listfunds", &json!({"spent": false})));
    assert_eq!(calls[1].unix_s, lab.now_unix_s());
    lab.with_mischief(|mischief| mischief.forget_calls());
    assert!(lab.calls().is_empty());
}
