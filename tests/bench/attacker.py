"""One attacker: `python -m tests.bench.attacker URL SOURCE SECONDS [eager]`, with what it knows as a JSON line.

For every further line on stdin, the name of a kind, it does that for so long, from its source address, with what the
processor has left over, since attackers have machines of their own; an eager one takes what it needs. Then it prints
how often it was answered what, as a JSON line.
"""

import asyncio
import os
import sys
import time

import orjson
import uvloop
from aiohttp import ClientSession, ClientTimeout, TCPConnector

from tests.bench.accounts import ACCOUNTS
from tests.bench.addresses import ADDRESSES
from tests.bench.attacks import HOSTILE, Attack
from tests.bench.greedy import GREEDY
from tests.bench.worker import next_line, say

PATIENCE = 3.0
"""Seconds that an attack may take beyond its time."""
KINDS = {**HOSTILE, **ADDRESSES, **GREEDY, **ACCOUNTS}


async def main(url: str, source: str, seconds: float, *, eager: bool) -> None:
    if not eager:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    knowledge = orjson.loads(await next_line())
    while line := await next_line():
        connector = TCPConnector(limit=0, local_addr=(source, 0))
        async with ClientSession(url, connector=connector, timeout=ClientTimeout(total=seconds)) as session:
            attack = Attack(url, source, time.monotonic() + seconds, session, **knowledge)
            attacking = asyncio.ensure_future(KINDS[orjson.loads(line)](attack))
            # A socket that the server reads no further may wait for ever until what it sends has left.
            await asyncio.wait({attacking}, timeout=seconds + PATIENCE)
            if not attacking.cancel():
                attacking.result()
        say(attack.heard)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), eager="eager" in sys.argv[4:]))
