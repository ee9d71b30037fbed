//! Whatever is done to sling in whatever order, the books agree.
use super::*;

/// Does something random to the node.
fn disturb(node: &mut NodeState, rng: &mut Rng) {
    let (here, there) = (rng.below(3), rng.below(3));
    let direction = ["pull", "push"][rng.below(2)];
    let changes = json!({
        "scid": scid(node, here), "direction": direction, "candidates": [scid(node, there)],
        "onceamount": 50_000 * (1 + rng.below(6)), "paralleljobs": 1 + rng.below(2),
    });
    let (ticket, target) = (node.ticket(), json!([scid(node, here)]));
    match rng.below(9) {
        0..3 => {
            let params = once(node, changes);
            // Refused at times, as it must be.
            drop(node.call_again(ticket, "sling-once", &params));
        }
        3 => drop(node.call_again(ticket, "sling-stop", &target)),
        4 => drop(node.call_again(ticket, "sling-deletejob", &target)),
        5 => node.restart_sling(),
        6 => node.stall_sling(rng.between(0.0, 200.0)),
        7 => {
            let after_s = rng.between(0.0, 300.0);
            let fates =
                [Fate::Settle { after_s }, Fate::Fail { after_s }, Fate::Hang, Fate::Astray { after_s }];
            node.sling_mut().routes.fates.push_back(fates[rng.below(4)]);
        }
        _ => {
            let peer = node.channels()[here].peer_id.clone();
            let connected = node.channels()[here].connected;
            node.set_connected(&peer, !connected);
        }
    }
    pass(node, rng.between(0.0, 90.0));
}

fn end_all(node: &mut NodeState, rng: &mut Rng) {
    node.set_extra(Extra::Sling, false);
    pass(node, 400.0);
    for hash in node.sling().in_flight().map(|one| one.payment_hash.clone()).collect::<Vec<_>>() {
        node.end_sling_payment(&hash, rng.below(2) == 0);
    }
    assert_eq!(node.sling().in_flight().count(), 0);
}

#[test]
fn the_books_agree_after_any_history() {
    let mut settled = 0;
    for seed in 0..60 {
        let mut rng = Rng::stream(seed, 1);
        let mut node = node();
        let before = balances(&node);
        for _ in 0..40 {
            disturb(&mut node, &mut rng);
            let listed = ok(&mut node, "listsendpays", json!({}))["payments"].as_array().unwrap().len();
            assert_eq!(listed, node.sling().payments().len(), "seed {seed}");
            assert_eq!(sendpays(&mut node, "pending").len(), node.sling().in_flight().count(), "seed {seed}");
        }
        end_all(&mut node, &mut rng);
        reconcile(&mut node, &before);
        settled += node.sling().payments().iter().filter(|one| one.end == PaymentEnd::Settled).count();
        assert!(node.market().htlcs().next().is_none(), "no HTLC is left, seed {seed}");
    }
    assert!(settled > 100, "only {settled} payments settled");
}
