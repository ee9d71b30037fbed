"""HTLC slots that fill up."""

import rig
from conftest import SLOTS
from rig import SAT

HELD = SLOTS * 9 // 10


def test_a_congested_channel_asks_for_the_highest_fee(plugin, net, fact):
    us, dst = net.us, net.dst
    us.call("revenue-policy", action="batch", updates=[{"peer_id": dst.id, "strategy": "static", "fee_ppm": 200}])
    plugin.wait_fee(dst, 200)
    us.call("revenue-policy", action="batch", updates=[{"peer_id": dst.id, "strategy": "dynamic"}])
    plugin.cycle()
    calm = us.fee(dst)[0]
    assert calm == 200
    hold = dst.dir / "regtest" / "hold"
    hold.touch()
    sent = []
    try:
        for _ in range(HELD):
            sent.append(net.start_payment(1_000 * SAT, net.src, dst))
        rig.eventually(lambda: len(us.channel(dst)["htlcs"]) >= HELD, f"{HELD} HTLCs are held")
        analysis = us.cli("revenue-analyze", us.scid(dst))["analysis"]
        assert analysis["is_congested"] and (analysis["active_htlcs_out"], analysis["max_htlcs"]) == (HELD, SLOTS)
        plugin.cycle()
        highest = plugin.status()["config"]["fee_range_ppm"][1]
        [explained] = us.cli("revenue-fee-debug", us.scid(dst))["channels"]
        fact(f"{HELD} of {SLOTS} HTLC slots held", f"{calm} -> {us.fee(dst)[0]} ppm, {explained['last_decision']['reason']}")
        assert us.fee(dst)[0] == highest and explained["last_decision"]["reason"] == "congestion"
    finally:
        hold.unlink()
    for payment_hash in sent:
        net.src.call("waitsendpay", payment_hash=payment_hash, timeout=60)
    plugin.cycle()
    fact("the HTLCs gone", f"{us.fee(dst)[0]} ppm")
    assert us.fee(dst)[0] < highest
