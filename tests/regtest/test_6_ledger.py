"""The books and the node's own records, through payments, a circular payment, a splice and closes.

The tests tell one story, in their order."""

from contextlib import closing

import pytest
import rig
from conftest import HOLD, running
from rig import SAT
from ring import DEPOSIT, PUSHED, Records, Ring, assets

SPLICE_SAT = 300_000
UNDER_WAY = "SENT_ADD_ACK_REVOCATION"
KINDS = ("opening", "closure", "splice", "rebalance")


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    with closing(Ring(tmp_path_factory.mktemp("ring"))) as ring:
        ring.build(hub_options=[f"--plugin={HOLD}"])
        yield ring


@pytest.fixture
def plugin(ring):
    with running(ring.us) as plugin:
        yield plugin


def books(ring, plugin):
    """What the three reports over all channels say, in the words of `records`."""
    call = plugin.node.call
    history = call("revenue-history")
    month = call("revenue-dashboard", window_days=30)
    period, costs = month["period"], call("revenue-report", report_type="costs")
    lifetime = {word: history[f"lifetime_{word}_msat"] for word in ("revenue", "net_profit")}
    return {
        "history": lifetime | {
            "forwards": history["lifetime_forward_count"],
            "costs": {kind: history[f"lifetime_{kind}_costs_msat"] for kind in KINDS},
        },
        "dashboard": {
            "revenue": period["gross_revenue_msat"],
            "net_profit": month["financial_health"]["net_profit_after_opening_msat"],
            "forwards": period["total_forwards"],
            "costs": {kind: period[f"{kind}_cost_msat"] for kind in KINDS},
        },
        "costs": {kind: costs[f"{kind}_costs"]["total_msat"] for kind in KINDS},
        "estimated": costs["sources"]["estimated_msat"],
        "channels": {channel: account(plugin, channel) for channel in set(ring.names.values())},
    }


def account(plugin, channel_id):
    """One channel's own account, in the shape of `Records.channels`; none before the plugin saw it."""
    one = plugin.node.call("revenue-profitability", channel_id=channel_id).get("profitability")
    if one is None:
        return None
    total, filling = (one["costs"][f"{word}_cost_msat"] for word in ("total", "rebalance"))
    return [one["total_revenue_msat"], total - filling, filling]


def records(ring):
    """What the node's lists add up to, in the shape of `books`."""
    node = Records(ring)
    costs = {
        "opening": node.cost("open"),
        "closure": node.cost("close", "sweep"),
        "splice": node.cost("splice"),
        "rebalance": node.rebalances,
    }
    sums = {"revenue": node.revenue, "net_profit": node.net(), "forwards": len(node.forwards), "costs": costs}
    return {
        "history": sums,
        "dashboard": sums,
        "costs": costs,
        "estimated": 0,
        "channels": node.channels(),
    }


def agree(ring, plugin):
    """Waits until both say the same, and returns it."""
    def same():
        theirs, ours = records(ring), books(ring, plugin)
        return ours == theirs and ours

    def net_worth():
        return plugin.node.call("revenue-dashboard")["financial_health"]["tlv_msat"]

    try:
        said, _ = rig.eventually(same, "books that agree with the node")
    except AssertionError as error:
        raise AssertionError(f"{error}\nplugin {books(ring, plugin)}\nnode   {records(ring)}") from None
    # Balances are of the last look at the node, which a forward alone does not bring about.
    plugin.node.call("revenue-cleanup-closed")
    rig.eventually(lambda: net_worth() == assets(ring.us), "the net worth is what the node owns")
    return said


def close_type(plugin, channel_id):
    return plugin.node.call("revenue-profitability", channel_id=channel_id)["life"]["close_type"]


def close_by(ring, answer):
    [txid] = answer["txids"]
    ring.purpose[txid] = "close"
    ring.mine_pending(1, 1)
    ring.settle(5)


def resolved(node):
    accounts = node.call("bkpr-listbalances")["accounts"]
    return sum(account.get("account_resolved", False) for account in accounts)


def assert_nothing_missing(ring):
    """What the node owns is what it was given, plus what it earned, less what it paid: the records that
    the books are held against leave nothing out."""
    records = Records(ring)
    assert assets(ring.us) == DEPOSIT - PUSHED + records.net() - records.wallet_fees()


