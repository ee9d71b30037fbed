//! What jobs do, and what is refused.
use super::*;

#[test]
fn a_once_job_moves_its_amount_and_ends() {
    let mut node = node();
    let before = balances(&node);
    let params = once(&node, json!({}));
    assert_eq!(ok(&mut node, "sling-once", params), json!({"result": "started"}));
    assert_eq!(state(&node), (TaskState::Rebalancing, true));
    let pending = sendpays(&mut node, "pending");
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0]["amount_sent_msat"], 50_060_015);
    assert!(pending[0].get("completed_at").is_none() && pending[0].get("payment_preimage").is_none());
    let peers = ok(&mut node, "listpeerchannels", json!({}));
    assert_eq!(peers["channels"][1]["htlcs"][0]["amount_msat"], 50_060_015);
    pass(&mut node, 60.0);
    assert_eq!(state(&node), (TaskState::Balanced, false));
    assert_eq!(node.balance_msat(0), before[0] + 100_000_000);
    assert_eq!(node.balance_msat(1), before[1] - 100_120_030);
    let payments = node.sling().payments().to_vec();
    assert_eq!(payments.len(), 2);
    let first = &payments[0];
    assert_eq!((first.job.to_string(), first.candidate.to_string()), (scid(&node, 0), scid(&node, 1)));
    assert_eq!((first.amount_msat, first.fee_msat, first.once), (50_000_000, 60_015, true));
    assert_eq!((first.sent_unix_s, first.ended_unix_s), (START, Some(START + 3.0)));
    assert!(first.in_stats && payments[1].sent_unix_s > START + 3.0, "one at a time");
    reconcile(&mut node, &before);
    pass(&mut node, 86_400.0);
    assert_eq!(node.sling().payments().len(), 2, "it is over");
}

#[test]
fn a_payment_is_told_as_lightningd_tells_it() {
    let mut node = node();
    let params = once(&node, json!({"onceamount": 50_000}));
    ok(&mut node, "sling-once", params);
    pass(&mut node, 30.0);
    let news = node.take_notifications();
    let told: Vec<&str> = news.iter().map(|news| news.topic).collect();
    assert_eq!(told, ["coin_movement", "sendpay_success", "coin_movement"]);
    let hash = &node.sling().payments()[0].payment_hash;
    for one in &news {
        assert_eq!(one.params[one.topic]["payment_hash"], json!(hash));
    }
    let (credit, debit) = (&news[0].params["coin_movement"], &news[2].params["coin_movement"]);
    assert_eq!((&credit["credit_msat"], &credit["fees_msat"]), (&json!(50_000_000), &json!(0)));
    assert_eq!((&debit["debit_msat"], &debit["fees_msat"]), (&json!(50_060_015), &json!(60_015)));
    node.sling_mut().routes.fates = [Fate::Fail { after_s: 2.0 }].into();
    let params = once(&node, json!({"onceamount": 50_000}));
    ok(&mut node, "sling-once", params);
    pass(&mut node, 2.0);
    let news = node.take_notifications();
    assert_eq!((news.len(), news[0].topic), (1, "sendpay_failure"));
    let failure = &news[0].params["sendpay_failure"];
    assert_eq!((&failure["code"], &failure["data"]["status"]), (&json!(204), &json!("failed")));
    assert_eq!(failure["data"]["failcodename"], "WIRE_TEMPORARY_CHANNEL_FAILURE");
}

#[test]
fn a_push_drains_its_channel() {
    let mut node = node();
    let before = balances(&node);
    let changes = json!({"scid": scid(&node, 1), "direction": "push", "candidates": [scid(&node, 0)]});
    let params = once(&node, changes);
    ok(&mut node, "sling-once", params);
    pass(&mut node, 60.0);
    assert_eq!(node.balance_msat(0), before[0] + 100_000_000);
    assert_eq!(node.balance_msat(1), before[1] - 100_120_030);
    reconcile(&mut node, &before);
}

#[test]
fn a_once_job_never_gives_up_by_itself() {
    let too_dear = RouteCost::Fixed { base_msat: 0, ppm: 5001 };
    for (cost, changes, expected) in [
        (RouteCost::None, json!({}), TaskState::NoRoutes),
        (too_dear, json!({}), TaskState::NoCheapRoute),
        (PATH, json!({"candidates": ["1x1x1"]}), TaskState::NoCandidates),
        (PATH, json!({"depleteuptopercent": 0.95, "depleteuptoamount": 90_000_000}), TaskState::NoCandidates),
    ] {
        let mut node = node();
        node.sling_mut().routes.cost = cost;
        let params = once(&node, changes);
        ok(&mut node, "sling-once", params);
        pass(&mut node, 3.0 * 3600.0);
        assert_eq!(state(&node), (expected, true));
        assert_eq!(node.sling().payments(), []);
        // With a way it goes on, after the long sleep over a price too.
        node.sling_mut().routes.cost = PATH;
        pass(&mut node, 700.0);
        let done = expected != TaskState::NoCandidates;
        assert_eq!(node.sling().payments().len(), if done { 2 } else { 0 });
    }
}

