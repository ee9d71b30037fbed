//! `revenue-policy` through the real plugin on a simulated node.

#![allow(clippy::unwrap_used)]

mod callers;

use crate::support::{DEADLINE, Stage, fields, wait_until};
use lab::Flavour;
use serde_json::{Value, json};

/// A node that cl-hive named in a recorded call. Our node has no channel with it.
const STRANGER: &str = "03adc0e3c3fc2eb6378dd23539c16b0b9d689980ce596724c2ad7ec2437ca61481";

/// A stage where only `revenue-policy` is called.
struct Desk {
    stage: Stage,
}

impl Desk {
    async fn set() -> Desk {
        Desk { stage: Stage::on(Flavour::V26_06).unhurried().start().await }
    }

    /// The plugin's answer, an error answer too.
    async fn call(&self, params: Value) -> Value {
        self.stage.call("revenue-policy", params).await
    }

    async fn success(&self, params: Value) -> Value {
        let answer = self.call(params.clone()).await;
        assert_eq!(answer["status"], "success", "{params}: {answer}");
        answer
    }

    async fn refusal(&self, params: Value) -> String {
        self.stage.refusal("revenue-policy", params).await
    }

    async fn policy(&self, peer: &str) -> Value {
        self.call(json!(["get", peer])).await["policy"].clone()
    }

    /// The peer of a channel, and that channel's number.
    fn a_peer(&self) -> (String, usize) {
        (self.stage.peer(0), 0)
    }

    async fn until_fee(&self, channel: usize, ppm: u32) {
        self.stage.until_fee(channel, ppm).await;
    }

