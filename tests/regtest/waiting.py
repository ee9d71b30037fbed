"""Waiting for what is expected, patiently."""

import os
import time

from pyln.client import RpcError

# Long enough for a loaded machine; nothing here takes a tenth of it on an idle one.
DEADLINE = float(os.environ.get("REGTEST_DEADLINE", "90"))


def eventually(look, what, deadline=DEADLINE):
    """Looks until something true is seen and returns it with the seconds that it took."""
    start, trouble = time.monotonic(), None
    while True:
        try:
            if seen := look():
                return seen, time.monotonic() - start
        except (OSError, RpcError, ValueError, RuntimeError) as error:
            trouble = error
        if time.monotonic() - start > deadline:
            raise AssertionError(f"not seen within {deadline:.0f} s: {what} (last trouble: {trouble})")
        time.sleep(0.05)
