//! What goes wrong with a real sling goes wrong with this one.
use super::*;

/// Calls that may have to wait, by ticket.
fn ask(node: &mut NodeState, method: &str, params: Value) -> (u64, Answer) {
    let ticket = node.ticket();
    let answer = node.call_again(ticket, method, &params);
    (ticket, answer)
}

fn start_once(node: &mut NodeState, changes: Value) {
    let params = once(node, changes);
    ok(node, "sling-once", params);
}

#[test]
fn a_payment_that_settles_after_the_timeout_is_missing_in_the_statistics() {
    let mut node = node();
    let before = balances(&node);
    node.sling_mut().routes.fates = [Fate::Settle { after_s: 300.0 }].into();
    start_once(&mut node, json!({"onceamount": 50_000}));
    pass(&mut node, 119.0);
    assert_eq!(node.sling().payments().len(), 1, "it is waited for");
    assert_eq!(node.balance_msat(0), before[0] + 50_000_000, "the money is there early");
    assert_eq!(node.balance_msat(1), before[1], "and still promised at the other end");
    pass(&mut node, 30.0);
    assert_eq!(state(&node), (TaskState::Balanced, false));
    assert_eq!(node.sling().payments().len(), 2, "sling paid once more: 100,000 sat instead of 50,000");
    assert_eq!(node.sling().in_flight().count(), 1);
    reconcile_pending(&mut node);
    pass(&mut node, 200.0);
    let payments = node.sling().payments();
    assert_eq!((payments[0].end, payments[0].in_stats), (PaymentEnd::Settled, false));
    assert_eq!((payments[1].end, payments[1].in_stats), (PaymentEnd::Settled, true));
    assert_eq!(node.sling().spent_msat(), 2 * 60_015);
    reconcile(&mut node, &before);
    let here = scid(&node, 0);
    let stats = ok(&mut node, "sling-stats", json!([here, true]));
    assert_eq!(stats["successes_in_time_window"]["total_amount_sats"], 50_000);
    let reasons = &stats["failures_in_time_window"]["top_5_failure_reasons"];
    assert_eq!(*reasons, json!([{"failure_reason": "WAITSENDPAY_TIMEOUT", "failure_count": 1}]));
}

fn reconcile_pending(node: &mut NodeState) {
    let pending = sendpays(node, "pending");
    let hashes: Vec<Value> = node.sling().in_flight().map(|one| json!(one.payment_hash)).collect();
    assert_eq!(pending.iter().map(|row| row["payment_hash"].clone()).collect::<Vec<_>>(), hashes);
    let channels = ok(node, "listpeerchannels", json!({}));
    assert_eq!(channels["channels"][1]["htlcs"][0]["payment_hash"], hashes[0]);
}

#[test]
fn stop_and_delete_wait_for_the_payment_and_block_every_other_call() {
    let mut node = node();
    node.sling_mut().routes.fates = [Fate::Hang].into();
    start_once(&mut node, json!({}));
    let here = scid(&node, 0);
    let (delete, answer) = ask(&mut node, "sling-deletejob", json!([here]));
    assert_eq!(answer, Answer::NotYet);
    let (other, answer) = ask(&mut node, "sling-jobsettings", json!([]));
    assert_eq!(answer, Answer::NotYet, "one lock for all");
    let version = ok(&mut node, "sling-version", json!([]));
    assert_eq!(version, json!({"version": "v4.2.1"}), "but for this");
    assert_eq!(node.sling().waiting_calls(), 2);
    node.take_fresh_answers();
    pass(&mut node, 119.0);
    assert_eq!(node.call_again(delete, "sling-deletejob", &json!([here])), Answer::NotYet);
    assert!(!node.take_fresh_answers());
    pass(&mut node, 1.0);
    assert!(node.take_fresh_answers(), "those who wait are woken");
    let done = Answer::Now(Ok(json!({"result": "success"})));
    assert_eq!(node.call_again(delete, "sling-deletejob", &json!([here])), done);
    assert_eq!(node.call_again(other, "sling-jobsettings", &json!([])), Answer::Now(Ok(json!({}))));
    assert_eq!(node.sling().tasks(), []);
    assert_eq!(node.sling().in_flight().count(), 1, "the payment flies on");
    let hash = node.sling().payments()[0].payment_hash.clone();
    assert_eq!(node.end_sling_payment(&hash, true), Some(PaymentEnd::Failed), "nobody takes it now");
    assert_eq!(node.end_sling_payment(&hash, true), None);
    assert_eq!(node.sling().spent_msat(), 0);
}

