"""`make bench-hostile`: what honest players notice while one address attacks each door, or one account asks greedily.

Honest players act and read over sockets and HTTP, sign up and sign in at a steady pace; the attacker is a process of
its own with a source address of its own for each attack. Attackers have machines of their own, so ours must not pay for
what the attack costs the attacker: the nodes and their servers run on one processor, and on the other one HAProxy and
the honest players come before the attacker whenever they have work (SCHED_FIFO, which needs root). Left to the
scheduler alone, a process that computes at the lowest priority holds a processor for up to 10 ms at a time, the tick of
this kernel, and two such holds are longer than what is measured. Three spells take turns, ROUNDS of each, so that a
machine's noise meets all: calm ones, busy ones, in which the attacker's process only computes and which show that this
separation works, and attacks. The criterion is the ratio of the attack's p99 to the calm one, of each round, and of
these the median. And what the attack makes the servers do: the processor time of each kind of process in each spell, as
a share of one core. The limits are those that are given by default.
"""

import asyncio
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count
from pathlib import Path
from statistics import median
from typing import TypeVar

import orjson
import uvloop
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from bots.wire.connecting import allow_files
from gameserver.config.limits import LimitSettings
from tests.bench.attacker import KINDS
from tests.bench.attacks import bystander
from tests.bench.processor import confine, put_first, seconds_of
from tests.bench.stack import running
from tests.bench.worker import worker
from tests.support.client import Api, Signed
from tests.support.haproxy import haproxy

ROUNDS = int(os.environ.get("ROUNDS", "4"))
GOAL = 1.5
"""What the p99 may be, to the calm or to the busy one; in one of the two, since either may be unlucky."""
ENOUGH = 100
"""Answers, of which a p99 isn't the slowest one."""
SECONDS = 5.0
"""Of a spell, hostile or calm."""
SETTLE_SECONDS = 1.0
WARM_SECONDS = 8.0
PLAYERS = 30
SOCKETS = 16
LOOPS = 4
"""Of readers, sign-ups and sign-ins at once: of fewer answers the p99 would be the slowest one."""
PAUSE = 0.05
SIGN_IN_PAUSE = 0.2
PASSWORD_PAUSE = 5.0
"""Hashing takes the servers' one processor for 35 ms, and a calm p99 that is made of that would hide attacks."""
PASSWORD = "the owner's own password 7"
FILES = 12_000
SERVERS, OUTSIDE = 0, 1
"""Processors."""
AT_NODE = os.environ.get("AT", "proxy") == "node"
"""Whether the attacker goes to a node directly, as where no HAProxy stands in front; the honest come through it."""
CONFIG = Path(os.environ.get("CONFIG", "config/one.toml"))
console = Console(width=150)
T = TypeVar("T")
Rounds = Sequence[tuple["Spell", "Spell", "Spell"]]
"""Of each round the calm, the busy and the hostile spell."""
_numbers = count(1)


@dataclass
class Spell:
    """What the honest players noticed, by kind; latencies in ms."""

    latencies: dict[str, list[float]] = field(default_factory=partial(defaultdict, list))
    failed: Counter[str] = field(default_factory=Counter)
    used: Counter[str] = field(default_factory=Counter)
    """Seconds of processor time, by kind of process."""
    seconds: float = 0

    def cores(self, kind: str) -> float:
        """The share of one core that a kind of process has used."""
        return self.used[kind] / self.seconds if self.seconds else 0.0


