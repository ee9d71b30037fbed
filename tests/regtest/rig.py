"""A small Core Lightning network on regtest, driven through lightning-cli and the RPC socket.

The node `us` runs the plugin. Payments from `src` to `dst` have no way around it:

    src (2,000,000 sat) -> us (2,000,000 sat) -> dst
                           us (1,000,000 sat, unannounced) -> leaf

Amounts are msat unless the name says otherwise; durations are seconds.
"""

import functools
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

from bitcoind import Bitcoind, free_port
from pyln.client import LightningRpc
from waiting import DEADLINE, eventually

SAT = 1000  # msat
CHANNEL_SAT = 2_000_000
LEAF_SAT = 1_000_000
PLUGIN_NAME = "cl-revenue-ops"
# What the plugin logs when it ends its own start.
REFUSED = "cl-revenue-ops does not start"


def programs():
    """Paths of the programs that the network needs; None for one that is not there."""
    wanted = {
        "LIGHTNINGD": "lightningd",
        "LIGHTNING_CLI": "lightning-cli",
        "BITCOIND": "bitcoind",
        "BITCOIN_CLI": "bitcoin-cli",
    }
    found = {name: shutil.which(os.environ.get(name, default)) for name, default in wanted.items()}
    root = Path(__file__).resolve().parents[2]
    built = [root / "target" / profile / PLUGIN_NAME for profile in ("release", "debug")]
    named = [Path(os.environ["PLUGIN"]).absolute()] if "PLUGIN" in os.environ else built
    found["PLUGIN"] = next((str(path) for path in named if os.access(path, os.X_OK)), None)
    return found


def scid_text(number):
    return None if number is None else f"{number >> 40}x{number >> 16 & 0xffffff}x{number & 0xffff}"