#[test]
fn old_versions_let_others_through_while_a_stop_waits() {
    let mut node = node();
    node.sling_mut().set_version(SlingVersion::V3_0);
    node.sling_mut().routes.fates = [Fate::Hang].into();
    let params = job(&node, json!({}));
    ok(&mut node, "sling-job", params);
    ok(&mut node, "sling-go", json!([]));
    let (stop, answer) = ask(&mut node, "sling-stop", json!([]));
    assert_eq!(answer, Answer::NotYet);
    let settings = ok(&mut node, "sling-jobsettings", json!([]));
    assert_eq!(settings.as_object().unwrap().len(), 1);
    let hash = node.sling().payments()[0].payment_hash.clone();
    assert_eq!(node.end_sling_payment(&hash, true), Some(PaymentEnd::Settled), "it still takes the money");
    let stopped = Answer::Now(Ok(json!({"stopped_count": 1})));
    assert_eq!(node.call_again(stop, "sling-stop", &json!([])), stopped);
}

#[test]
fn a_restart_forgets_once_jobs_and_rests_stored_ones() {
    let mut node = node();
    node.sling_mut().routes.fates = [Fate::Hang, Fate::Hang].into();
    start_once(&mut node, json!({}));
    let stored = job(&node, json!({"scid": scid(&node, 2), "target": 0.9, "amount": 100_000}));
    ok(&mut node, "sling-job", stored);
    ok(&mut node, "sling-go", json!([]));
    assert_eq!(node.sling().in_flight().count(), 2);
    let (waiting, _) = ask(&mut node, "sling-stop", json!([]));
    node.set_extra(Extra::Sling, false);
    let killed = Answer::Now(Err(RpcError::terminated()));
    assert_eq!(node.call_again(waiting, "sling-stop", &json!([])), killed);
    let absent = node.call_now("sling-version", &json!([])).unwrap_err();
    assert_eq!(absent, RpcError::unknown("sling-version"));
    node.set_extra(Extra::Sling, true);
    assert_eq!(node.sling().tasks(), [], "nothing runs");
    assert_eq!(node.sling().jobs().len(), 1, "what is stored stays");
    for hash in node.sling().in_flight().map(|one| one.payment_hash.clone()).collect::<Vec<_>>() {
        assert_eq!(node.end_sling_payment(&hash, true), Some(PaymentEnd::Failed));
    }
    pass(&mut node, 3600.0);
    assert_eq!((node.sling().payments().len(), node.sling().spent_msat()), (2, 0));
    node.sling_mut().options.autogo = true;
    node.restart_sling();
    pass(&mut node, 4.0);
    assert_eq!(node.sling().tasks(), []);
    pass(&mut node, 2.0);
    assert_eq!(node.sling().tasks().len(), 1);
}

#[test]
fn money_that_arrived_before_a_kill_settles_after_it() {
    let mut node = node();
    let before = balances(&node);
    node.sling_mut().routes.fates = [Fate::Settle { after_s: 60.0 }, Fate::Settle { after_s: 60.0 }].into();
    start_once(&mut node, json!({}));
    pass(&mut node, 10.0);
    node.restart_sling();
    pass(&mut node, 100.0);
    let payments = node.sling().payments();
    assert_eq!((payments.len(), payments[0].end), (1, PaymentEnd::Settled));
    assert!(!payments[0].in_stats);
    reconcile(&mut node, &before);
    // Killed before it arrives, it fails.
    start_once(&mut node, json!({}));
    pass(&mut node, 2.0);
    node.restart_sling();
    pass(&mut node, 100.0);
    assert_eq!(node.sling().payments()[1].end, PaymentEnd::Failed);
    assert_eq!(sendpays(&mut node, "failed").len(), 1);
    reconcile(&mut node, &before);
}

#[test]
fn a_stalled_sling_answers_when_the_stall_is_over() {
    let mut node = node();
    node.stall_sling(120.0);
    let (ticket, answer) = ask(&mut node, "sling-stats", json!([true]));
    assert_eq!(answer, Answer::NotYet);
    pass(&mut node, 119.0);
    assert_eq!(node.call_again(ticket, "sling-stats", &json!([true])), Answer::NotYet);
    pass(&mut node, 1.0);
    assert_eq!(node.call_again(ticket, "sling-stats", &json!([true])), Answer::Now(Ok(json!([]))));
}

