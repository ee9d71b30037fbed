//! Plugins: handshake, calls, notifications, ends.

use std::time::{Duration, Instant};

use lab::market::Direction;
use lab::{Flavour, Lab, SimClock};
use serde_json::{Value, json};

use crate::{Dir, fake_plugin};

#[tokio::test]
async fn init_brings_defaults_values_and_the_clock() {
    for flavour in Flavour::ALL {
        let dir = Dir::new();
        let lab = Lab::start(dir.manual(flavour)).await.unwrap();
        let command = fake_plugin().option("fake-count", "9");
        let plugin = lab.attach(command).await.unwrap();
        let told = plugin.call("fake-init", json!({})).await.unwrap();
        assert_eq!(told["init"]["options"], json!({"fake-count": 9, "fake-name": "x"}));
        let configuration = &told["init"]["configuration"];
        assert_eq!(configuration["lightning-dir"], json!(lab.lightning_dir()));
        assert_eq!(configuration["rpc-file"], "lightning-rpc");
        assert_eq!(configuration["network"], "regtest");
        assert_eq!(configuration["startup"], true);
        assert!(configuration["feature_set"]["init"].is_string());
        assert_eq!(told["version"], flavour.version());
        let clock = SimClock::from_env(told["clock"].as_str().unwrap()).unwrap();
        assert_eq!(clock.base_unix_ms as f64 / 1000.0, lab.now_unix_s());
        assert!(plugin.rss_kib().unwrap() > 100);
        lab.shutdown().await.unwrap();
        assert!(plugin.exit_status().is_some());
        assert_eq!(plugin.rss_kib(), None);
    }
}

#[tokio::test]
async fn bad_options_and_disabled_plugins_do_not_start() {
    let dir = Dir::new();
    let lab = Lab::start(dir.manual(Flavour::V26_06)).await.unwrap();
    let start = async |command| format!("{:#}", lab.attach(command).await.err().unwrap());
    let stray = start(fake_plugin().option("no-such", 1)).await;
    assert!(stray.contains("no-such: unrecognized option"), "{stray}");
    let typed = start(fake_plugin().option("fake-count", "many")).await;
    assert!(typed.contains("fake-count: many is not a number"), "{typed}");
    let disabled = start(fake_plugin().env("FAKE_MODE", "disable")).await;
    assert!(disabled.contains("disabled itself: not today"), "{disabled}");
    let absent = start(lab::PluginCommand::new("/no/such/program")).await;
    assert!(absent.contains("/no/such/program"), "{absent}");
}

#[tokio::test]
async fn calls_run_side_by_side_and_errors_keep_their_shape() {
    let dir = Dir::new();
    let lab = Lab::start(dir.manual(Flavour::V24_11)).await.unwrap();
    let plugin = lab.attach(fake_plugin()).await.unwrap();
    let slow = tokio::spawn({
        let plugin = plugin.clone();
        async move { plugin.call("fake-slow", json!({"ms": 3_600_000})).await }
    });
    let quick = plugin.call("fake-echo", json!({"n": 1})).await.unwrap();
    assert_eq!(quick["n"], 1);
    assert_eq!(plugin.call("fake-slow", json!({"ms": 50})).await.unwrap()["ms"], 50);
    assert!(!slow.is_finished());
    let over_socket = lab.call("fake-fail", json!([])).await.unwrap().unwrap_err();
    assert_eq!((over_socket.code, over_socket.message.as_str()), (77, "as asked"));
    assert_eq!(over_socket.data, Some(json!({"why": 1})));
}

#[tokio::test]
async fn logs_are_kept_and_custom_notifications_ignored() {
    let dir = Dir::new();
    let lab = Lab::start(dir.manual(Flavour::V24_11)).await.unwrap();
    let plugin = lab.attach(fake_plugin()).await.unwrap();
    plugin.call("fake-log", json!({})).await.unwrap();
    assert!(plugin.wait_for_log("hello", Duration::from_secs(10)).await);
    assert!(plugin.wait_for_log("on stderr", Duration::from_secs(10)).await);
    assert!(plugin.logs().iter().any(|line| line.level == "info" && line.message == "hello"));
    assert!(plugin.call("fake-echo", json!({})).await.is_ok());
}

