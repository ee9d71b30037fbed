"""Rebalances by the real sling: what they cost, what ends them, and what a dead plugin leaves.

The one route is us -> dst -> hub -> us; dst and hub ask 1 msat and 100 ppm each for it."""

import math
import os
import shutil
from contextlib import closing

import pytest
import rig
from conftest import running
from rig import SAT
from ring import Ring

PROGRAM = shutil.which(os.environ.get("SLING", "sling"))
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="regtest: sling was not found (SLING=/path/to/sling)")
PAYMENT_SAT = 50_000
# What a payment costs by what the nodes on the way ask, in sling's sums, which round up, msat.
HUB_FEE = 1 + math.ceil(PAYMENT_SAT * SAT / 10_000)
DST_FEE = 1 + math.ceil((PAYMENT_SAT * SAT + HUB_FEE) / 10_000)


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    with closing(Ring(tmp_path_factory.mktemp("sling"))) as ring:
        ring.build(us_options=[f"--plugin={PROGRAM}"])
        yield ring


@pytest.fixture
def plugin(ring):
    with running(ring.us) as plugin:
        for key, value in {"sling_chunk_size_sats": PAYMENT_SAT, "daily_budget_sats": 5_000}.items():
            ring.us.call("revenue-config", action="set", key=key, value=value)
        # Until sling knows both channels' fees, it finds no route.
        known = {ring.us.scid(ring.hub), ring.dst.scid(ring.hub), ring.us.scid(ring.dst)}
        gossip = lambda: {channel["short_channel_id"] for channel in ring.us.rpc.listchannels()["channels"]}
        rig.eventually(lambda: known <= gossip(), "the ring in the gossip")
        rig.eventually(lambda: plugin.status()["rebalancer"]["state"] == "usable", "sling is seen")
        yield plugin


def fill(ring, amount_sat, **wish):
    """Asks for a rebalance from dst to hub."""
    ends = {"from_channel": ring.us.scid(ring.dst), "to_channel": ring.us.scid(ring.hub)}
    return ring.us.call("revenue-rebalance", **ends, amount_sats=amount_sat, **wish)


def settled(plugin, job, deadline=rig.DEADLINE):
    """The job, once it is settled."""
    def look():
        status = plugin.status()
        rows = [row for row in status["recent_rebalances"] if row["id"] == job]
        return not status["rebalance_jobs"] and rows and rows[0]["status"] != "pending" and rows[0]

    return rig.eventually(look, f"job {job} is settled", deadline)[0]


def payments(node):
    """Payments of the node to itself: {hash: (amount, fee)}."""
    own = [row for row in node.call("listsendpays", status="complete")["payments"] if row.get("destination") == node.id]
    return {
        row["payment_hash"]: (int(row["amount_msat"]), int(row["amount_sent_msat"]) - int(row["amount_msat"]))
        for row in own
    }


def booked(plugin):
    return plugin.node.call("revenue-history")["lifetime_rebalance_costs_msat"]


def wait_booked(plugin):
    """Waits until the books have what the node paid to itself."""
    def same():
        return booked(plugin) == sum(fee for _, fee in payments(plugin.node).values())

    rig.eventually(same, "the books have every payment")


def assert_sling_is_clear(node):
    """No job and no task of ours is left in sling, and no payment is under way."""
    rig.eventually(lambda: node.call("sling-stats", json=True) == [], "no task is left in sling")
    assert node.call("sling-jobsettings") == {}
    assert not node.call("listsendpays", status="pending")["payments"]


def test_a_rebalance_costs_what_the_node_paid(ring, plugin, fact):
    us, before = ring.us, ring.us.channel(ring.hub)["to_us_msat"]
    answer = fill(ring, 4 * PAYMENT_SAT, max_fee_sats=200, force=True)
    assert answer["status"] == "pending" and answer["reserved_msat"] >= 200 * SAT * 0.9
    job = settled(plugin, answer["job_id"])
    own = payments(us)
    paid = sum(fee for _, fee in own.values())
    assert (job["status"], job["moved_msat"], job["fee_msat"]) == ("success", 4 * PAYMENT_SAT * SAT, paid)
    assert us.channel(ring.hub)["to_us_msat"] == before + 4 * PAYMENT_SAT * SAT
    assert len(own) == 4 and paid == 4 * (HUB_FEE + DST_FEE)
    wait_booked(plugin)
    controls = us.call("revenue-rebalance-debug")["capital_controls"]
    assert (controls["daily_spent_msat"], controls["daily_reserved_msat"]) == (paid, 0)
    assert_sling_is_clear(us)
    fact("200,000 sat moved in four payments", f"{paid} msat")


