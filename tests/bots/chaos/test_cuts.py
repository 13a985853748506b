"""Cuts of the network, in a network namespace of their own: nobody reaches the port, until the cut ends by itself."""

import shutil
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, socket
from bots.chaos import cuts
from bots.chaos.errors import CantBeDoneError

def reached(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.3).close()
    except OSError:
        return False
    return True

async def until(state, port):
    async with asyncio.timeout(20):
        while reached(port) != state:
            await asyncio.sleep(0.05)

async def main():
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=1000) for _ in range(2)]
    cut, other = (each.getsockname()[1] for each in listeners)
    assert reached(cut)
    await cuts.cut(cut, 1.0)
    assert not reached(cut)
    assert reached(other), "only that port is cut off"
    await until(True, cut)
    print("it ended by itself")
    await cuts.cut(cut, 600.0)
    assert not reached(cut)
    await cuts.lift(cut)
    await until(True, cut)
    await cuts.lift(cut)
    print("it was lifted")

asyncio.run(main())
"""


def test_a_cut_keeps_everybody_from_one_port_and_ends_by_itself() -> None:
    if shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin") is None or shutil.which("unshare") is None:
        pytest.skip("nft or unshare isn't installed (apt-get install nftables)")
    inside = ["unshare", "--net", "/bin/sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if subprocess.run([*inside, "nft", "list", "tables"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine allows no network namespaces")
    done = subprocess.run(
        [*inside, sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["it ended by itself", "it was lifted"]
