//! Modules that are dear to compile: they are settled within their limits, and the plugin answers
//! meanwhile as ever.

use super::market;
use crate::acts::{cycle, install};
use crate::engine::bombs::shapes::{CORPUS, Shape};
use crate::engine::place::guest;
use crate::support::Stage;
use lab::Flavour;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The longest that one bomb may take: two tries of a compiler, each as long as it may, and a busy
/// machine.
const SETTLED: Duration = Duration::from_secs(40);

/// Names each bomb in a policy, which has it compiled. Gives the answers, and how long each took.
async fn settle(stage: &Stage, bombs: &[Shape]) -> Vec<(Value, Duration)> {
    let mut answers = Vec::new();
    for channel in 0..bombs.len() {
        let (start, strategy) = (Instant::now(), format!("strategy=bomb-{channel}"));
        let answer = stage.call("revenue-policy", json!(["set", stage.peer(channel), strategy])).await;
        answers.push((answer, start.elapsed()));
    }
    answers
}

/// Asks for the status until `work` is done: what came of that, and how often it was answered.
async fn asking<T>(stage: &Stage, work: impl Future<Output = T>) -> (T, usize) {
    let mut answers = 0;
    tokio::pin!(work);
    loop {
        let ask = async {
            stage.status().await;
            answers += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        tokio::select! {
            done = &mut work => return (done, answers),
            () = ask => {}
        }
    }
}

async fn survive(bombs: &[Shape]) {
    let honest = guest("honest");
    let mut fees = vec![50; bombs.len()];
    // The last channel is dynamic's, and below the lowest fee.
    fees.push(3);
    let stage = Stage::on(Flavour::V26_06).spec(market(&fees)).unhurried().start().await;
    for (channel, bomb) in bombs.iter().enumerate() {
        install(&stage, &format!("bomb-{channel}"), &bomb.around(&honest));
    }
    let (answers, statuses) = asking(&stage, settle(&stage, bombs)).await;
    for ((answer, took), bomb) in answers.iter().zip(bombs) {
        println!("{bomb:?}: {took:?}, {}", answer["error"].as_str().unwrap_or("loaded"));
        assert!(*took < SETTLED, "{bomb:?} took {took:?}");
    }
    println!("{statuses} statuses meanwhile");
    // If it waited for a compiler there would be one for each run of it, two for a bomb at most.
    assert!(statuses > 3 * bombs.len(), "{statuses} statuses meanwhile");

    let start = Instant::now();
    let again = settle(&stage, bombs).await;
    assert!(start.elapsed() < SETTLED, "what was settled is not settled again: {:?}", start.elapsed());
    cycle(&stage).await;
    let fees = stage.fees();
    assert_eq!(fees[bombs.len()], 10, "dynamic's channel is served like any other");
    for (((answer, _), (then, _)), fee) in answers.iter().zip(&again).zip(fees) {
        assert_eq!(answer["error"], then["error"]);
        // The guest raises each fee; a bomb that was refused has no channel.
        assert_eq!(answer["status"] == "success", fee > 50, "{answer}: {fee} ppm");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_settled_while_the_plugin_answers() {
    survive(&[
        Shape::Loops(200, 500),
        Shape::Tables(200, 200),
        Shape::Ranges(300, 500),
        Shape::Steps(60_000),
        Shape::Blocks(1_000),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn fifty_bombs_are_settled_while_the_plugin_answers() {
    survive(&CORPUS).await;
}
