"""One network for all tests; every test ends with a look at the log."""

import secrets
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import rig

# So few slots that a test can fill them, and a plugin that can hold what fills them.
SLOTS = 20
HOLD = Path(__file__).with_name("hold.py")
OPTIONS = {
    "us_options": [f"--max-concurrent-htlcs={SLOTS}"],
    "dst_options": [f"--max-concurrent-htlcs={SLOTS}", f"--plugin={HOLD}"],
}

FACTS = []


def missing():
    absent = [name for name, path in rig.programs().items() if path is None]
    return f"regtest: NOTHING WAS TESTED, not found: {', '.join(absent)} (see tests/regtest/README.md)" if absent else ""


def pytest_collection_modifyitems(items):
    if why := missing():
        for item in items:
            item.add_marker(pytest.mark.skip(reason=why))


def pytest_terminal_summary(terminalreporter):
    if why := missing():
        terminalreporter.write_sep("!", why, red=True, bold=True)
    if FACTS:
        terminalreporter.write_sep("-", "measured")
    for what, value in FACTS:
        terminalreporter.write_line(f"{what}: {value}")


@pytest.fixture(scope="session")
def fact():
    """Notes a figure for the summary."""
    def note(what, value):
        FACTS.append((what, f"{value:.2f} s" if isinstance(value, float) else value))

    return note


@pytest.fixture(scope="session")
def net(tmp_path_factory):
    with closing(rig.Net(tmp_path_factory.mktemp("net"))) as net:
        net.build(**OPTIONS)
        yield net


@pytest.fixture
def plugin(net):
    with running(net.us) as plugin:
        # The tests change fees more often than a day is meant to see.
        net.us.call("revenue-config", action="set", key="max-updates-per-day", value=288)
        yield plugin


@pytest.fixture
def lone(net):
    """Makes single nodes without channels, and ends them."""
    nodes = []

    def make(**kwargs):
        node = rig.Node(net, f"lone-{secrets.token_hex(4)}", **kwargs)
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.kill()
        assert_calm(node)


@contextmanager
def running(node):
    """The plugin of a node, running and ready; what the node logs meanwhile must not alarm anybody."""
    plugin, start = rig.Plugin(node), node.log_end()
    if not plugin.processes():
        plugin.start()
    yield plugin
    assert_calm(node, start)


def assert_calm(node, start=0):
    """Nothing broke. A start that the plugin refuses is told as loudly, and is no alarm."""
    alarms = [line for line in node.log(start) if "**BROKEN**" in line or "FATAL SIGNAL" in line]
    alarms = [line for line in alarms if rig.REFUSED not in line]
    assert not alarms, alarms