def test_a_rate_below_the_route_ends_by_its_deadline_with_nothing_spent(ring, plugin, fact):
    us, before = ring.us, payments(ring.us)
    us.call("revenue-config", action="set", key="sling_job_timeout_seconds", value=60)
    try:
        answer = fill(ring, 2 * PAYMENT_SAT, max_fee_sats=5, force=True)
        assert answer["status"] == "pending"
        job = settled(plugin, answer["job_id"], 60 + rig.DEADLINE)
    finally:
        us.call("revenue-config", action="reset", key="sling_job_timeout_seconds")
    assert (job["moved_msat"], job["fee_msat"], payments(us)) == (0, 0, before)
    assert us.call("revenue-rebalance-debug")["capital_controls"]["daily_reserved_msat"] == 0
    assert_sling_is_clear(us)
    fact("a rate below the route's", f"{job['status']}: {job['error_message']}")


@pytest.mark.parametrize("end", ["the plugin killed", "the node stopped"])
def test_cut_off_in_the_middle_it_settles_after_the_restart(ring, plugin, fact, end):
    us, before = ring.us, payments(ring.us)
    us.call("revenue-config", action="set", key="sling_chunk_size_sats", value=5_000)
    answer = fill(ring, 200_000, max_fee_sats=200, force=True)
    assert answer["status"] == "pending", answer
    rig.eventually(lambda: len(payments(us)) > len(before), "the first payment")
    if end == "the plugin killed":
        plugin.kill()
        rig.eventually(lambda: len(payments(us)) > len(before) + 2, "sling goes on")
        plugin.start()
    else:
        us.stop()
        us.start()
        plugin.start()
        ring.wait_usable()
    job = settled(plugin, answer["job_id"])
    own = {key: row for key, row in payments(us).items() if key not in before}
    moved, paid = (sum(row[at] for row in own.values()) for at in (0, 1))
    assert (job["moved_msat"], job["fee_msat"]) == (moved, paid) and paid <= answer["reserved_msat"]
    wait_booked(plugin)
    assert_sling_is_clear(us)
    # Nothing spends after that.
    assert len(payments(us)) == len(before) + len(own)
    fact(f"{end}", f"{job['status']}: {len(own)} payments, {moved // SAT} sat for {paid} msat")


def test_what_the_operator_does_with_sling_is_booked_and_left_alone(ring, plugin):
    us, before = ring.us, payments(ring.us)
    spent = us.call("revenue-rebalance-debug")["capital_controls"]["daily_spent_msat"]
    us.call(
        "sling-once", scid=us.scid(ring.hub), direction="pull", amount=20_000, maxppm=1_000, onceamount=20_000,
        candidates=[us.scid(ring.dst)], depleteuptopercent=0.1, depleteuptoamount=100_000,
    )
    rig.eventually(lambda: len(payments(us)) == len(before) + 1, "the operator's payment")
    wait_booked(plugin)
    assert us.call("revenue-rebalance-debug")["capital_controls"]["daily_spent_msat"] == spent
    us.call("sling-deletejob", job="all", delete_stats=True)


def test_the_budget_holds_whatever_is_asked(ring, plugin):
    us, before = ring.us, payments(ring.us)
    us.call("revenue-config", action="set", key="daily_budget_sats", value=60)
    us.call("revenue-config", action="set", key="enable_proportional_budget", value=False)
    try:
        refused = fill(ring, 200_000, max_fee_sats=300, force=True)
        assert refused["status"] == "error" and "budget" in refused["error"], refused
        # A name that no channel has moves nothing either.
        with_nobody = us.call("revenue-rebalance", from_channel="1x1x1", to_channel=us.scid(ring.hub), amount_sats=60_000)
        assert with_nobody["status"] == "error" and "1x1x1" in with_nobody["error"]
    finally:
        us.call("revenue-config", action="reset", key="enable_proportional_budget")
    assert payments(us) == before and not plugin.status()["rebalance_jobs"]