#[tokio::test]
async fn a_plugin_that_dies_or_babbles_leaves_no_caller_waiting() {
    let dir = Dir::new();
    let lab = Lab::start(dir.manual(Flavour::V24_11)).await.unwrap();
    for method in ["fake-die", "fake-babble"] {
        let plugin = lab.attach(fake_plugin()).await.unwrap();
        let waiting = tokio::spawn({
            let plugin = plugin.clone();
            async move { plugin.call("fake-slow", json!({"ms": 60_000})).await }
        });
        // Babble may answer before it is killed for it.
        let _ = plugin.call(method, json!({})).await;
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!(
            (error.code, error.message.as_str()),
            (-4, "Plugin terminated before replying to RPC call.")
        );
        assert!(!plugin.wait_exit().await.unwrap().success());
        let late = plugin.call("fake-echo", json!({})).await.unwrap_err();
        assert_eq!(late.code, -4);
        let gone = lab.call("fake-echo", json!({})).await.unwrap().unwrap_err();
        assert_eq!(gone.code, -32601);
    }
}

#[tokio::test]
async fn stop_tells_those_who_asked_and_kills_the_others() {
    let dir = Dir::new();
    let lab = Lab::start(dir.manual(Flavour::V26_06)).await.unwrap();
    let polite = lab.attach(fake_plugin()).await.unwrap();
    let stopped = polite.stop().await.unwrap();
    assert!(stopped.by_itself && stopped.status.success());
    let deaf = lab.attach(fake_plugin().env("FAKE_MODE", "deaf")).await.unwrap();
    let began = Instant::now();
    let stopped = deaf.stop().await.unwrap();
    assert!(!stopped.by_itself && !stopped.status.success());
    assert!(began.elapsed() < Duration::from_secs(20));
    // A restart in the same directory is a new process.
    let again = lab.attach(fake_plugin()).await.unwrap();
    assert_ne!(again.pid(), deaf.pid());
    assert!(!again.kill().await.unwrap().success());
}

#[tokio::test]
async fn only_subscribed_topics_arrive_in_the_shape_of_the_release() {
    for flavour in Flavour::ALL {
        let dir = Dir::new();
        let lab = Lab::start(dir.manual(flavour)).await.unwrap();
        let plugin = lab.attach(fake_plugin()).await.unwrap();
        let peer = lab.with_node(|node| node.channels()[0].peer_id.clone());
        lab.with_node(|node| node.set_connected(&peer, false));
        lab.with_node(|node| node.set_connected(&peer, true));
        lab.with_node(|node| node.close_channel(3, lab::node::CloseKind::Mutual));
        lab.advance_by(7200.0).unwrap();
        let seen = plugin.call("fake-seen", json!({})).await.unwrap();
        let seen: Vec<Value> = seen.as_array().unwrap().clone();
        let of = |topic: &str| {
            seen.iter().filter(|news| news["topic"] == topic).map(|news| &news["params"]).collect::<Vec<_>>()
        };
        assert!(of("channel_state_changed").is_empty(), "not subscribed");
        let old = flavour == Flavour::V23_05;
        let connect = of("connect")[0];
        assert_eq!(if old { &connect["id"] } else { &connect["connect"]["id"] }, &json!(peer));
        let disconnect = of("disconnect")[0];
        assert_eq!(if old { &disconnect["id"] } else { &disconnect["disconnect"]["id"] }, &json!(peer));
        assert_eq!(of("block_added").len(), 12);
        let block = &of("block_added")[0][if old { "block" } else { "block_added" }];
        assert_eq!(block["height"], 200_001);
        let forwards: Vec<_> = of("forward_event").into_iter().map(|news| &news["forward_event"]).collect();
        let settled = forwards.iter().filter(|forward| forward["status"] == "settled").count();
        assert!(settled > 3, "{settled}");
        assert_eq!(of("coin_movement").len(), 2 * settled);
        for forward in forwards {
            let offered = forward["status"] == "offered";
            assert_eq!(
                forward.get("created_index").is_some(),
                !old && (offered || forward["status"] == "local_failed")
            );
        }
    }
}