#[test]
fn a_route_costs_at_most_maxppm() {
    for (maxppm, sent) in [(1200, 0), (1201, 2)] {
        let mut node = node();
        let params = once(&node, json!({"maxppm": maxppm}));
        ok(&mut node, "sling-once", params);
        pass(&mut node, 60.0);
        assert_eq!(node.sling().payments().len(), sent, "maxppm {maxppm}");
    }
}

#[test]
fn only_the_share_keeps_a_candidate_from_depletion_by_default() {
    // The default amount, 2,000,000 sat, is misread as 20 BTC: 20 % of 10 M sat are kept anyhow.
    for (version, candidates) in [(SlingVersion::V4_2, 0), (SlingVersion::V3_0, 1)] {
        let mut node = node();
        node.sling_mut().set_version(version);
        node.sling_mut().options.depleteuptopercent = 0.5;
        node.set_balance_msat(1, 4_000_000_000);
        let params = job(&node, json!({}));
        ok(&mut node, "sling-job", params);
        ok(&mut node, "sling-go", json!([]));
        let sent = node.sling().payments().len();
        assert_eq!(sent, candidates, "{version:?}");
    }
}

#[test]
fn the_cheapest_candidate_pays_and_prices_filter() {
    let mut node = node();
    node.set_balance_msat(2, 8_000_000_000);
    node.sling_mut().routes.pairs.insert((2, 0), RouteCost::Fixed { base_msat: 0, ppm: 300 });
    let params = once(&node, json!({"candidates": null, "outppm": 1_000_000}));
    ok(&mut node, "sling-once", params);
    assert_eq!(node.sling().payments()[0].candidate, node.channels()[2].scid);
    let mut node = super::node();
    let params = once(&node, json!({"candidates": null, "outppm": 1}));
    ok(&mut node, "sling-once", params);
    assert_eq!(state(&node).0, TaskState::NoCandidates, "all of ours ask more");
}

#[test]
fn what_a_once_job_may_not_be_is_refused() {
    let mut node = node();
    let here = scid(&node, 0);
    for (changes, message) in [
        (json!({"scid": null}), "Missing scid"),
        (json!({"scid": 7}), "invalid string for scid"),
        (json!({"scid": "here"}), "Malformed short_channel_id: here"),
        (json!({"scid": "1x1"}), "Malformed short_channel_id: element count mismatch"),
        (json!({"scid": "1x1x1"}), "Channel not found"),
        (json!({"direction": "up"}), "could not parse flow direction from `up`"),
        (json!({"amount": "50000"}), "amount must be a positive integer"),
        (json!({"amount": -1}), "amount must be a positive integer"),
        (json!({"amount": 0}), "amount must be greater than 0"),
        (json!({"maxppm": "5000"}), "maxppm must be an integer"),
        (json!({"maxppm": 5_000_000_000u64}), "out of range integral type conversion attempted"),
        (json!({"onceamount": null}), "Missing onceamount"),
        (
            json!({"onceamount": 70_000}),
            "onceamount must be a multiple of amount. onceamount: 70000, amount: 50000",
        ),
        (json!({"target": 0.5}), "`target` can not be used with `sling-once`"),
        (json!({"label": "x"}), "Invalid argument: label"),
        (json!({"maxhops": 1}), "maxhops must be atleast 2"),
        (json!({"depleteuptopercent": 1.0}), "depleteuptopercent must be between 0.0 and <1.0"),
        (json!({"depleteuptopercent": "0.1"}), "depleteuptopercent must be a floating point"),
        (json!({"paralleljobs": 0}), "paralleljobs must be atleast 1"),
        (json!({"candidates": "1x1x1"}), "Invalid array for candidate list"),
        (json!({"candidates": [1]}), "invalid string for channel id in candidate list"),
        (json!({"candidates": null}), "Atleast one of outppm and candidatelist must be set."),
    ] {
        let params = once(&node, changes.clone());
        assert_eq!(refused(&mut node, "sling-once", params), message, "{changes}");
    }
    let too_much = once(&node, json!({"onceamount": 9_000_000}));
    let message = format!("Channel {here} has not enough capacity to pull 9000000000msat");
    assert_eq!(refused(&mut node, "sling-once", too_much), message);
    assert_eq!(
        refused(&mut node, "sling-once", json!([here])),
        format!("Expected an object! Got [\"{here}\"] instead")
    );
    assert_eq!(node.sling().tasks(), []);
}

