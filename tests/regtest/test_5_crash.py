"""The plugin is stopped and killed while fees change and payments flow."""

import random
import statistics
import threading
import time

import pytest
import rig
from pyln.client import RpcError
from rig import SAT


class Payments(threading.Thread):
    """Pays without pause; every payment counts."""

    def __init__(self, net):
        super().__init__(daemon=True)
        self.net, self.seconds, self.failures, self.over = net, [], [], threading.Event()

    def run(self):
        while not self.over.is_set():
            try:
                self.seconds.append(self.net.pay(1_000 * SAT))
            except Exception as error:  # whatever it is, it is a payment that failed
                self.failures.append(error)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(rig.DEADLINE)

    def more(self, count):
        """Waits for so many more payments."""
        goal = len(self.seconds) + count
        rig.eventually(lambda: self.failures or len(self.seconds) >= goal, f"{count} more payments")
        assert not self.failures, self.failures


class Changes(threading.Thread):
    """Gives the plugin a new fee to set again and again, so that it is always about some.

    Not without pause: lightningd dates each channel_update at least a second after the last, and
    after a restart others take only those that are newer."""

    def __init__(self, net):
        super().__init__(daemon=True)
        self.net, self.answered, self.lost, self.over = net, 0, 0, threading.Event()

    def change(self):
        fee = random.randrange(100, 1000)
        updates = [{"peer_id": peer.id, "strategy": "static", "fee_ppm": fee} for peer in (self.net.src, self.net.dst)]
        self.net.us.call("revenue-policy", action="batch", updates=updates)

    def run(self):
        while not self.over.is_set():
            try:
                self.change()
                self.answered += 1
            except (RpcError, OSError, ValueError):  # the plugin is away
                self.lost += 1
            self.over.wait(0.2)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(rig.DEADLINE)


def assert_consistent(plugin, net):
    """Database and node say the same, and the policies rule."""
    us = net.us
    plugin.cycle()
    stored = us.call("revenue-policy", action="list")["policies"]
    for policy in stored:
        for peer in (net.src, net.dst):
            if peer.id == policy["peer_id"] and policy["strategy"] == "static":
                plugin.wait_fee(peer, policy["fee_ppm_target"])
    plugin.cycle()
    fees = {bytes.fromhex(us.channel(peer)["channel_id"]): us.fee(peer) for peer in (net.src, net.dst, net.leaf)}
    running = plugin.query("SELECT channel_id, fee_ppm, base_msat FROM fee_intervals WHERE end_s IS NULL")
    assert {channel: (ppm, base) for channel, ppm, base in running} == fees
    plugin.in_step()
    assert plugin.query("PRAGMA integrity_check") == [("ok",)]
    assert plugin.query("PRAGMA foreign_key_check") == []


def was_cut_off(plugin, peer):
    """Whether the last policy stored for a peer was not carried out, or not recorded, any more."""
    [[wanted]] = plugin.query(f"SELECT fee_ppm_target FROM policies WHERE hex(peer_id) = upper('{peer.id}')")
    changes = f"SELECT new_ppm FROM fee_changes WHERE hex(peer_id) = upper('{peer.id}') ORDER BY id DESC LIMIT 1"
    return plugin.query(changes) != [(wanted,)]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_payments_flow_whatever_becomes_of_the_plugin(plugin, net, fact, end):
    gone, back, cut_off = [], [], 0
    with Payments(net) as payments, Changes(net) as changes:
        for delay_ms in (0, 2, 5, 10, 20):
            payments.more(3)
            changes.change()
            time.sleep(delay_ms / 1000)
            gone.append(plugin.stop() if end == "stop" else plugin.kill())
            assert not plugin.processes()
            cut_off += was_cut_off(plugin, net.dst)
            payments.more(5)
            back.append(plugin.start())
            payments.more(3)
    assert not payments.failures and changes.answered > 5
    assert_consistent(plugin, net)
    word = "plugin stop" if end == "stop" else "kill -9"
    assert end == "stop" or cut_off, "at least one kill hit a cycle"
    fact(f"{word} x 5 right after a change: cycles cut off, payments, failed", f"{cut_off}, {len(payments.seconds)}, 0")
    fact(f"{word}: median payment", statistics.median(payments.seconds))
    fact(f"{word}: slowest payment", max(payments.seconds))
    fact(f"{word}: slowest until no process is left", max(gone))
    fact(f"{word}: slowest start until ready", max(back))
    assert max(gone) < 5


def test_the_node_ends_with_the_plugin_at_work(plugin, net, fact):
    us = net.us
    with Changes(net) as changes:
        rig.eventually(lambda: changes.answered > 3, "changes")
        net.wait_idle()
        took = us.stop()
    fact("lightning-cli stop with fees changing, until the node has ended", took)
    assert took < 5 and not plugin.processes()
    assert plugin.query("PRAGMA integrity_check") == [("ok",)]
    us.options = [option for option in us.options if not option.startswith("--plugin=")]
    us.options.append(f"--plugin={plugin.program}")
    us.start()
    fact("start with the node, 3 channels: ready after the node has started", plugin.wait_ready())
    net.wait_usable()
    net.pay(1_000 * SAT)
    assert_consistent(plugin, net)


def test_killed_before_the_node_ends(plugin, net):
    """A node that restarts after its plugin was killed finds everything as it was."""
    plugin.kill()
    net.pay(1_000 * SAT)
    net.wait_idle()  # else lightningd itself complains about the HTLC after its restart
    net.us.stop()
    net.us.start()
    plugin.wait_ready()
    net.wait_usable()
    assert_consistent(plugin, net)
