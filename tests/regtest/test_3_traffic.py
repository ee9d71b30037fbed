"""Payments through the node, what is stored of them, and what `dynamic` makes of them."""

import rig
from rig import SAT

def test_stored_forwards_are_the_nodes_forwards(plugin, net, fact):
    for number in range(20):
        net.pay((10_000 + 977 * number) * SAT + number)
        if number % 5 == 0:
            net.pay((3_000 + number) * SAT, net.leaf)
            net.fail()
            net.fail(paid=5_000 * SAT)
    fact("last payment until the stored forwards equal listforwards", plugin.in_step())
    rows = net.us.forwards()
    states = {status: sum(row[1] == status for row in rows.values()) for status in ("settled", "failed", "local_failed")}
    assert states["settled"] >= 24 and states["failed"] >= 4 and states["local_failed"] >= 4
    assert len({row[0] for row in rows.values()}) == 2, "the unannounced channel is among them"
    fact("forwards stored, as in listforwards", states)


def test_the_analysis_adds_up_to_the_msat(plugin, net):
    plugin.in_step()
    settled = {key: row for key, row in net.us.forwards().items() if row[1] == "settled"}
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
        net.pay(2_000 * SAT)
    net.fail()
    plugin.start()
    plugin.in_step()


def test_dynamic_raises_the_fee_of_a_channel_that_runs_dry(plugin, net, fact):
    us, dst = net.us, net.dst
    us.call("revenue-policy", action="batch", updates=[{"peer_id": dst.id, "strategy": "static", "fee_ppm": 120}])
    plugin.wait_fee(dst, 120)
    us.call("revenue-policy", action="batch", updates=[{"peer_id": dst.id, "strategy": "dynamic"}])
    while us.channel(dst)["to_us_msat"] > 0.15 * us.channel(dst)["total_msat"]:
        net.pay(100_000 * SAT)
    plugin.cycle()
    [explained] = us.cli("revenue-fee-debug", us.scid(dst))["channels"]
    decision, fee = explained["last_decision"], us.fee(dst)[0]
    assert (decision["strategy"], decision["verdict"], decision["outcome"]) == ("dynamic", "approved", "applied")
    # It prices from the fee that it found, the static one.
    assert decision["factors"]["base-ppm"] == 120
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
        net.pay(100_000 * SAT, net.src, net.dst)