#[test]
fn jobs_of_one_channel_exclude_each_other() {
    let mut node = node();
    let (stored, params) = (job(&node, json!({})), once(&node, json!({"onceamount": 50_000})));
    ok(&mut node, "sling-job", stored.clone());
    assert_eq!(refused(&mut node, "sling-once", params.clone()), "There is already a job for that scid!");
    let there = scid(&node, 0);
    ok(&mut node, "sling-deletejob", json!([there]));
    ok(&mut node, "sling-once", params.clone());
    let again = refused(&mut node, "sling-once", params.clone());
    assert_eq!(again, "There is already a job for that scid running!");
    let running = refused(&mut node, "sling-job", stored);
    assert_eq!(running, "Once-job is currently running for this channel");
    // Whoever is being filled can't give, until the next look at the stored jobs forgets it.
    let other = once(&node, json!({"scid": scid(&node, 2), "candidates": [there], "onceamount": 50_000}));
    let message = format!("candidate {there} has a pull-job that rebalances in the other direction!");
    assert_eq!(refused(&mut node, "sling-once", other.clone()), message);
    ok(&mut node, "sling-jobsettings", json!([]));
    ok(&mut node, "sling-once", other);
    pass(&mut node, 60.0);
    // A finished one leaves its entry until it is deleted.
    assert_eq!(state(&node), (TaskState::Balanced, false));
    ok(&mut node, "sling-deletejob", json!([there]));
    assert!(node.sling().tasks().iter().all(|task| task.scid.to_string() != there));
}

#[test]
fn a_stored_job_runs_to_its_target_once_started() {
    let mut node = node();
    let before = balances(&node);
    let params = job(&node, json!({}));
    ok(&mut node, "sling-job", params);
    pass(&mut node, 3600.0);
    assert_eq!(node.sling().payments(), [], "stored, not started");
    let answer = ok(&mut node, "sling-go", json!([]));
    assert_eq!(answer, json!({"tasks_started": 1, "tasks_failed_start:": 0}));
    pass(&mut node, 3600.0);
    assert_eq!(state(&node), (TaskState::Balanced, true));
    assert_eq!(node.balance_msat(0), before[0] + 2_000_000_000);
    reconcile(&mut node, &before);
    let there = scid(&node, 0);
    node.set_balance_msat(0, 1_000_000_000);
    assert_eq!(ok(&mut node, "sling-stop", json!([there])), json!({"stopped_count": 1}));
    assert_eq!(state(&node), (TaskState::Stopped, false));
    let sent = node.sling().payments().len();
    pass(&mut node, 7200.0);
    assert_eq!(node.sling().payments().len(), sent, "stopped");
}

#[test]
fn old_versions_have_their_own_forms() {
    let mut node = node();
    node.sling_mut().set_version(SlingVersion::V3_0);
    let (here, candidate) = (scid(&node, 0), scid(&node, 1));
    assert_eq!(ok(&mut node, "sling-version", json!([])), json!({"version": "v3.0.6"}));
    assert_eq!(node.call_now("sling-once", &json!({})).unwrap_err(), RpcError::unknown("sling-once"));
    let params = job(&node, json!({"depleteuptoamount": 7}));
    ok(&mut node, "sling-job", params.clone());
    let settings = ok(&mut node, "sling-jobsettings", json!([]));
    assert_eq!(settings[&here]["candidatelist"], json!([candidate]));
    assert_eq!(settings[&here]["depleteuptoamount"], 7000);
    for (method, text) in [
        ("sling-go", "sling-go: invalid arguments, expected array, got: {}"),
        ("sling-stop", "sling-stop: invalid arguments, expected array, got: {}"),
        ("sling-deletejob", "sling-deletejob: invalid arguments, expected array, got {}"),
        ("sling-stats", "sling-stats: invalid arguments, expected array, got: {}"),
        ("sling-jobsettings", "Invalid: Please provide exactly one short_channel_id or nothing for all"),
        ("sling-except-chan", "sling-exceptchan: invalid arguments, expected array, got {}"),
        ("sling-except-peer", "sling-exceptpeer: invalid arguments, expected array, got {}"),
    ] {
        assert_eq!(refused(&mut node, method, json!({})), text);
    }
    assert_eq!(refused(&mut node, "sling-stop", json!([here])), format!("{here}: No job running"));
    assert_eq!(ok(&mut node, "sling-go", json!([])), json!({"jobs_started": 1}));
    pass(&mut node, 3600.0);
    assert_eq!(ok(&mut node, "sling-stats", json!([true]))[0]["rebamount"], "2,000,000");
    assert_eq!(ok(&mut node, "sling-stats", json!([here]))["failures_in_time_window"], json!(null));
    node.sling_mut().set_version(SlingVersion::V2_0);
    assert_eq!(refused(&mut node, "sling-stats", json!([true])), "invalid short_channel_id");
    let gone = json!({"scid": "1x1x1", "direction": "pull", "amount": 1, "maxppm": 1, "outppm": 1});
    let message = "Could not find channel or not in CHANNELD_NORMAL state: 1x1x1";
    assert_eq!(refused(&mut node, "sling-job", gone), message);
}

