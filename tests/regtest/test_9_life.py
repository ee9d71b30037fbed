"""A stranger's strategy on a real node: signed by another node, pushed, watched, tried, in force, and taken back."""

import json
import pathlib
import subprocess

from waiting import eventually

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "c-balance" / "c-balance.wasm"
NAME = "c-balance"


def module(us):
    [one] = us.cli("revenue-strategy", "show", NAME)["modules"]
    return one


def test_a_module_goes_all_the_way_and_back(net, plugin, tmp_path, fact):
    us, src = net.us, net.src

    def tool(*args):
        command = [net.programs["PLUGIN"], "strategy", *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=180)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    wasm = tmp_path / f"{NAME}.wasm"
    wasm.write_bytes(EXAMPLE.read_bytes())
    tool("check", wasm)
    tool("sign", wasm, "--rpc-file", src.dir / "regtest" / "lightning-rpc")
    us.cli("revenue-strategy", "trust", "add", src.id, "the author")
    pushed = json.loads(tool("push", wasm, "--rpc-file", us.dir / "regtest" / "lightning-rpc"))
    assert pushed["state"] == "received", pushed

    for peer in (net.dst, net.leaf):
        plugin.policy("set", peer.id, "strategy=hive")
        plugin.wait_fee(peer, 0)
    shadow = us.cli("revenue-strategy", "shadow", NAME, "for=hive")
    assert (shadow["stage"], shadow["signers"]) == ("shadow", [src.id]), shadow
    plugin.cycle()
    trial = module(us)["trial"]
    assert trial["decisions"] >= 1 and trial["faults"] == 0, trial
    assert us.fee(net.dst)[0] == 0 and us.fee(net.leaf)[0] == 0
    fact("a shadow on a real node", {key: trial[key] for key in ("decisions", "differing", "us_per_channel")})

    us.cli("revenue-strategy", "canary", NAME, f"channels={us.scid(net.dst)}")
    eventually(lambda: us.fee(net.dst)[0] > 0, "the canary's channel has its fee")
    assert us.fee(net.leaf)[0] == 0
    judged = module(us)["canary"]["judged"]
    assert judged["verdict"] == "goes on", judged

    us.cli("revenue-strategy", "activate", NAME)
    eventually(lambda: us.fee(net.leaf)[0] > 0, "the other channel follows")
    plugin.cycle()
    cycle = plugin.status()["last_fee_cycle"]["id"]
    replayed = us.cli("revenue-strategy", "replay", f"cycle={cycle}")
    assert replayed["identical"] is True, replayed
    second = us.cli("revenue-strategy", "replay", f"cycle={cycle}", "engine=pulley")
    assert second["identical"] is True, second

    us.cli("revenue-strategy", "rollback", "hive")
    plugin.wait_fee(net.dst, 0)
    plugin.wait_fee(net.leaf, 0)
    us.cli("revenue-strategy", "remove", NAME)
    steps = [event["action"] for event in us.cli("revenue-strategy", "show", NAME)["events"]]
    assert steps[::-1] == ["install", "shadow", "canary", "activate", "rollback", "remove"], steps
    for peer in (net.dst, net.leaf):
        plugin.policy("delete", peer.id)
    us.cli("revenue-strategy", "trust", "remove", src.id)
