"""Payments through the node, what is stored of them, and what `dynamic` makes of them."""

import secrets

import rig

SAT = 1000


def listed(node):
    """`listforwards` in the shape in which the plugin's rows are read."""
    def amounts(row):
        out = row.get("out_msat")
        return int(row["in_msat"]), int(out) if out is not None else 0, int(row.get("fee_msat", 0))

    return {
        (row["in_channel"], row["in_htlc_id"]): (row.get("out_channel"), row["status"], *amounts(row))
        for row in node.call("listforwards")["forwards"]
    }


def in_step(plugin, node):
    return rig.eventually(lambda: plugin.forwards() == listed(node), "stored forwards equal listforwards")[1]


def fail_downstream(net):
    """The receiver knows no such invoice."""
    payment_hash = secrets.token_hex(32)
    net.send(net.dst, 5_000 * SAT, payment_hash, secrets.token_hex(32))
    ended(net, payment_hash)


def fail_here(net):
    """A payment that offers us no fee."""
    payment_hash, msat = secrets.token_hex(32), 5_000 * SAT
    hops = [
        {"id": net.us.id, "channel": net.src.scid(net.us), "amount_msat": msat, "delay": 30, "style": "tlv"},
        {"id": net.dst.id, "channel": net.us.scid(net.dst), "amount_msat": msat, "delay": 18, "style": "tlv"},
    ]
    net.src.call("sendpay", route=hops, payment_hash=payment_hash, payment_secret="00" * 32)
    ended(net, payment_hash)


def ended(net, payment_hash):
    def failed():
        payments = net.src.call("listsendpays", payment_hash=payment_hash)["payments"]
        return [payment for payment in payments if payment["status"] == "failed"]

    rig.eventually(failed, "the payment failed")


def test_stored_forwards_are_the_nodes_forwards(plugin, net, fact):
    for number in range(20):
        net.pay(net.dst, (10_000 + 977 * number) * SAT + number)
        if number % 5 == 0:
            net.pay(net.leaf, (3_000 + number) * SAT)
            fail_downstream(net)
            fail_here(net)
    fact("last payment until the stored forwards equal listforwards", in_step(plugin, net.us))
    rows = listed(net.us)
    states = {status: sum(row[1] == status for row in rows.values()) for status in ("settled", "failed", "local_failed")}
    assert states["settled"] >= 24 and states["failed"] >= 4 and states["local_failed"] >= 4
    assert net.us.scid(net.leaf) in {row[0] for row in rows.values()}, "the unannounced channel is named by its alias"
    fact("forwards stored, as in listforwards", states)


def test_the_analysis_adds_up_to_the_msat(plugin, net):
    in_step(plugin, net.us)
    settled = {key: row for key, row in listed(net.us).items() if row[1] == "settled"}
    analyses = {one["full_channel_id"]: one for one in net.us.call("revenue-analyze")["analyses"]}
    for peer in (net.src, net.dst, net.leaf):
        channel = net.us.channel(peer)
        names = {channel.get("short_channel_id"), channel.get("alias", {}).get("local")}
        analysis = analyses[channel["channel_id"]]
        assert analysis["in_msat"] == sum(row[2] for key, row in settled.items() if key[0] in names)
        assert analysis["out_msat"] == sum(row[3] for row in settled.values() if row[0] in names)
        # One channel alone is named by its short channel id.
        alone = net.us.cli("revenue-analyze", net.us.scid(peer))["analysis"]
        assert (alone["in_msat"], alone["out_msat"]) == (analysis["in_msat"], analysis["out_msat"])


def test_forwards_made_while_the_plugin_was_away_are_found(plugin, net):
    plugin.stop()
    for _ in range(5):
        net.pay(net.dst, 2_000 * SAT)
    fail_downstream(net)
    plugin.start()
    in_step(plugin, net.us)


def test_dynamic_raises_the_fee_of_a_channel_that_runs_dry(plugin, net, fact):
    us, dst = net.us, net.dst
    us.call("revenue-policy", action="batch", updates=[{"peer_id": dst.id, "strategy": "static", "fee_ppm": 120}])
    plugin.wait_fee(dst, 120)
    us.call("revenue-policy", action="batch", updates=[{"peer_id": dst.id, "strategy": "dynamic"}])
    while us.channel(dst)["to_us_msat"] > 0.15 * us.channel(dst)["total_msat"]:
        net.pay(dst, 100_000 * SAT)
    plugin.cycle()
    [explained] = us.cli("revenue-fee-debug", us.scid(dst))["channels"]
    decision, fee = explained["last_decision"], us.fee(dst)[0]
    assert (decision["strategy"], decision["verdict"], decision["outcome"]) == ("dynamic", "approved", "applied")
    assert decision["factors"]["scarcity"] > 1.05 and decision["reason"] == "scarcity"
    assert decision["approved_ppm"] == fee and 120 < fee <= 5000
    scid = us.scid(dst)
    rig.eventually(lambda: net.src.gossip_fee(us, scid) == (fee, 0), "the raised fee in the gossip")
    fact(f"dynamic at {explained['local_share']:.0%} left on our side", f"120 -> {fee} ppm, {decision['factors']}")
    # Explaining changes nothing, and the price does not climb by being looked at.
    us.cli("revenue-fee-debug")
    plugin.cycle()
    assert us.fee(dst)[0] == fee
    # Back, so that other tests can send.
    for _ in range(10):
        refill(net, 100_000 * SAT)


def refill(net, msat):
    """One payment the other way round, dst -> us -> src."""
    invoice = net.src.call("invoice", amount_msat=msat, label=secrets.token_hex(8), description="rig")
    hops = [
        {"id": net.us.id, "channel": net.dst.scid(net.us), "amount_msat": msat + msat // 33, "delay": 30, "style": "tlv"},
        {"id": net.src.id, "channel": net.us.scid(net.src), "amount_msat": msat, "delay": 18, "style": "tlv"},
    ]
    net.dst.call("sendpay", route=hops, payment_hash=invoice["payment_hash"], payment_secret=invoice["payment_secret"])
    net.dst.call("waitsendpay", payment_hash=invoice["payment_hash"], timeout=60)
