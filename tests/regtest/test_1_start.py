"""Starting, stopping, options."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import rig
from pyln.client import RpcError

# Every command that the documentation has.
TABLE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
COMMANDS = set(re.findall(r"^\| `(revenue-[a-z-]+)", TABLE.read_text(), re.MULTILINE))
# What the books and the flow analysis are hastened by; nothing that a payment could wait for.
SUBSCRIPTIONS = {
    "forward_event", "channel_state_changed", "channel_opened", "coin_movement", "sendpay_success", "shutdown",
}


def commands(node):
    return {entry["command"].split()[0] for entry in node.call("help")["help"]}


def integrity(plugin):
    return plugin.query("PRAGMA integrity_check")


def test_manifest_has_no_hook():
    """Without an HTLC hook a dead plugin cannot hold up a payment."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "getmanifest", "params": {}}
    with subprocess.Popen(
        [rig.programs()["PLUGIN"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "LIGHTNINGD_PLUGIN": "1"},
    ) as process:
        process.stdin.write(json.dumps(request) + "\n\n")
        process.stdin.flush()
        manifest = json.loads(process.stdout.readline())["result"]
        process.kill()
    assert manifest["hooks"] == []
    assert manifest["dynamic"] is True
    assert {method["name"] for method in manifest["rpcmethods"]} == COMMANDS
    assert set(manifest["subscriptions"]) == SUBSCRIPTIONS


@pytest.mark.parametrize("developer", [False, True], ids=["plain", "developer"])
def test_starts_and_ends_with_the_node(lone, fact, developer):
    mode = "developer mode" if developer else "plain mode"
    node = lone(developer=developer)
    plugin = rig.Plugin(node)
    node.options = [f"--plugin={plugin.program}"]
    node.start()
    fact(f"ready after the node has started, {mode}", plugin.wait_ready())
    assert COMMANDS <= commands(node)
    # Its workers are processes of the same program.
    [pid] = [pid for pid in plugin.processes() if plugin.parent(pid) == node.process.pid]
    assert ("--developer" in Path(f"/proc/{pid}/cmdline").read_text().split("\0")) == developer
    assert plugin.status()["version"].startswith("2.")
    took = node.stop()
    fact(f"lightning-cli stop until the node has ended, {mode}", took)
    assert took < 5 and not plugin.processes()
    assert integrity(plugin) == [("ok",)]


def test_starts_and_stops_on_a_running_node(plugin, net, fact):
    took = plugin.stop()
    fact("plugin stop until its process is gone", took)
    assert took < 5
    assert not COMMANDS & commands(net.us)
    took = plugin.start()
    fact("plugin start until ready", took)
    assert COMMANDS <= commands(net.us)
    node = plugin.status()["node"]
    assert node["id"] == net.us.id and node["synced"]


@pytest.mark.parametrize(
    "options, sentence",
    [
        (["--revenue-ops-min-fee-ppm=banana"], ["min-fee-ppm", "banana", "100000"]),
        (["--revenue-ops-min-fee-ppm=900", "--revenue-ops-max-fee-ppm=100"], ["min", "max", "900", "100"]),
    ],
    ids=["not a number", "min above max"],
)
def test_a_bad_option_disables_the_plugin_only(lone, fact, options, sentence):
    node = lone()
    plugin = rig.Plugin(node)
    node.options = [f"--plugin={plugin.program}", *options]
    node.start()
    rig.eventually(lambda: not plugin.processes(), "the plugin ends")
    assert node.rpc.getinfo()["id"]
    assert not COMMANDS & commands(node)
    said = [line for line in node.log() if "**BROKEN**" in line and rig.REFUSED in line]
    assert len(said) == 1 and all(word in said[0] for word in sentence), said
    fact(f"{' '.join(options)}", said[0].partition(rig.REFUSED)[2].strip(" :"))


def test_setconfig_changes_dynamic_options_at_once(plugin, net):
    us, option = net.us, "revenue-ops-max-fee-ppm"

    def max_fee():
        return us.call("revenue-config", action="get", key="max_fee_ppm")["value"]

    before = max_fee()
    try:
        answer = us.cli("setconfig", option, "4321")
        assert answer["config"]["value_str"] == "4321"
        assert max_fee() == 4321
        assert plugin.status()["config"]["fee_range_ppm"][1] == 4321
        for bad in ("lots", "0", "-1", "100001", "5"):  # the last is below min-fee-ppm
            with pytest.raises(RpcError, match="-32602"):
                us.call("setconfig", config=option, val=bad)
            assert max_fee() == 4321
            assert us.call("listconfigs", config=option)["configs"][option]["value_str"] == "4321"
        with pytest.raises(RpcError, match="Not a dynamic config option"):
            us.call("setconfig", config="revenue-ops-dry-run", val="true")
    finally:
        us.cli("setconfig", option, str(before))
    assert max_fee() == before
