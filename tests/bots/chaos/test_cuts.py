"""Cuts of the network, in a network namespace of their own: nobody reaches the server, until the cut ends by itself."""

import shutil
import subprocess
import sys

import pytest

HEAD = """
import asyncio, os, socket, subprocess, sys
from bots.chaos import cuts, processes
from bots.chaos.errors import CantBeDoneError

def reached(address):
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=0.3).close()
    except OSError:
        return False
    return True

async def until(state, address):
    async with asyncio.timeout(20):
        while reached(address) != state:
            await asyncio.sleep(0.05)

def serving(host="127.0.0.1", port=0):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=1000)
    SERVED.append(listener)
    return (f"[{host}]" if ":" in host else host) + f":{listener.getsockname()[1]}"

def tables():
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return [line.split()[-1] for line in listed.splitlines()]

SERVED = []
"""
BY_ITSELF = """
async def main():
    cut, other = serving(), serving()
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
"""
OTHER_MACHINES = """
async def main():
    cut = serving()
    same_port_elsewhere = serving("127.0.0.2", int(cut.rpartition(":")[2]))
    await cuts.cut(cut, 600.0)
    assert not reached(cut)
    assert reached(same_port_elsewhere)
    six = serving("::1")
    await cuts.cut("http://" + six, 600.0)
    assert not reached(six)
    everywhere = serving("0.0.0.0")
    everywhere = "127.0.0.1:" + everywhere.rpartition(":")[2]
    await cuts.cut("0.0.0.0:" + everywhere.rpartition(":")[2], 600.0)
    assert not reached(everywhere)
    await cuts.clear()
    assert all(map(reached, (cut, six, everywhere)))
    assert not tables()
"""
SIDE_BY_SIDE = """
async def another(address, ends):
    script = f"import asyncio, time; from bots.chaos import cuts; asyncio.run(cuts.cut({address!r}, 600.0))"
    script += "; print(1, flush=True)" + ("" if ends else "; time.sleep(600)")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=subprocess.PIPE)
    assert await process.stdout.readline()
    if ends:
        await process.wait()
    return process

async def main():
    own, others, left = serving(), serving(), serving()
    await another(left, ends=True)
    beside = await another(others, ends=False)
    try:
        assert not reached(others)
        await cuts.cut(own, 600.0)
        assert len(tables()) == 2, "what a killed run left has gone"
        assert reached(left)
        await cuts.clear()
        assert reached(own)
        assert not reached(others), "the cut of the run beside goes on"
    finally:
        beside.kill()
        await beside.wait()
"""


@pytest.mark.parametrize(
    ("script", "told"),
    [(BY_ITSELF, ["it ended by itself", "it was lifted"]), (OTHER_MACHINES, []), (SIDE_BY_SIDE, [])],
    ids=["ends by itself", "only that address", "runs side by side"],
)
def test_a_cut_keeps_everybody_from_one_server_and_ends(script: str, told: list[str]) -> None:
    if shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin") is None or shutil.which("unshare") is None:
        pytest.skip("nft or unshare isn't installed (apt-get install nftables)")
    inside = ["unshare", "--net", "/bin/sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if subprocess.run([*inside, "nft", "list", "tables"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine allows no network namespaces")
    whole = f"{HEAD}{script}\nasyncio.run(main())\n"
    done = subprocess.run(
        [*inside, sys.executable, "-c", whole], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == told
