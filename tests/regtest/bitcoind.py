"""One bitcoind on regtest."""

import base64
import json
import secrets
import socket
import subprocess
import urllib.request

from waiting import eventually


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Bitcoind:
    def __init__(self, program, directory):
        self.port, self.password = free_port(), secrets.token_hex(8)
        directory.mkdir(parents=True)
        self.process = subprocess.Popen(
            [program, "-regtest", f"-datadir={directory}", f"-rpcport={self.port}", "-rpcuser=rig",
             f"-rpcpassword={self.password}", "-listen=0", "-fallbackfee=0.00001", "-txindex=1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        eventually(lambda: self.call("getblockchaininfo"), "bitcoind answers")
        self.call("createwallet", "rig")
        self.mine(101)

    def call(self, method, *params):
        login = base64.b64encode(f"rig:{self.password}".encode()).decode()
        body = json.dumps({"id": 0, "method": method, "params": params}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}", body, {"Authorization": f"Basic {login}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["result"]

    def mine(self, blocks):
        self.call("generatetoaddress", blocks, self.call("getnewaddress"))

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
