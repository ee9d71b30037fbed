"""A network in which our node can pay itself, and what that node's own records add up to.

    src (2,000,000 sat) -> us (2,000,000 sat) -> dst (2,000,000 sat, half of it pushed) -> hub
                           us (2,000,000 sat, half of it pushed) -> hub

Our node opens its two channels in one transaction, so that they share its fee.
"""

import secrets
from collections import Counter

from rig import CHANNEL_SAT, SAT, Net, eventually

PUSHED = CHANNEL_SAT * SAT // 2  # msat
DEPOSIT = 100_000_000 * SAT  # msat


class Ring(Net):
    def build(self, us_options=(), hub_options=()):
        """Starts all nodes and opens the channels."""
        self.us, self.src = self.node("us", options=us_options), self.node("src")
        self.dst, self.hub = self.node("dst"), self.node("hub", options=hub_options)
        us, src, dst, hub = self.us, self.src, self.dst, self.hub
        for node in self.nodes:
            node.start()
        self.fund(us, src, dst)
        for one, other in ((src, us), (us, dst), (us, hub), (dst, hub)):
            one.rpc.connect(other.id, "127.0.0.1", other.port)
        src.call("fundchannel", id=us.id, amount=CHANNEL_SAT)
        dst.call("fundchannel", id=hub.id, amount=CHANNEL_SAT, push_msat=PUSHED)
        opened = us.call("multifundchannel", destinations=[
            {"id": dst.id, "amount": CHANNEL_SAT},
            {"id": hub.id, "amount": CHANNEL_SAT, "push_msat": PUSHED},
        ])
        # What each of our transactions is for, by its id; what our channels were ever called.
        self.purpose, self.names = {opened["txid"]: "open"}, {}
        self.mine_pending(3, 6)
        self.wait_usable()
        eventually(lambda: dst.channel(hub)["state"] == "CHANNELD_NORMAL", "the channel dst -> hub is usable")

    def fund(self, *nodes):
        """One output of a whole bitcoin to each."""
        for node in nodes:
            address = node.call("newaddr", addresstype="bech32")["bech32"]
            self.bitcoind.call("sendtoaddress", address, DEPOSIT // SAT / 1e8)
        self.settle(1)
        for node in nodes:
            eventually(lambda: [o for o in node.rpc.listfunds()["outputs"] if o["status"] == "confirmed"], "funds")

    def mine_pending(self, transactions, blocks):
        """Waits for so many transactions in the mempool, then mines."""
        eventually(lambda: self.bitcoind.call("getmempoolinfo")["size"] >= transactions, f"{transactions} transactions")
        self.settle(blocks)

    def learn_names(self):
        for channel in self.us.call("listpeerchannels")["channels"]:
            self.names[channel["short_channel_id"]] = channel["channel_id"]

    def circle(self, msat, fee):
        """The operator moves liquidity by hand: us -> dst -> hub -> us, for exactly this fee."""
        us, dst, hub = self.us, self.dst, self.hub
        invoice = us.call("invoice", amount_msat=msat, label=secrets.token_hex(8), description="circle")
        amounts = (msat + fee, msat + fee // 2, msat)
        hops = zip(((dst, us.scid(dst)), (hub, dst.scid(hub)), (us, hub.scid(us))), amounts, (42, 30, 18))
        route = [
            {"id": node.id, "channel": scid, "amount_msat": amount, "delay": delay, "style": "tlv"}
            for (node, scid), amount, delay in hops
        ]
        us.call("sendpay", route=route, payment_hash=invoice["payment_hash"], payment_secret=invoice["payment_secret"])
        us.call("waitsendpay", payment_hash=invoice["payment_hash"], timeout=60)


class Records:
    """Sums over the node's own lists. Nothing here comes from the plugin."""

    def __init__(self, ring):
        us = ring.us
        self.forwards = [row for row in us.call("listforwards")["forwards"] if row["status"] == "settled"]
        self.revenue = sum(int(row["fee_msat"]) for row in self.forwards)
        sends = us.call("listsendpays", status="complete")["payments"]
        own = [row for row in sends if row.get("destination") == us.id]
        self.rebalances = sum(int(row["amount_sent_msat"]) - int(row["amount_msat"]) for row in own)
        self.events = us.call("bkpr-listaccountevents")["events"]
        ring.learn_names()
        self.names, self.costs = ring.names, self._costs(ring.purpose)

    def channels(self):
        """Each channel's revenue, its costs on the chain, and what it cost to fill it, msat."""
        accounts = {channel: Counter() for channel in self.names.values()}
        for row in self.forwards:
            accounts[self.names[row["out_channel"]]]["revenue"] += int(row["fee_msat"])
        for (channel, _), msat in self.costs.items():
            accounts[channel]["chain"] += msat
        moves = [event for event in self.events if event["type"] == "channel" and event["is_rebalance"]]
        fees = {move["payment_id"]: int(move["fees_msat"]) for move in moves if int(move["debit_msat"])}
        for move in moves:
            if int(move["credit_msat"]):
                accounts[move["account"]]["filling"] += fees[move["payment_id"]]
        return {channel: [sums[word] for word in ("revenue", "chain", "filling")] for channel, sums in accounts.items()}

    def _costs(self, purpose):
        """What our channels cost on the chain: {(channel_id, kind): msat}. A transaction whose purpose
        nobody named spends what a close left: a sweep."""
        costs = Counter()
        for event in self.events:
            if event["type"] == "onchain_fee" and event["account"] != "wallet":
                kind = purpose.get(event["txid"], "sweep")
                costs[event["account"], kind] += int(event["credit_msat"]) - int(event["debit_msat"])
        return {key: msat for key, msat in costs.items() if msat}

    def wallet_fees(self):
        """Fees of transactions that no channel was charged with."""
        fees = [event for event in self.events if event["type"] == "onchain_fee" and event["account"] == "wallet"]
        return sum(int(event["credit_msat"]) - int(event["debit_msat"]) for event in fees)

    def cost(self, *kinds):
        return sum(msat for (_, kind), msat in self.costs.items() if kind in kinds)

    def net(self):
        return self.revenue - self.rebalances - sum(self.costs.values())


def assets(node):
    """What a node owns, msat: its outputs and its side of its channels."""
    funds = node.rpc.listfunds()
    outputs = sum(int(output["amount_msat"]) for output in funds["outputs"] if output["status"] != "spent")
    # A closed channel's side is among the outputs, sooner or later.
    open_states = ("CHANNELD_NORMAL", "CHANNELD_AWAITING_SPLICE")
    channels = [channel for channel in funds["channels"] if channel["state"] in open_states]
    return outputs + sum(int(channel["our_amount_msat"]) for channel in channels)
