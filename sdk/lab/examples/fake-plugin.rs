//! A plugin for the lab's own tests. It answers slowly, dies, disables itself or babbles when asked,
//! and reports what it was told.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

fn mode() -> String {
    std::env::var("FAKE_MODE").unwrap_or_default()
}

fn manifest() -> Value {
    let mut topics = vec!["forward_event", "block_added", "connect", "disconnect", "coin_movement"];
    if mode() != "deaf" {
        topics.push("shutdown");
    }
    let methods = [
        "fake-echo",
        "fake-slow",
        "fake-die",
        "fake-babble",
        "fake-seen",
        "fake-init",
        "fake-fail",
        "fake-log",
    ];
    let methods = methods.map(|name| json!({"name": name, "usage": "[x]", "description": "d"}));
    json!({
        "options": [
            {"name": "fake-count", "type": "int", "default": 3, "description": "d", "dynamic": true},
            {"name": "fake-name", "type": "string", "default": "x", "description": "d"},
            {"name": "fake-unset", "type": "string", "description": "d"},
        ],
        "rpcmethods": methods, "subscriptions": topics, "hooks": [], "dynamic": true,
    })
}

#[derive(Default)]
struct State {
    init: Value,
    seen: Vec<Value>,
}

type Answer = Result<Value, Value>;

fn call(state: &Mutex<State>, method: &str, params: Value) -> Answer {
    let state = || state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    match method {
        "getmanifest" => Ok(manifest()),
        "init" if mode() == "disable" => Ok(json!({"disable": "not today"})),
        "init" => {
            state().init = params;
            Ok(json!({}))
        }
        "fake-echo" => Ok(params),
        "fake-slow" => {
            std::thread::sleep(Duration::from_millis(params["ms"].as_u64().unwrap_or(300)));
            Ok(params)
        }
        "fake-die" => std::process::exit(7),
        "fake-babble" => {
            println!("this is not JSON");
            Ok(json!({}))
        }
        "fake-fail" => Err(json!({"code": 77, "message": "as asked", "data": {"why": 1}})),
        "fake-log" => {
            send(
                &json!({"jsonrpc": "2.0", "method": "log", "params": {"level": "info", "message": "hello"}}),
            );
            send(&json!({"jsonrpc": "2.0", "method": "custom_topic", "params": {"a": 1}}));
            eprintln!("on stderr");
            Ok(json!({}))
        }
        "fake-seen" => Ok(json!(state().seen)),
        "fake-init" => Ok(json!({
            "init": state().init, "version": std::env::var("LIGHTNINGD_VERSION").ok(),
            "clock": std::env::var("CL_REVENUE_OPS_SIM_CLOCK").ok(),
        })),
        "setconfig" if params["val"] == "13" => Err(json!({"code": -32602, "message": "13 brings bad luck"})),
        "setconfig" => {
            state().seen.push(params);
            Ok(json!({}))
        }
        other => Err(json!({"code": -32601, "message": format!("no {other}")})),
    }
}

fn send(message: &Value) {
    let mut out = std::io::stdout().lock();
    // A closed pipe means that nobody listens any more.
    if write!(out, "{message}\n\n").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

fn take(state: &Arc<Mutex<State>>, mut message: Value) {
    let method = message["method"].as_str().unwrap_or_default().to_owned();
    let (id, params) = (message["id"].take(), message["params"].take());
    if id.is_null() {
        if method == "shutdown" {
            std::process::exit(0);
        }
        let mut state = state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        state.seen.push(json!({"topic": method, "params": params}));
        return;
    }
    let state = state.clone();
    std::thread::spawn(move || {
        send(&match call(&state, &method, params) {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": error}),
        });
    });
}

fn main() {
    let state = Arc::new(Mutex::new(State::default()));
    let mut buffer = Vec::new();
    let mut piece = [0; 65_536];
    while let Ok(length @ 1..) = std::io::stdin().read(&mut piece) {
        buffer.extend_from_slice(&piece[..length]);
        while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
            let message: Vec<u8> = buffer.drain(..end + 2).collect();
            if let Ok(message) = serde_json::from_slice(&message) {
                take(&state, message);
            }
        }
    }
}