#[test]
fn failures_on_the_way_cost_nothing_and_are_tried_again() {
    let mut node = node();
    let before = balances(&node);
    node.sling_mut().routes.failure_rate = 0.5;
    start_once(&mut node, json!({"onceamount": 1_000_000}));
    pass(&mut node, 600.0);
    assert_eq!(state(&node), (TaskState::Balanced, false));
    let (complete, failed) = (sendpays(&mut node, "complete"), sendpays(&mut node, "failed"));
    assert_eq!(complete.len(), 20);
    assert!(failed.len() > 5, "{} failed", failed.len());
    assert_eq!(complete.len() + failed.len(), node.sling().payments().len());
    let updates = ok(&mut node, "listsendpays", json!({"index": "updated", "start": 4}));
    let indexes: Vec<u64> = updates["payments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["updated_index"].as_u64().unwrap())
        .collect();
    assert_eq!(indexes, (4..=node.sling().payments().len() as u64).collect::<Vec<_>>());
    reconcile(&mut node, &before);
}

#[test]
fn a_channel_that_closes_ends_its_jobs() {
    let mut node = node();
    start_once(&mut node, json!({"onceamount": 1_000_000}));
    let stored = job(&node, json!({"scid": scid(&node, 2), "amount": 50_000, "target": 0.9}));
    ok(&mut node, "sling-job", stored);
    ok(&mut node, "sling-go", json!([]));
    pass(&mut node, 1.0);
    for index in [0, 2] {
        node.close_channel(index, CloseKind::Mutual);
    }
    pass(&mut node, 60.0);
    let tasks = node.sling().tasks();
    let ends: Vec<(TaskState, bool)> = tasks.iter().map(|task| (task.state, task.active)).collect();
    assert_eq!(ends, [(TaskState::Stopped, false), (TaskState::Error, false)]);
    assert_eq!(node.sling().in_flight().count(), 0);
    assert_eq!(ok(&mut node, "sling-jobsettings", json!([])), json!({}), "jobs are keyed by scid");
}

#[test]
fn a_splice_drops_the_stored_job_of_the_old_name() {
    let mut node = node();
    let params = job(&node, json!({}));
    ok(&mut node, "sling-job", params);
    node.splice(0, 1_000_000_000);
    assert_eq!(ok(&mut node, "sling-jobsettings", json!([])), json!({}));
    assert_eq!(refused(&mut node, "sling-go", json!([])), "No jobs found");
}

#[test]
fn busy_and_distant_channels_are_left_alone() {
    let mut node = node();
    node.hold_htlcs(0, Direction::In, 6, 1000);
    start_once(&mut node, json!({}));
    assert_eq!(state(&node).0, TaskState::HtlcCapped);
    node.release_htlcs(0);
    let peer = node.channels()[0].peer_id.clone();
    node.set_connected(&peer, false);
    pass(&mut node, 10.0);
    assert_eq!(state(&node).0, TaskState::Disconnected);
    node.set_connected(&peer, true);
    node.hold_htlcs(1, Direction::Out, 6, 1000);
    pass(&mut node, 60.0);
    assert_eq!(state(&node).0, TaskState::NoCandidates);
    assert_eq!(node.sling().payments(), []);
    node.release_htlcs(1);
    pass(&mut node, 20.0);
    assert_eq!(node.sling().payments().len(), 2);
}

#[test]
fn parallel_tasks_share_one_amount() {
    let mut node = node();
    let before = balances(&node);
    start_once(&mut node, json!({"onceamount": 500_000, "paralleljobs": 3}));
    pass(&mut node, 1.0);
    assert_eq!(node.sling().in_flight().count(), 3);
    assert_eq!(node.sling().tasks().len(), 3);
    pass(&mut node, 600.0);
    assert_eq!(node.sling().payments().len(), 10);
    reconcile(&mut node, &before);
    let here = scid(&node, 0);
    assert_eq!(ok(&mut node, "sling-stop", json!({"scid": here})), json!({"stopped_count": 3}));
}

#[test]
fn excepted_peers_and_channels_are_avoided() {
    let mut node = node();
    let (ours, peer, me) = (scid(&node, 1), node.channels()[1].peer_id.clone(), node.id.clone());
    let text = "You can't except your own channels. Use the candidate list of a job to restrict those.";
    assert_eq!(refused(&mut node, "sling-except-chan", json!(["add", ours])), text);
    ok(&mut node, "sling-except-chan", json!(["add", "7x7x7"]));
    assert_eq!(
        refused(&mut node, "sling-except-chan", json!(["add", "7x7x7"])),
        "7x7x7 is already in excepts"
    );
    assert_eq!(ok(&mut node, "sling-except-chan", json!({"command": "list"})), json!(["7x7x7"]));
    ok(&mut node, "sling-except-chan", json!(["remove", "7x7x7"]));
    let text = "ShortChannelId 7x7x7 not in excepts, nothing to remove";
    assert_eq!(refused(&mut node, "sling-except-chan", json!(["remove", "7x7x7"])), text);
    assert_eq!(refused(&mut node, "sling-except-peer", json!(["add", me])), "Can't exclude yourself");
    assert_eq!(refused(&mut node, "sling-except-peer", json!(["add", "x"])), "malformed public key");
    ok(&mut node, "sling-except-peer", json!({"command": "add", "id": peer}));
    start_once(&mut node, json!({}));
    assert_eq!(state(&node).0, TaskState::NoRoutes);
    ok(&mut node, "sling-except-peer", json!(["remove", peer]));
    pass(&mut node, 5.0);
    assert_eq!(state(&node).0, TaskState::Rebalancing);
    let there = node.channels()[0].peer_id.clone();
    node.sling_mut().routes.fates.clear();
    pass(&mut node, 60.0);
    let here = scid(&node, 0);
    ok(&mut node, "sling-deletejob", json!([here]));
    let params = job(&node, json!({}));
    ok(&mut node, "sling-job", params);
    let text = "this peer has a job already and can't be an except too";
    assert_eq!(refused(&mut node, "sling-except-peer", json!(["add", there])), text);
}

#[test]
fn deleting_all_needs_the_file_of_jobs() {
    let mut node = node();
    let text = "No such file or directory (os error 2)";
    assert_eq!(refused(&mut node, "sling-deletejob", json!(["all"])), text);
    let params = job(&node, json!({}));
    ok(&mut node, "sling-job", params);
    ok(&mut node, "sling-go", json!([]));
    pass(&mut node, 3600.0);
    ok(&mut node, "sling-deletejob", json!({"job": "all"}));
    assert_eq!((node.sling().tasks(), node.sling().jobs()), (Vec::new(), Vec::new()));
    let here = scid(&node, 0);
    let stats = ok(&mut node, "sling-stats", json!([here, true]));
    assert_eq!(stats["successes_in_time_window"]["total_rebalances"], 4, "statistics stay");
    ok(&mut node, "sling-deletejob", json!([here, true]));
    let stats = ok(&mut node, "sling-stats", json!([here, true]));
    assert_eq!(stats["successes_in_time_window"], json!(null), "unless told otherwise");
}

#[test]
fn money_that_comes_by_the_wrong_channel_is_refused_and_its_peer_left_alone() {
    let mut node = node();
    node.sling_mut().routes.fates = [Fate::Astray { after_s: 4.0 }].into();
    start_once(&mut node, json!({}));
    pass(&mut node, 60.0);
    assert_eq!(state(&node).0, TaskState::PeerBad);
    assert_eq!((node.sling().payments().len(), node.sling().spent_msat()), (1, 0));
    let news = node.take_notifications();
    let failure = &news[0].params["sendpay_failure"]["data"];
    assert_eq!((&failure["failcode"], &failure["erring_node"]), (&json!(4103), &json!(node.id)));
    pass(&mut node, 3500.0);
    assert_eq!(node.sling().payments().len(), 1, "for an hour");
    pass(&mut node, 200.0);
    assert_eq!(node.sling().payments().len(), 3);
}

#[test]
fn a_close_waits_for_the_payment_in_the_channel() {
    for (fate, spent) in [(Fate::Settle { after_s: 100.0 }, 60_015), (Fate::Hang, 0)] {
        let mut node = node();
        let before = balances(&node);
        node.sling_mut().routes.fates = [fate].into();
        start_once(&mut node, json!({"onceamount": 50_000}));
        pass(&mut node, 50.0);
        node.close_channel(1, CloseKind::Mutual);
        assert_eq!((node.sling().in_flight().count(), node.sling().spent_msat()), (0, spent));
        reconcile(&mut node, &before);
    }
}

#[test]
fn its_options_are_in_the_configuration() {
    let mut node = node();
    node.sling_mut().options.timeoutpay_s = 60;
    let configs = ok(&mut node, "listconfigs", json!({}))["configs"].clone();
    assert_eq!(configs["sling-timeoutpay"]["value_int"], 60);
    assert_eq!(configs["sling-depleteuptoamount"]["value_int"], 2_000_000_000);
    assert_eq!(configs["sling-depleteuptopercent"]["value_str"], "0.2");
    assert_eq!(configs["sling-autogo"]["value_bool"], false);
    node.set_extra(Extra::Sling, false);
    let configs = ok(&mut node, "listconfigs", json!({"config": "sling-timeoutpay"}))["configs"].clone();
    assert_eq!(configs, json!({}));
}