#[tokio::test]
async fn setconfig_changes_dynamic_options_only() {
    let dir = Dir::new();
    let lab = Lab::start(dir.manual(Flavour::V26_06)).await.unwrap();
    let plugin = lab.attach(fake_plugin()).await.unwrap();
    let set = async |name: &str, value: Value| {
        lab.call("setconfig", json!({"config": name, "val": value})).await.unwrap()
    };
    let config = set("fake-count", json!(5)).await.unwrap()["config"].clone();
    assert_eq!((&config["value_int"], &config["dynamic"]), (&json!(5), &json!(true)));
    let seen = plugin.call("fake-seen", json!({})).await.unwrap();
    assert_eq!(seen[0], json!({"config": "fake-count", "val": "5"}), "always text");
    assert_eq!(set("fake-count", json!(13)).await.unwrap_err().message, "13 brings bad luck");
    assert!(set("fake-count", json!("x")).await.unwrap_err().message.contains("not a number"));
    assert!(set("fake-name", json!("y")).await.unwrap_err().message.contains("not changeable"));
    assert!(set("stray", json!(1)).await.is_err());
    let listed = lab.call("listconfigs", json!({"config": "fake-count"})).await.unwrap().unwrap();
    assert_eq!(listed["configs"]["fake-count"]["value_int"], 5);
    let old = Dir::new();
    let old = Lab::start(old.manual(Flavour::V23_05)).await.unwrap();
    let answer = old.call("setconfig", json!({"config": "fake-count", "val": 5})).await.unwrap();
    assert_eq!(answer.unwrap_err().code, -32601);
}

#[tokio::test]
async fn the_plugin_command_lists_stops_and_starts() {
    let dir = Dir::new();
    let lab = Lab::start(dir.manual(Flavour::V26_06)).await.unwrap();
    let plugin = lab.attach(fake_plugin()).await.unwrap();
    let path = plugin.path().display().to_string();
    let listed = async || lab.call("plugin", json!(["list"])).await.unwrap().unwrap()["plugins"].to_string();
    assert!(listed().await.contains(&path));
    let stopped =
        lab.call("plugin", json!({"subcommand": "stop", "plugin": "fake-plugin"})).await.unwrap().unwrap();
    assert_eq!(stopped["result"], "Successfully stopped fake-plugin.");
    assert!(plugin.exit_status().unwrap().success());
    assert!(!listed().await.contains(&path));
    let params = json!({"subcommand": "start", "plugin": path, "fake-count": 4});
    lab.call("plugin", params).await.unwrap().unwrap();
    let told = lab.call("fake-init", json!({})).await.unwrap().unwrap();
    assert_eq!(told["init"]["configuration"]["startup"], false);
    assert_eq!(told["init"]["options"]["fake-count"], 4);
    let help = lab.call("help", json!({"command": "fake-echo"})).await.unwrap().unwrap();
    assert_eq!(help["help"][0]["command"], "fake-echo [x]");
}

#[tokio::test]
async fn congestion_can_be_staged() {
    let dir = Dir::new();
    let lab = Lab::start(dir.manual(Flavour::V26_06)).await.unwrap();
    let scid = lab.with_node(|node| {
        node.set_slots(2, 10);
        node.hold_htlcs(2, Direction::Out, 9, 5_000_000);
        node.channels()[2].scid.to_string()
    });
    let listed = lab.call("listpeerchannels", json!({"short_channel_id": scid})).await.unwrap().unwrap();
    let channel = &listed["channels"][0];
    assert_eq!((channel["htlcs"].as_array().unwrap().len(), &channel["max_accepted_htlcs"]), (9, &json!(10)));
    assert_eq!(channel["htlcs"][0]["direction"], "out");
    assert_eq!(lab.with_node(|node| node.release_htlcs(2)), 9);
}
