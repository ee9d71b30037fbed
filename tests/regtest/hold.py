#!/usr/bin/env python3
"""Holds incoming HTLCs for as long as a file `hold` is in the node's directory."""

import threading
import time
from pathlib import Path

from pyln.client import Plugin

plugin = Plugin()


@plugin.async_hook("htlc_accepted")
def on_htlc_accepted(plugin, request, **_):
    def let_go():
        while Path("hold").exists():
            time.sleep(0.1)
        request.set_result({"result": "continue"})

    threading.Thread(target=let_go, daemon=True).start()


plugin.run()