class Crowd:
    """The honest players; `spell` is what counts at present."""

    def __init__(self, api: Api, players: list[Signed], servers: Mapping[str, Sequence[int]]) -> None:
        """`servers` are the processes whose time counts, by kind."""
        self._api, self._players, self.servers = api, players, servers
        self.spell = Spell()

    async def play(self) -> None:
        on_sockets, over_http = self._players[:SOCKETS], self._players[SOCKETS : -LOOPS - 1]
        # Whoever signs in so often loses its oldest session.
        by_password, *by_device = self._players[-LOOPS - 1 :]
        await asyncio.gather(
            *(self._on_socket(player) for player in on_sockets),
            *(self._repeat("act over HTTP", PAUSE, partial(self._act, player)) for player in over_http),
            *(self._repeat("read over HTTP", PAUSE, partial(self._read, player)) for player in over_http[:LOOPS]),
            *(self._repeat("sign up", SIGN_IN_PAUSE, self._sign_up) for _ in range(LOOPS)),
            *(self._repeat("sign in by device", SIGN_IN_PAUSE, partial(self._device, player)) for player in by_device),
            self._repeat("sign in by password", PASSWORD_PAUSE, lambda: self._password(by_password)),
        )

    async def _on_socket(self, player: Signed) -> None:
        socket = await self._api.socket(player.token)

        async def act() -> bool:
            answer = await socket.ask("act", action="hunt", args={"foe": "slime"})
            return "ok" in answer or answer["error"]["code"] == "player_is_down"

        await self._repeat("act on a socket", PAUSE, act)

    async def _repeat(self, kind: str, pause: float, ask: Callable[[], Awaitable[bool]]) -> None:
        while True:
            began = time.perf_counter()
            try:
                went_well = await ask()
            except (OSError, TimeoutError):
                went_well = False
            if not went_well:
                self.spell.failed[kind] += 1
            self.spell.latencies[kind].append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(pause)

    async def _act(self, player: Signed) -> bool:
        return (await self._api.act(player)).status in (200, 409)

    async def _read(self, player: Signed) -> bool:
        return (await self._api.ask("GET", "/v1/players/me", token=player.token)).status == 200

    async def _sign_up(self) -> bool:
        body = {"name": f"Y{next(_numbers)}", "class": "mage", "device": os.urandom(16).hex()}
        return (await self._api.ask("POST", "/v1/players", body=body)).status == 201

    async def _device(self, player: Signed) -> bool:
        return (await self._api.ask("POST", "/v1/sessions", body={"device": player.device})).status == 201

    async def _password(self, player: Signed) -> bool:
        body = {"name": player.name, "password": PASSWORD}
        return (await self._api.ask("POST", "/v1/sessions", body=body)).status == 201


async def main(kinds: list[str]) -> list[str]:
    """What went beyond the goal, a line each."""
    beyond = list[str]()
    default_limits()
    os.sched_setaffinity(0, {SERVERS})  # the nodes count their processors as they start
    async with (
        running(CONFIG) as stack,
        haproxy(stack.folder, stack.settings, stack.ports) as proxy,
        Api(proxy.url) as api,
    ):
        players = [await api.sign_up(device=os.urandom(24).hex(), password=PASSWORD) for _ in range(PLAYERS)]
        hostile = await api.sign_up("mage", device=os.urandom(24).hex())
        crowd = Crowd(api, players, {**stack.pids(), "haproxy": [proxy.pid]})
        separate(chain.from_iterable(stack.pids().values()), proxy.pid)
        playing = asyncio.create_task(crowd.play())
        await asyncio.sleep(WARM_SECONDS)
        for number, kind in enumerate(kinds):
            known = {
                "token": hostile.token,
                "device": hostile.device,
                "victim": players[-LOOPS - 1].name,
                "strangers": [player.id for player in players],
            }
            node = stack.settings.node
            where = f"http://{node.host}:{node.port}" if AT_NODE else proxy.url
            rounds = await measure(crowd, kind, (where, f"127.0.1.{number + 1}"), known)
            beyond += [f"{kind}: {name}" for name in exceeding(rounds)]
        playing.cancel()
    return beyond


def default_limits() -> None:
    """The limits that are given by default, for every node that is started from now on, but for the honest address."""
    allow_files(FILES)
    for name, limit in LimitSettings.model_fields.items():
        if name != "exempt":
            os.environ[f"GAMESERVER_LIMITS__{name.upper()}"] = orjson.dumps(limit.default, default=_plain).decode()
    # Only the honest address is exempt, the nodes know the attacker's behind HAProxy, and nobody signs in too often.
    os.environ["GAMESERVER_LIMITS__EXEMPT"] = '["127.0.0.1/32"]'
    os.environ["GAMESERVER_NODE__TRUSTED_PROXIES"] = '["127.0.0.1/32"]'
    # As everywhere behind HAProxy: on a listener of operators alone, nodes count nobody by address.
    os.environ["GAMESERVER_NODE__OPERATORS_LISTEN"] = "port"
    os.environ["GAMESERVER_SESSIONS__PER_PLAYER"] = "1000"


def separate(servers: Iterable[int], proxy: int) -> None:
    """The nodes and their servers get one processor; the proxy and the honest players come first on the other."""
    confine(servers, SERVERS)
    # HAProxy 2.6 may run on and on for a socket whose client doesn't read: then the honest must come before it.
    put_first([os.getpid(), proxy], OUTSIDE)


def _plain(limit: BaseModel) -> object:
    return limit.model_dump()


