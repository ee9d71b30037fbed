"""Signatures of real nodes: made by signmessage, checked by checkmessage, and by the plugin."""

import json
import subprocess
import time

import pytest

# A component that every plugin carries.
MODULE = "static"


@pytest.fixture
def tool(net, tmp_path):
    """`cl-revenue-ops strategy`; what it printed, or its error."""
    def run(*args):
        command = [net.programs["PLUGIN"], "strategy", *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=180)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def socket(node):
    return node.dir / "regtest" / "lightning-rpc"


def test_a_manifest_signed_by_the_tool_passes_checkmessage_and_comes_in(net, plugin, tool, tmp_path, fact):
    us, src = net.us, net.src
    signed = tool("sign", MODULE, "--name", "mine", "--rpc-file", socket(src)).splitlines()[0]
    [one] = json.loads((tmp_path / f"{MODULE}.sig.json").read_text())["signatures"]
    assert one["signer"] == src.id
    checked = us.call("checkmessage", message=signed, zbase=one["signature"], pubkey=src.id)
    assert checked == {"pubkey": src.id, "verified": True}

    # A second signature by lightning-cli alone.
    by_hand = us.cli("signmessage", signed)["zbase"]
    tool("sign", MODULE, "--add", f"{us.id}={by_hand}")
    tool("verify", MODULE, "--signer", us.id, "--signer", src.id, "--signatures", "2")

    us.cli("revenue-strategy", "trust", "add", src.id, "src")
    start = time.monotonic()
    answer = json.loads(tool("push", MODULE, "--rpc-file", socket(us)))
    fact(f"push of {answer['size']} bytes, checks and self-test included", time.monotonic() - start)
    assert answer["state"] == "received" and answer["signers"] == [src.id], answer
    assert json.loads(tool("push", MODULE, "--rpc-file", socket(us)))["status"] == "noop"
    us.cli("revenue-strategy", "trust", "remove", src.id)


def test_one_changed_byte_is_refused_by_both(net, plugin, tool):
    us = net.us
    text = tool("sign", MODULE, "--name", "other", "--network", "regtest", "--print").rstrip("\n")
    zbase = us.cli("signmessage", text)["zbase"]
    us.cli("revenue-strategy", "trust", "add", us.id)
    changed = text.replace("name other", "name othes")
    assert us.call("checkmessage", message=changed, zbase=zbase, pubkey=us.id)["verified"] is False
    signatures = [{"signer": us.id, "signature": zbase}]
    refused = us.call("revenue-strategy", action="push", subcommand="begin", manifest=changed, signatures=signatures)
    assert (refused["status"], refused["code"]) == ("error", "bad_signature"), refused
    begun = us.call("revenue-strategy", action="push", subcommand="begin", manifest=text, signatures=signatures)
    assert begun["state"] == "open", begun
    us.cli("revenue-strategy", "push", "abort", begun["upload"])
    us.cli("revenue-strategy", "trust", "remove", us.id)
