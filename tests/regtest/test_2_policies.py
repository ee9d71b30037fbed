"""Policies by lightning-cli, seen on the node and in other nodes' gossip."""

import json

import pytest
import rig

# How one and the same wish is put, each with its own fee: `{id}` is the peer.
FORMS = {
    "positional": ["set", "{id}", "static", "enabled", "301"],
    "k=v after positional": ["set", "{id}", "strategy=static", "fee_ppm=302"],
    "k=v in another order": ["set", "fee_ppm=303", "strategy=static", "peer_id={id}"],
    "-k": ["-k", "action=set", "peer_id={id}", "strategy=static", "fee_ppm=304"],
    "-k, number as text": ["-k", "action=set", "peer_id={id}", "strategy=static", 'fee_ppm="305"'],
    "-k, upper-case id": ["-k", "action=set", "peer_id={ID}", "strategy=static", "fee_ppm=306"],
    "-k, tags as JSON": ["-k", "action=set", "peer_id={id}", "strategy=static", "fee_ppm=307", 'tags=["a","b"]'],
    "tags as JSON text": ["set", "{id}", "strategy=static", "fee_ppm=308", 'tags=["a","b"]'],
    "-o": ["-o", "set", "{id}", "strategy=static", "fee_ppm=309"],
    "batch, JSON": ["-k", "action=batch", 'updates=[{"peer_id":"{id}","strategy":"static","fee_ppm":310}]'],
    "batch, JSON text": ["batch", 'updates=[{"peer_id":"{id}","strategy":"static","fee_ppm":"311"}]'],
    "batch, quoted JSON": ["batch", r'"[{\"peer_id\":\"{id}\",\"strategy\":\"static\",\"fee_ppm\":312}]"'],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_arguments(plugin, net, form):
    # By turns, since one peer's policy may change ten times a minute.
    peer = net.src if list(FORMS).index(form) % 2 else net.dst
    words = [word.replace("{id}", peer.id).replace("{ID}", peer.id.upper()) for word in FORMS[form]]
    fee = 301 + list(FORMS).index(form)
    answer = plugin.policy(*words)
    policy = answer["policies"][0] if "batch" in form else answer["policy"]
    assert (policy["peer_id"], policy["strategy"], policy["fee_ppm_target"]) == (peer.id, "static", fee)
    if "tags" in form:
        assert policy["tags"] == ["a", "b"]
    plugin.wait_fee(peer, fee)


def set_quietly(net, peer, **wish):
    """Through `batch`, which burns none of a peer's changes per minute."""
    updates = [{"peer_id": peer.id, **wish}]
    answer = net.us.call("revenue-policy", action="batch", updates=updates)
    assert answer["status"] == "success", answer


def test_static_reaches_the_node_and_the_gossip_of_others(plugin, net, fact):
    scid = net.us.scid(net.dst)
    plugin.policy("set", net.dst.id, "strategy=static", "fee_ppm=432")
    fact("policy set until the fee is in force on the node", plugin.wait_fee(net.dst, 432))
    for node in (net.dst, net.src, net.leaf):
        took = rig.eventually(lambda: node.gossip_fee(net.us, scid) == (432, 0), f"432 ppm in {node.name}'s gossip")[1]
        fact(f"... then until it is in {node.name}'s gossip", took)


def test_an_unannounced_channel_is_set_too(plugin, net):
    set_quietly(net, net.leaf, strategy="static", fee_ppm=222)
    plugin.wait_fee(net.leaf, 222)
    updates = net.leaf.channel(net.us)["updates"]["remote"]
    rig.eventually(
        lambda: net.leaf.channel(net.us)["updates"]["remote"]["fee_proportional_millionths"] == 222,
        f"the peer of the unannounced channel is told (it has {updates})",
    )


def test_a_fleet_member_is_free_within_seconds(plugin, net, fact):
    """The calls that cl-hive makes, the way it makes them: `lightning-cli -k`, 5 s at most."""
    scid = net.us.scid(net.dst)
    set_quietly(net, net.dst, strategy="static", fee_ppm=150)
    plugin.wait_fee(net.dst, 150)
    _, asked = rig.eventually(lambda: plugin.status(), "revenue-status")
    version = [int(part) for part in plugin.status()["version"].lstrip("v").split(".")]
    assert asked < 5 and version >= [1, 4, 0]
    paths = [entry["name"] for entry in net.us.call("plugin", subcommand="list")["plugins"]]
    assert [path for path in paths if rig.PLUGIN_NAME in path] == [str(plugin.program)]

    member = ["-k", "action=set", f"peer_id={net.dst.id}", "strategy=hive", "rebalance=enabled"]
    (answer, took) = rig.eventually(lambda: plugin.policy(*member), "an answer")
    assert took < 5 and answer["policy"]["rebalance_mode"] == "enabled"
    fact("hive member: until 0 ppm is in force", plugin.wait_fee(net.dst, 0))
    took = rig.eventually(lambda: net.src.gossip_fee(net.us, scid) == (0, 0), "0 ppm in the gossip")[1]
    fact("hive member: ... then until 0 ppm is in a third node's gossip", took)
    listed = net.us.cli("-k", "revenue-policy", "action=list")["policies"]
    assert [policy["strategy"] for policy in listed if policy["peer_id"] == net.dst.id] == ["hive"]

    # The member leaves: the host takes the fee back into its bounds by itself.
    plugin.policy("-k", "action=set", f"peer_id={net.dst.id}", "strategy=dynamic")
    rig.eventually(lambda: net.us.fee(net.dst)[0] >= 10, "a fee within the bounds again")
    # cl-hive may name our own node, too.
    plugin.policy("-k", "action=set", f"peer_id={net.us.id}", "strategy=dynamic")


def test_passive_leaves_the_fee_to_others(plugin, net):
    set_quietly(net, net.dst, strategy="passive")
    net.us.call("setchannel", id=net.us.scid(net.dst), feebase=7, feeppm=777)
    cycle = plugin.cycle()
    assert cycle["channels"] == 3 and net.us.fee(net.dst) == (777, 7)
    scid = net.us.scid(net.dst)
    rig.eventually(lambda: net.src.gossip_fee(net.us, scid) == (777, 7), "the operator's own fee in the gossip")
    # As soon as it is static, the fee is the policy's again.
    set_quietly(net, net.dst, strategy="static", fee_ppm=260)
    plugin.wait_fee(net.dst, 260)


def test_set_fee_obeys_the_bounds_unless_forced(plugin, net):
    us, scid = net.us, net.us.scid(net.dst)
    set_quietly(net, net.dst, strategy="passive")
    assert us.cli("revenue-set-fee", scid, "480")["outcome"] == "applied"
    assert us.fee(net.dst)[0] == 480
    refused = us.cli("-k", "revenue-set-fee", f"channel_id={scid}", "fee_ppm=6000")
    assert refused["status"] == "error" and "5000" in refused["error"] and us.fee(net.dst)[0] == 480
    forced = us.cli("-k", "revenue-set-fee", f"channel_id={scid}", 'fee_ppm="6000"', 'force="true"')
    assert forced["status"] == "success" and us.fee(net.dst)[0] == 6000
    assert us.cli("revenue-set-fee", scid, "481", "force=false")["status"] == "success"
    assert us.fee(net.dst)[0] == 481


def test_errors_are_answers_and_change_nothing(plugin, net):
    set_quietly(net, net.dst, strategy="static", fee_ppm=333)
    plugin.wait_fee(net.dst, 333)
    wrong = [
        ["set", "02" * 20, "strategy=static"],
        ["set", net.dst.id, "strategy=no-such-module"],
        ["set", net.dst.id, "strategy=static", "fee_ppm=lots"],
        ["set", net.dst.id, "strategy=static", "colour=red"],
        ["batch", "updates=" + json.dumps([{"peer_id": net.dst.id, "fee_ppm": 1}, {"peer_id": "nobody"}])],
    ]
    for words in wrong:
        answer = net.us.cli("revenue-policy", *words)
        assert answer["status"] == "error" and answer["error"], words
    assert plugin.cycle()["applied"] == 0
    assert net.us.fee(net.dst)[0] == 333