async def measure(crowd: Crowd, kind: str, where: tuple[str, str], known: Mapping[str, object]) -> Rounds:
    """Spells in turn; `where` is the URL that is attacked, and from which address."""
    rounds, answered = list[tuple[Spell, Spell, Spell]](), Counter[str]()
    async with worker("attacker", *where, str(SECONDS)) as attacker:
        attacker.tell(known)
        for _ in range(ROUNDS):
            calm, busy, attacked = Spell(), Spell(), Spell()
            rounds.append((calm, busy, attacked))
            await asyncio.sleep(SETTLE_SECONDS)
            await heard(crowd, calm, asyncio.sleep(SECONDS))
            attacker.tell(bystander.__name__)
            await heard(crowd, busy, attacker.hear())
            attacker.tell(kind)
            answered.update(await heard(crowd, attacked, asyncio.wait_for(attacker.hear(), SECONDS + 30)))
    show(kind, answered, rounds)
    return rounds


async def heard(crowd: Crowd, spell: Spell, meanwhile: Awaitable[T]) -> T:
    """Counts latencies, failures and processor time for this spell while something goes on."""
    crowd.spell, began, before = spell, time.perf_counter(), seconds_of(crowd.servers)
    result = await meanwhile
    crowd.spell = Spell()
    spell.seconds += time.perf_counter() - began
    after = seconds_of(crowd.servers)
    spell.used.update({kind: after[kind] - before[kind] for kind in after})
    return result


def at(latencies: list[float], share: float) -> float:
    """The quantile, in ms; 0 without any."""
    return sorted(latencies)[min(len(latencies) - 1, int(len(latencies) * share))] if latencies else 0.0


def joined(spells: Iterable[Spell]) -> Spell:
    """One spell that has what all of them have."""
    whole = Spell()
    for spell in spells:
        for name, latencies in spell.latencies.items():
            whole.latencies[name] += latencies
        whole.failed += spell.failed
        whole.used.update(spell.used)
        whole.seconds += spell.seconds
    return whole


def ratio(rounds: Rounds, name: str, before: int) -> float | None:
    """The median, over the rounds, of the p99 under attack to that of the calm (0) or busy (1) spell of the round."""
    tails = [(at(spells[-1].latencies[name], 0.99), at(spells[before].latencies[name], 0.99)) for spells in rounds]
    ratios = [hostile / other for hostile, other in tails if other]
    return median(ratios) if ratios else None


def exceeding(rounds: Rounds) -> list[str]:
    """What honest players did whose p99 went beyond the goal, as often as makes a p99; and what failed."""
    attacked = joined(spells[-1] for spells in rounds)
    found = [name for name, number in attacked.failed.items() if number]
    for name, latencies in attacked.latencies.items():
        ratios = [each for before in (0, 1) if (each := ratio(rounds, name, before)) is not None]
        if len(latencies) >= ENOUGH and ratios and min(ratios) > GOAL:
            found.append(f"{name} {min(ratios):.2f}")
    return found


def show(kind: str, answered: Mapping[str, int], rounds: Rounds) -> None:
    columns = ("honest players", "p50 ms: calm, busy, attacked", "p99 ms", "to busy", "to calm", "answers", "failed")
    table = Table(*columns, title_justify="left")
    spells = tuple(map(joined, zip(*rounds, strict=True)))
    attacked = spells[-1]
    rates = ", ".join(f"{name} {number / attacked.seconds:,.0f} a second" for name, number in answered.items())
    table.title = f"{kind}: {KINDS[kind].__doc__} {rates}"
    for name in sorted(attacked.latencies):
        medians, tails = ([at(spell.latencies[name], share) for spell in spells] for share in (0.5, 0.99))
        table.add_row(
            name, *(" ".join(f"{value:7.1f}" for value in values) for values in (medians, tails)),
            *(f"{ratio(rounds, name, before) or 0:.2f}" for before in (1, 0)),
            f"{len(attacked.latencies[name]):,}", str(attacked.failed[name]),
        )  # fmt: skip
    console.print(table)
    shares = (f"{kind} " + " / ".join(f"{spell.cores(kind):.2f}" for spell in spells) for kind in attacked.used)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    console.print("cores:", ", ".join(shares), f"; ratios are medians of {len(rounds)} rounds; load average {load};")
    console.print("the attacker's own process runs with what the others leave of its processor (SCHED_IDLE)")


if __name__ == "__main__":
    found = uvloop.run(main(sys.argv[1:] or list(KINDS)))
    console.print(f"beyond {GOAL} times, calm and busy:", ", ".join(found) or "nothing")
    sys.exit(1 if found else 0)