#[test]
fn arguments_come_by_place_and_by_name() {
    let mut node = node();
    assert_eq!(refused(&mut node, "sling-go", json!([])), "No jobs found");
    let params = job(&node, json!({}));
    ok(&mut node, "sling-job", params);
    let one_or_none = "Please provide exactly one ShortChannelId or nothing";
    let one_or_all = "Please provide exactly one ShortChannelId or nothing for all";
    let deletes = "Invalid amount of arguments: Please provide exactly one ShortChannelId or `all` and \
                   optionally if you want to delete the stats";
    let no_flag = "invalid `json` flag, not a bool. Use `true` or `false`";
    for (method, params, message) in [
        ("sling-go", json!(["1x1x1"]), "Shortchannelid not found in jobs"),
        ("sling-go", json!([1]), "invalid ShortChannelId"),
        ("sling-go", json!(["1x1x1", "1x1x1"]), one_or_none),
        ("sling-go", json!({"id": "1x1x1"}), "invalid scid"),
        ("sling-stop", json!([true]), "invalid ShortChannelId"),
        ("sling-stop", json!({"scid": 1}), "invalid scid"),
        ("sling-stop", json!(["all"]), "Malformed short_channel_id: all"),
        ("sling-jobsettings", json!(["1x1x1"]), "channel not found"),
        ("sling-jobsettings", json!([1]), "invalid input, not a string"),
        ("sling-jobsettings", json!(["1x1x1", "1x1x1"]), one_or_all),
        ("sling-jobsettings", json!({"scid": 1}), "invalid scid, not a string"),
        ("sling-jobsettings", json!({"id": 1}), "Expected object with scid field"),
        ("sling-deletejob", json!([]), deletes),
        ("sling-deletejob", json!([1]), "invalid string for deleting job(s)"),
        ("sling-deletejob", json!({"scid": "1x1x1"}), "invalid string for deleting job(s)"),
        ("sling-deletejob", json!(["all", 1]), "invalid type for deleting stats boolean"),
        ("sling-stats", json!([1]), "invalid short_channel_id"),
        ("sling-stats", json!(["1x1x1", 1]), no_flag),
        ("sling-stats", json!({"json": "true"}), no_flag),
        ("sling-stats", json!([1, 2, 3]), "Too many arguments, please only provide `scid` and/or `json`"),
    ] {
        assert_eq!(refused(&mut node, method, params.clone()), message, "{method} {params}");
    }
    assert_eq!(node.sling().jobs().len(), 1, "nothing was changed");
    assert_eq!(ok(&mut node, "sling-stop", json!(["1x1x1"])), json!({"stopped_count": 0}));
    let here = scid(&node, 0);
    let rows = ok(&mut node, "sling-stats", json!([true]));
    assert_eq!(
        (&rows[0]["status"], &rows[0]["last_success_reb"]),
        (&json!(["1:NotStarted"]), &json!("Never"))
    );
    let table = ok(&mut node, "sling-stats", json!({}));
    assert!(table["result"].as_str().unwrap().contains("1:NotStarted"), "{table}");
    for params in [json!([here]), json!({"scid": here})] {
        assert_eq!(ok(&mut node, "sling-go", params.clone())["tasks_started"], 1);
        assert_eq!(ok(&mut node, "sling-jobsettings", params.clone())[&here]["maxppm"], 5000);
        pass(&mut node, 7200.0);
        assert_eq!(ok(&mut node, "sling-stop", params), json!({"stopped_count": 1}));
    }
}