    async fn end(self) {
        self.stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_sets_the_same_policy() {
    let desk = Desk::set().await;
    let wanted = json!({
        "strategy": "static", "rebalance_mode": "sink_only", "fee_ppm_target": 120, "tags": ["whale", "hub"],
        "fee_multiplier_min": 0.5, "fee_multiplier_max": 2.0, "expires_at": null, "is_expired": false,
    });
    for (number, params) in [
        json!(["PEER", "strategy=static", "rebalance=sink_only", "fee_ppm=120", "tags=[\"whale\",\"hub\"]",
               "fee_multiplier_min=0.5", "fee_multiplier_max=2"]),
        json!(["PEER", "static", "sink_only", 120, ["whale", "hub"], 0.5, 2]),
        json!(["PEER", "static", "sink_only", "120", "whale,hub", "0.5", "2", "0"]),
        json!({"peer_id": "PEER", "strategy": "STATIC", "rebalance_mode": "sink_only", "fee_ppm_target": "120",
               "tags": "[\"whale\",\"hub\"]", "fee_multiplier_min": "0.5", "fee_multiplier_max": 2.0}),
    ]
    .into_iter()
    .enumerate()
    {
        let peer = format!("02{}", format!("{number:02X}").repeat(32));
        let params: Value = serde_json::from_str(&params.to_string().replace("PEER", &peer)).unwrap();
        let params = match params {
            Value::Array(mut words) => {
                words.insert(0, json!("set"));
                Value::Array(words)
            }
            mut named => {
                named["action"] = json!("set");
                named
            }
        };
        let set = desk.success(params).await;
        let got = desk.policy(&peer).await;
        assert_eq!(set["policy"], got);
        assert_eq!(got["peer_id"], peer.to_lowercase());
        for (name, value) in wanted.as_object().unwrap() {
            assert_eq!(&got[name], value, "{name} of {got}");
        }
    }
    assert_eq!(desk.call(json!(["find", "whale"])).await["count"], 4);
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_recorded_fields() {
    let desk = Desk::set().await;
    let policy = [
        "expires_at",
        "fee_multiplier_max",
        "fee_multiplier_min",
        "fee_ppm_target",
        "is_expired",
        "peer_id",
        "rebalance_mode",
        "strategy",
        "tags",
        "updated_at",
    ];
    let set = desk.success(json!(["set", STRANGER, "static", "enabled", 123])).await;
    assert_eq!(fields(&set), ["message", "policy", "status"]);
    assert_eq!(set["message"], format!("Policy updated for peer {}...", &STRANGER[..12]));
    assert_eq!(fields(&set["policy"]), policy);
    let list = desk.call(json!({"action": "list"})).await;
    assert_eq!((fields(&list), &list["count"]), (vec!["count", "policies"], &json!(1)));
    assert_eq!(list["policies"][0], set["policy"]);
    let find = desk.call(json!(["find", "x"])).await;
    assert_eq!(find, json!({"peers": [], "count": 0, "tag": "x"}));
    let tag = desk.success(json!(["tag", STRANGER, "whale"])).await;
    assert_eq!(tag, json!({"status": "success", "peer_id": STRANGER, "tags": ["whale"]}));
    let untag = desk.success(json!(["untag", STRANGER, "whale"])).await;
    assert_eq!(untag["tags"], json!([]));
    let delete = desk.success(json!(["delete", STRANGER])).await;
    assert_eq!(fields(&delete), ["message", "peer_id", "status"]);
    assert_eq!(desk.call(json!(["delete", STRANGER])).await["status"], "noop");
    let default = desk.policy(STRANGER).await;
    assert_eq!((&default["strategy"], &default["updated_at"]), (&json!("dynamic"), &json!(0)));
    let suggest = desk.call(json!(["suggest"])).await;
    assert!(suggest["suggestions"].is_array() && suggest["count"].is_number(), "{suggest}");
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_name_what_is_allowed_and_change_nothing() {
    let desk = Desk::set().await;
    for (params, part) in [
        (json!([]), "use list, get, set"),
        (json!(["frobnicate"]), "use list, get, set"),
        (json!(["set", "zz", "static"]), "66 hexadecimal digits"),
        (json!(["set", STRANGER, "strategy=../nope"]), "dynamic, static, passive, hive"),
        (json!(["set", STRANGER, "strategy=nope"]), "nope"),
        (json!(["set", STRANGER, "fee_ppm=100001"]), "0 to 100000"),
        (json!(["set", STRANGER, "fee_multiplier_min=2", "fee_multiplier_max=1"]), "must not be above"),
        (json!(["set", STRANGER, "expires_in_hours=721"]), "at most 720"),
        (json!(["set", STRANGER, "colour=red"]), "no parameter 'colour'"),
        (json!({"action": "set", "peer_id": STRANGER, "colour": "red"}), "no parameter 'colour'"),
        (json!(["tag", STRANGER]), "tag is missing"),
        (json!(["batch", "[{}]"]), "updates[0]: peer_id is missing"),
    ] {
        let why = desk.refusal(params.clone()).await;
        assert!(why.contains(part) && why.ends_with("; nothing was changed"), "{params}: {why}");
    }
    for (params, part) in [
        (json!(["get"]), "peer_id is missing"),
        (json!(["find"]), "tag is missing"),
        (json!(["list", "colour=red"]), "'colour=red' is one parameter too many"),
        (json!(["changes", "since=yesterday"]), "since: 'yesterday'"),
    ] {
        let why = desk.refusal(params.clone()).await;
        assert!(why.contains(part) && !why.contains("nothing was changed"), "{params}: {why}");
    }
    assert_eq!(desk.call(json!(["list"])).await["count"], 0);
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_members_fee_is_zero_within_seconds() {
    let desk = Desk::set().await;
    let (member, channel) = desk.a_peer();
    // As cl-hive sends it.
    let call = |peer: &str, strategy: &str| json!({"action": "set", "peer_id": peer, "strategy": strategy, "rebalance": "enabled"});
    desk.success(call(&member, "hive")).await;
    desk.until_fee(channel, 0).await;
    let ours =
        desk.stage.lab.call("getinfo", json!({})).await.unwrap().unwrap()["id"].as_str().unwrap().to_owned();
    for peer in [ours.as_str(), STRANGER] {
        desk.success(call(peer, "hive")).await;
        desk.success(call(peer, "dynamic")).await;
    }
    let fixed = desk.success(json!(["set", member, "strategy=static", "fee_ppm=321"])).await;
    assert_eq!(fixed.get("warning"), None);
    desk.until_fee(channel, 321).await;
    let aimless = desk.success(json!(["set", member, "fee_ppm=none"])).await;
    assert!(aimless["warning"].as_str().unwrap().contains("keep the fees"), "{aimless}");
    let idle = desk.success(json!(["set", STRANGER, "dynamic", "fee_ppm=333"])).await;
    assert!(idle["warning"].as_str().unwrap().contains("set strategy=static"), "{idle}");
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_parameter_is_told_wherever_it_stands() {
    let desk = Desk::set().await;
    for before in [&[][..], &["static"], &["static", "enabled"], &["static", "enabled", "100"]] {
        let mut call = vec!["set", STRANGER];
        call.extend(before);
        call.push("expires=5");
        let why = desk.refusal(json!(call)).await;
        assert!(why.contains("there is no parameter 'expires': use peer_id, strategy"), "{why}");
    }
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_changes_a_minute_are_counted_and_nothing_else_is() {
    let desk = Desk::set().await;
    let set = |fee: u32| json!(["set", STRANGER, "static", format!("fee_ppm={fee}")]);
    for fee in 0..9 {
        desk.success(set(fee)).await;
    }
    for _ in 0..20 {
        desk.success(set(8)).await;
        desk.policy(STRANGER).await;
        desk.refusal(json!(["set", STRANGER, "fee_ppm=-1"])).await;
        desk.refusal(json!(["set", STRANGER, "expires_in_hours=1000"])).await;
    }
    for fee in 100..120 {
        desk.success(json!({"action": "batch", "updates": [{"peer_id": STRANGER, "fee_ppm": fee}]})).await;
    }
    desk.success(set(9)).await;
    let why = desk.refusal(set(10)).await;
    assert!(why.contains("10 times in the last 60 seconds"), "{why}");
    assert_eq!(desk.policy(STRANGER).await["fee_ppm_target"], 9);
    let (other, _) = desk.a_peer();
    desk.success(json!(["set", other, "passive"])).await;
    desk.success(json!(["delete", STRANGER])).await;
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_changes_all_or_nothing() {
    let desk = Desk::set().await;
    let (peer, _) = desk.a_peer();
    let good = json!({"peer_id": peer, "strategy": "passive", "tags": ["a"]});
    for bad in [
        json!({"peer_id": STRANGER, "fee_multiplier_max": 1e9}),
        json!({"peer_id": peer, "strategy": "nope"}),
        json!({"peer_id": "zz"}),
        json!("text"),
    ] {
        let why = desk.refusal(json!({"action": "batch", "updates": [good, bad]})).await;
        assert!(why.contains("nothing was changed"), "{why}");
    }
    let many = vec![good.clone(); 101];
    assert!(desk.refusal(json!({"action": "batch", "updates": many})).await.contains("at most 100"));
    assert_eq!(desk.call(json!(["list"])).await["count"], 0);
    let updates =
        json!([good, {"peer_id": STRANGER, "strategy": "hive"}, {"peer_id": peer, "fee_ppm_target": 5}]);
    let done = desk.success(json!(["batch", updates.to_string()])).await;
    assert_eq!((&done["updated"], done["policies"].as_array().unwrap().len()), (&json!(2), 2));
    let built = desk.policy(&peer).await;
    assert_eq!(
        (&built["strategy"], &built["tags"], &built["fee_ppm_target"]),
        (&json!("passive"), &json!(["a"]), &json!(5))
    );
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_changes_build_on_each_other() {
    let desk = Desk::set().await;
    let calls = (0..10).map(|number| {
        let plugin = desk.stage.plugin.clone();
        let params = json!(["tag", STRANGER, format!("t{number}")]);
        tokio::spawn(async move { plugin.call("revenue-policy", params).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap()["status"], "success");
    }
    assert_eq!(desk.policy(STRANGER).await["tags"].as_array().unwrap().len(), 10);
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_of_changes_loses_nothing() {
    let desk = Desk::set().await;
    let (peer, _) = desk.a_peer();
    let changes = async |since: &Value| desk.call(json!({"action": "changes", "since": since})).await;
    let first = changes(&json!(0)).await;
    assert_eq!((&first["count"], &first["last_change_timestamp"]), (&json!(0), &json!(0)));
    // All of these fall into one second.
    let mut since = json!(0);
    for (params, peer, what) in [
        (json!(["set", peer, "passive"]), &peer, "set"),
        (json!(["set", STRANGER, "hive"]), &STRANGER.to_owned(), "set"),
        (json!(["delete", peer]), &peer, "deleted"),
        (json!(["set", peer, "static"]), &peer, "set"),
    ] {
        desk.success(params).await;
        let news = changes(&since).await;
        assert_eq!((&news["count"], &news["since"]), (&json!(1), &since));
        let change = &news["changes"][0];
        assert_eq!((&change["peer_id"], &change["change"]), (&json!(peer), &json!(what)));
        assert_eq!(change["deleted"], json!(what == "deleted"));
        assert_eq!(change["cursor"], news["last_change_timestamp"]);
        assert!(change["cursor"].as_u64() > since.as_u64());
        since = news["last_change_timestamp"].clone();
    }
    let all = changes(&json!(0)).await;
    let newest = &all["changes"][0];
    assert_eq!((&all["count"], &newest["peer_id"]), (&json!(2), &json!(peer)));
    assert_eq!(changes(&since).await["count"], 0);
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_policy_ends_on_time_and_says_so() {
    let desk = Desk { stage: Stage::on(Flavour::V26_06).rate(60.0).start().await };
    let set = desk.success(json!(["set", STRANGER, "hive", "expires_in_hours=0.01"])).await;
    assert!(set["policy"]["expires_at"].as_u64() > set["policy"]["updated_at"].as_u64(), "{set}");
    let ended = wait_until(DEADLINE, async || {
        let feed = desk.call(json!(["changes"])).await;
        let change = feed["changes"][0].clone();
        if change["change"] == "expired" { Ok(change) } else { Err(feed) }
    });
    assert_eq!(ended.await["deleted"], true);
    assert_eq!(desk.policy(STRANGER).await["strategy"], "dynamic");
    assert_eq!(desk.call(json!(["list"])).await["count"], 0);
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_survive_a_kill() {
    let mut desk = Desk::set().await;
    desk.success(json!(["set", STRANGER, "static", "fee_ppm=77", "tags=a,b"])).await;
    let before = desk.policy(STRANGER).await;
    desk.stage.plugin.kill().await.unwrap();
    desk.stage.start_again().await;
    assert_eq!(desk.policy(STRANGER).await, before);
    desk.end().await;
}