class Node:
    """One lightningd. `options` belong to the next start."""

    def __init__(self, net, name, options=(), developer=True):
        self.net, self.name, self.developer = net, name, developer
        self.dir = net.dir / name
        self.dir.mkdir()
        self.log_file = self.dir / "log"
        self.port = free_port()
        self.options = list(options)
        self.process = None

    @property
    def rpc(self):
        return LightningRpc(str(self.dir / "regtest" / "lightning-rpc"))

    @functools.cached_property
    def id(self):
        return self.rpc.getinfo()["id"]

    def start(self):
        """Starts the node and returns the seconds until it answers and all its plugins are initialised:
        before that, lightningd never answers a `plugin start`."""
        log_start = self.log_end()
        fast = ["--developer", "--dev-bitcoind-poll=1", "--dev-fast-gossip", "--dev-fast-reconnect"] if self.developer else []
        self.process = subprocess.Popen(
            [self.net.programs["LIGHTNINGD"], f"--lightning-dir={self.dir}", "--network=regtest",
             f"--addr=127.0.0.1:{self.port}", f"--alias={self.name}", f"--log-file={self.log_file}",
             "--log-level=debug", f"--bitcoin-cli={self.net.programs['BITCOIN_CLI']}",
             f"--bitcoin-rpcport={self.net.bitcoind.port}", "--bitcoin-rpcuser=rig",
             f"--bitcoin-rpcpassword={self.net.bitcoind.password}", "--fee-base=1", "--fee-per-satoshi=100",
             *fast, *self.options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

        def started():
            return self.running() and self.rpc.getinfo() and any("Server started" in line for line in self.log(log_start))

        return eventually(started, f"{self.name} answers")[1]

    def running(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended: see {self.log_file}")
        return True

    def stop(self):
        """Stops the node by `lightning-cli stop` and returns the seconds until it has ended."""
        start = time.monotonic()
        self.cli("stop")
        self.process.wait(DEADLINE)
        return time.monotonic() - start

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def cli(self, *args):
        """Runs lightning-cli with exactly these arguments; the parsed answer, or a RuntimeError."""
        command = [self.net.programs["LIGHTNING_CLI"], f"--lightning-dir={self.dir}", "--regtest", *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        return json.loads(done.stdout) if done.stdout.lstrip().startswith(("{", "[")) else done.stdout

    def call(self, method, **params):
        return self.rpc.call(method, params)

    def channel(self, peer):
        """Our view of the channel with a peer, as listpeerchannels shows it."""
        [channel] = self.call("listpeerchannels", id=peer.id)["channels"]
        return channel

    def scid(self, peer):
        """The name of a channel in routes and forwards."""
        channel = self.channel(peer)
        return channel["alias"]["local"] if channel["private"] else channel["short_channel_id"]

    def fee(self, peer):
        channel = self.channel(peer)
        return channel["fee_proportional_millionths"], int(channel["fee_base_msat"])

    def gossip_fee(self, owner, scid):
        """What this node was told of the owner's fee for a channel."""
        known = self.call("listchannels", short_channel_id=scid)["channels"]
        own = [channel for channel in known if channel["source"] == owner.id]
        return (own[0]["fee_per_millionth"], own[0]["base_fee_millisatoshi"]) if own else None

    def forwards(self):
        """`listforwards` as {(incoming channel, HTLC): (outgoing channel, status, in, out, fee)}."""
        def amounts(row):
            return (int(row.get(key, 0)) for key in ("in_msat", "out_msat", "fee_msat"))

        return {
            (row["in_channel"], row["in_htlc_id"]): (row.get("out_channel"), row["status"], *amounts(row))
            for row in self.call("listforwards")["forwards"]
        }

    def log(self, start=0):
        with open(self.log_file, errors="replace") as log:
            log.seek(start)
            return log.read().splitlines()

    def log_end(self):
        return self.log_file.stat().st_size if self.log_file.exists() else 0


class Plugin:
    """The plugin on a node: its processes, its answers, its database."""

    def __init__(self, node):
        self.node = node
        # A path of its own, so that its processes are told from those of any other node.
        self.program = node.dir / PLUGIN_NAME
        if not self.program.exists():
            shutil.copy2(node.net.programs["PLUGIN"], self.program)

    def start(self, **options):
        """Starts the plugin and returns the seconds until it is ready."""
        start = time.monotonic()
        self.node.call("plugin", subcommand="start", plugin=str(self.program), **options)
        self.wait_ready()
        return time.monotonic() - start

    def stop(self):
        """Stops the plugin and returns the seconds until no process of it is left."""
        start = time.monotonic()
        self.node.cli("plugin", "stop", self.program)
        eventually(lambda: not self.processes(), "no process stays behind")
        return time.monotonic() - start

    def kill(self):
        """`kill -9`; returns the seconds until no process of it is left."""
        for pid in self.processes():
            if self.parent(pid) == self.node.process.pid:
                os.kill(pid, signal.SIGKILL)
        return eventually(lambda: not self.processes(), "no process stays behind")[1]

    def processes(self):
        """Processes of this program, children that compile modules included."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._runs(pid)]

    def _runs(self, pid):
        try:
            return os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)") == str(self.program)
        except OSError:
            return False

    @staticmethod
    def parent(pid):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

    def status(self):
        return self.node.call("revenue-status")

    def wait_ready(self):
        return eventually(lambda: self.status()["ready"], "revenue-status says ready")[1]

    def policy(self, *args):
        """`revenue-policy` by lightning-cli; the answer must be a success."""
        answer = self.node.cli("revenue-policy", *args)
        assert answer.get("status") == "success", answer
        return answer

    def wait_fee(self, peer, ppm):
        return eventually(lambda: self.node.fee(peer)[0] == ppm, f"{ppm} ppm towards {peer.name}")[1]

    def cycle(self):
        """A fee cycle over all channels that began after this call, once it has ended."""
        cycle = {"id": 0}
        # The first one may have been under way before.
        for _ in range(2):
            before = (self.status()["last_fee_cycle"] or cycle)["id"]
            self.node.call("revenue-wake-all")
            cycle = eventually(lambda: self._whole_cycle_after(before), "a fee cycle over all channels")[0]
        return cycle

    def _whole_cycle_after(self, before):
        last = self.status()["last_fee_cycle"]
        return last if last and last["id"] > before and last["trigger"] != "policy" else None

    def forwards(self):
        """Stored forwards in the shape of `Node.forwards`."""
        words = ("offered", "local_failed", "failed", "settled")
        rows = self.query("SELECT in_scid, in_htlc_id, out_scid, status, in_msat, out_msat, fee_msat FROM forwards")
        return {
            (scid_text(scid), htlc): (scid_text(out), words[status], *amounts)
            for scid, htlc, out, status, *amounts in rows
        }

    def in_step(self):
        """Waits until the stored forwards are those of the node."""
        return eventually(lambda: self.forwards() == self.node.forwards(), "stored forwards equal listforwards")[1]

    def query(self, sql):
        """Rows of the plugin's database, read by another process while it runs."""
        path = self.node.dir / "regtest" / "revenue-ops" / "revenue_ops.db"
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()


class Net:
    def __init__(self, directory):
        self.dir = Path(directory)
        self.programs = programs()
        self.nodes = []
        self.bitcoind = Bitcoind(self.programs["BITCOIND"], self.dir / "bitcoind")

    def node(self, name, **kwargs):
        node = Node(self, name, **kwargs)
        self.nodes.append(node)
        return node

    def build(self, dst_options=(), us_options=()):
        """Starts all nodes and opens the channels."""
        self.us, self.src = self.node("us", options=us_options), self.node("src")
        self.dst, self.leaf = self.node("dst", options=dst_options), self.node("leaf")
        us, src, dst, leaf = self.us, self.src, self.dst, self.leaf
        for node in self.nodes:
            node.start()
        for node in (us, src):
            self.bitcoind.call("sendtoaddress", node.call("newaddr", addresstype="bech32")["bech32"], 1)
        self.settle(1)
        for node in (us, src):
            eventually(lambda: [o for o in node.rpc.listfunds()["outputs"] if o["status"] == "confirmed"], "funds")
        for one, other in ((src, us), (us, dst), (us, leaf)):
            one.rpc.connect(other.id, "127.0.0.1", other.port)
        src.call("fundchannel", id=us.id, amount=CHANNEL_SAT)
        us.call("multifundchannel", destinations=[
            {"id": dst.id, "amount": CHANNEL_SAT},
            {"id": leaf.id, "amount": LEAF_SAT, "announce": False},
        ])
        eventually(lambda: self.bitcoind.call("getmempoolinfo")["size"] == 2, "two funding transactions")
        self.settle(6)
        self.wait_usable()
        for node in self.nodes:
            eventually(lambda: len(node.rpc.listchannels()["channels"]) >= 4, f"gossip at {node.name}")

    def settle(self, blocks):
        """Mines, and waits until every node that runs has seen it."""
        self.bitcoind.mine(blocks)
        height = self.bitcoind.call("getblockcount")
        for node in [node for node in self.nodes if node.process.poll() is None]:
            eventually(lambda: node.rpc.getinfo()["blockheight"] >= height, f"{node.name} in step with the chain")

    def wait_usable(self):
        """All of our channels can carry payments."""
        def usable():
            channels = self.us.call("listpeerchannels")["channels"]
            return len(channels) == 3 and all(
                c["state"] == "CHANNELD_NORMAL" and c["peer_connected"] and c.get("reestablished", True)
                for c in channels
            )

        eventually(usable, "our three channels are usable")

    def wait_idle(self):
        """No payment is under way at us, not even its last commitments."""
        eventually(lambda: not any(c["htlcs"] for c in self.us.call("listpeerchannels")["channels"]), "no HTLC at us")

    def send(self, source, target, msat, payment_hash, secret, paid=None):
        """Sends source -> us -> target along a fixed route. Unless told what to pay, it pays
        us 3 %, which is enough whatever the fee is."""
        paid = msat + msat // 33 + 10_000 if paid is None else paid
        hops = [
            {"id": self.us.id, "channel": source.scid(self.us), "amount_msat": paid,
             "delay": 30, "style": "tlv"},
            {"id": target.id, "channel": self.us.scid(target), "amount_msat": msat, "delay": 18, "style": "tlv"},
        ]
        source.call("sendpay", route=hops, payment_hash=payment_hash, payment_secret=secret)

    def start_payment(self, msat, source, target):
        invoice = target.call("invoice", amount_msat=msat, label=secrets.token_hex(8), description="rig")
        self.send(source, target, msat, invoice["payment_hash"], invoice["payment_secret"])
        return invoice["payment_hash"]

    def pay(self, msat, target=None, source=None):
        """One payment, src to dst if nothing else is said; its seconds, or the node's error."""
        start, source = time.monotonic(), source or self.src
        payment_hash = self.start_payment(msat, source, target or self.dst)
        source.call("waitsendpay", payment_hash=payment_hash, timeout=int(DEADLINE))
        return time.monotonic() - start

    def fail(self, paid=None):
        """A payment src -> dst that dst knows no invoice for, or that pays us too little."""
        payment_hash, msat = secrets.token_hex(32), 5_000 * SAT
        self.send(self.src, self.dst, msat, payment_hash, secrets.token_hex(32), paid)

        def failed():
            payments = self.src.call("listsendpays", payment_hash=payment_hash)["payments"]
            return any(payment["status"] == "failed" for payment in payments)

        eventually(failed, "the payment failed")

    def close(self):
        for node in reversed(self.nodes):
            try:
                if node.process and node.process.poll() is None:
                    node.stop()
            except (OSError, RuntimeError, subprocess.TimeoutExpired):
                node.kill()
        self.bitcoind.stop()