def test_forwards_and_circular_payments(ring, plugin, fact):
    for number in range(8):
        ring.pay((9_000 + 1_777 * number) * SAT + 123 * number)
    ring.pay(1 * SAT)
    ring.fail()
    ring.circle(50_000 * SAT, fee=13_209)
    plugin.kill()
    for number in range(3):
        ring.pay((20_000 + number) * SAT + 7)
    ring.circle(20_000 * SAT + 1, fee=5_001)
    plugin.start()
    said = agree(ring, plugin)["history"]
    assert said["costs"]["rebalance"] == 13_209 + 5_001 and said["forwards"] == 12
    assert said["costs"]["opening"] > 0
    assert_nothing_missing(ring)
    fact("two channels opened, twelve forwards, two circular payments", said)


def test_a_splice_is_one_channel_with_one_more_cost(ring, plugin, fact):
    us, dst = ring.us, ring.dst
    channel_id, old = us.channel(dst)["channel_id"], us.scid(dst)
    answer = us.call("splicein", channel=channel_id, amount=str(SPLICE_SAT))
    ring.purpose[answer["txid"]] = "splice"
    plugin.kill()
    ring.mine_pending(1, 6)
    ring.wait_usable()
    rig.eventually(lambda: us.scid(dst) != old, "a new short channel id")
    ring.pay(10_000 * SAT + 1)
    plugin.start()
    ring.pay(11_000 * SAT + 1)
    said = agree(ring, plugin)["history"]
    assert said["costs"]["splice"] > 0
    assert_nothing_missing(ring)
    # Whichever of its names is asked for, it is the one channel with all its forwards.
    names = [old, us.scid(dst), channel_id]
    earned = {name: us.cli("revenue-profitability", name)["profitability"]["total_revenue_msat"] for name in names}
    assert set(earned.values()) == {said["revenue"]}, earned
    fact(f"{old} spliced to {us.scid(dst)}", f"{said['costs']['splice']} msat")


def test_a_mutual_close(ring, plugin, fact):
    us, dst = ring.us, ring.dst
    channel_id = us.channel(dst)["channel_id"]
    close_by(ring, us.call("close", id=us.scid(dst)))
    cost = agree(ring, plugin)["costs"]["closure"]
    assert cost > 0 and close_type(plugin, channel_id) == "mutual"
    assert_nothing_missing(ring)
    fact("a mutual close", f"{cost} msat")


def test_a_unilateral_close_with_a_payment_under_way(ring, plugin, fact):
    """The peer is gone while it holds a payment, which has to be brought home from the chain."""
    us, hub = ring.us, ring.hub
    channel_id = us.channel(hub)["channel_id"]
    (hub.dir / "regtest" / "hold").touch()
    before = agree(ring, plugin)["costs"]["closure"]
    ring.start_payment(40_000 * SAT, ring.src, hub)
    rig.eventually(lambda: [h["state"] for h in us.channel(hub)["htlcs"]] == [UNDER_WAY], "a payment at hub")
    hub.kill()
    close_by(ring, us.call("close", id=us.scid(hub), unilateraltimeout=1))
    plugin.kill()
    for _ in range(30):
        ring.settle(1)
    plugin.start()
    rig.eventually(lambda: resolved(us) == 2, "bookkeeper calls both closes resolved")
    cost = agree(ring, plugin)["costs"]["closure"] - before
    assert cost > 0 and {kind for _, kind in Records(ring).costs} == {"open", "splice", "close", "sweep"}
    assert close_type(plugin, channel_id) == "local_unilateral"
    assert_nothing_missing(ring)
    fact("a unilateral close, its sweeps and the payment's", f"{cost} msat")


def test_books_made_afterwards_are_the_same(ring, plugin, tmp_path):
    """A plugin that comes to the node when all is over, and the node has let go of the channels, finds
    everything in its records."""
    ring.settle(100)
    rig.eventually(lambda: len(ring.us.call("listpeerchannels")["channels"]) == 1, "two channels are forgotten")
    lived_through = agree(ring, plugin)
    plugin.stop()
    plugin.start(**{"revenue-ops-db-path": str(tmp_path / "anew.db")})
    try:
        assert agree(ring, plugin) == lived_through
    finally:
        plugin.stop()
        plugin.start()
    assert agree(ring, plugin) == lived_through
