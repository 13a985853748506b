"""The probes of endings: what a player's old session may still do once it has signed out, was banned, or is deleted.

Law: the acknowledgement of the end is what counts. What is sent after it, to any node, must not take effect if it would
change something; what only reads may still be answered for SESSION_SECONDS.
"""

import asyncio
from collections.abc import Sequence
from urllib.parse import quote

from bots.play.catalogue import parse_names
from bots.probes.ground import ProbeGround
from bots.proof.invariants import BANS, SESSIONS, Fault
from bots.waiting import pause
from bots.wire import requests
from bots.wire.bodies import parse_state, player_id
from bots.wire.channel import Channel
from bots.wire.player_client import PlayerClient, Reply
from bots.wire.requests import Request

ATTEMPTS = 6
"""Commands at once, so that they reach more than one node."""
BOARD = "exp"
BOARD_SECONDS = 10.0
"""Within which a player that is gone leaves the boards."""
SESSION_SECONDS = 10.0
"""Within which a session that was ended reads nothing any more, on any node."""
HEARD_SECONDS = 3.0
"""Within which a node hears of what ended while the store of sessions was away, once that is back."""
LOOK_SECONDS = 0.2
READ = requests.get("read_on", "/v1/players/me")
SIGN_OUT = Request("sign_out", "DELETE", "/v1/sessions")
SIGN_OUT_HERE = Request("sign_out_here", "DELETE", "/v1/sessions/current")


class SignOutProbe:
    """A new player each round, which signs out everywhere and goes on with its old session.

    In some rounds it only reads, since a refused command may tell a node of the end; in half of these it signs out of
    this session alone.
    """

    every = 0.5

    def __init__(self, ground: ProbeGround) -> None:
        self._ground = ground
        self._rounds = 0
        self._looks: set[asyncio.Task[None]] = set()

    async def begin(self) -> bool:
        """Return that it can begin."""
        return True

    async def round(self) -> None:
        """Play, sign out, and try to go on."""
        ground, client = self._ground, self._ground.new_client()
        self._rounds += 1
        _, reply = await ground.sign_up(client)
        if not reply.ok:
            return
        await ground.act_at_once(client, ATTEMPTS)
        token, player = client.token, player_id(reply.body.get("player"))
        await self._read_at_once(token)
        only_reads = self._rounds % 3 == 0
        ended = await client.send(SIGN_OUT_HERE if only_reads and self._rounds % 2 else SIGN_OUT, Channel.HTTP)
        if not ended.ok:
            return
        ground.findings.happened["a sign-out"] += 1
        if only_reads:
            look = asyncio.create_task(self._look(token, player))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)
            return
        tried = await ground.act_at_once(client, ATTEMPTS)
        ground.findings.checked[SESSIONS] += len(tried)
        told = f"player {player} acted after it had signed out everywhere"
        ground.findings.faults += effects(SESSIONS, told, tried)

    async def _read_at_once(self, token: str | None) -> list[Reply]:
        """Send reads with a token, so many that they reach more than one node."""
        clients = [self._ground.new_client() for _ in range(ATTEMPTS)]
        for client in clients:
            client.token = token
        return await asyncio.gather(*(client.send(READ, Channel.HTTP) for client in clients))

    async def _look(self, token: str | None, player: str) -> None:
        """Wait until no node lets the session read."""
        ground, now = self._ground, asyncio.get_running_loop().time
        ends = now() + SESSION_SECONDS
        while any(reply.ok for reply in await self._read_at_once(token)):
            if now() > ends:
                await self._accuse(token, player)
                return
            await pause(LOOK_SECONDS, asyncio.Event())
        ground.findings.checked[SESSIONS] += 1

    async def _accuse(self, token: str | None, player: str) -> None:
        """Enter the fault, unless the store of sessions is away: what a node had checked stays valid then."""
        ground = self._ground
        _, opened = await ground.sign_up(ground.new_client())
        await pause(HEARD_SECONDS, asyncio.Event())
        if opened.ok and any(reply.ok for reply in await self._read_at_once(token)):
            told = f"player {player} could read {SESSION_SECONDS:g} s after its session had ended"
            ground.findings.faults.append(Fault(SESSIONS, told))

    async def close(self) -> None:
        """Wait for what is still looked for."""
        await asyncio.gather(*self._looks)


class BanProbe:
    """A new player each round, which an operator bans; some are deleted by themselves instead, some bans are lifted."""

    every = 1.0

    def __init__(self, ground: ProbeGround) -> None:
        self._ground = ground
        self._rounds = 0
        self._boards = [BOARD]
        self._looks: set[asyncio.Task[None]] = set()

    async def begin(self) -> bool:
        """Return whether there is an operator's key; learn which boards there are."""
        if self._ground.admin is None:
            return False
        listed = await self._ground.new_client().send(requests.get("boards", "/v1/boards"), Channel.HTTP)
        if listed.ok:
            self._boards = parse_names(listed.body, "boards")
        return True

    async def round(self) -> None:
        """End a player, and look for what is left of it."""
        ground, client = self._ground, self._ground.new_client()
        self._rounds += 1
        device, reply = await ground.sign_up(client)
        if not reply.ok:
            return
        player = player_id(reply.body.get("player"))
        await ground.act_at_once(client, ATTEMPTS)
        deletes = self._rounds % 3 == 0
        ended = await (self._delete(client) if deletes else self._ban(player, "POST"))
        # One that wasn't answered may have been carried out.
        ground.findings.gone += ended.ok or ended.answer is None or ended.uncertain
        if not ended.ok:
            return
        ground.findings.happened["a deletion" if deletes else "a ban"] += 1
        tried = [*await ground.act_at_once(client, ATTEMPTS), await client.send(requests.log_in(device), Channel.HTTP)]
        ground.findings.checked[BANS] += len(tried)
        told = f"player {player} acted or signed in after it was {'deleted' if deletes else 'banned'}"
        ground.findings.faults += effects(BANS, told, tried)
        look = asyncio.create_task(self._look(player, lifts=not deletes and self._rounds % 3 == 1))
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)

    async def _delete(self, client: PlayerClient) -> Reply:
        request = Request("delete", "DELETE", "/v1/players/me", key=self._ground.ids.next())
        return await client.send(request, Channel.HTTP)

    async def _ban(self, player: str, method: str) -> Reply:
        path, key = f"/admin/v1/players/{player}/ban", self._ground.ids.next()
        assert self._ground.admin is not None
        if method == "POST":
            request = Request("ban", method, path, body={"reason": "a probe of the bots"}, key=key)
        else:
            request = Request("lift_ban", method, f"{path}?reason=a%20probe%20of%20the%20bots", key=key)
        return await self._ground.admin.send(request, Channel.HTTP)

    async def _look(self, player: str, *, lifts: bool) -> None:
        """Wait until the player has left all boards and, if its ban is lifted, is back."""
        await asyncio.gather(*(self._until(player, board, there=False) for board in self._boards))
        if lifts and (await self._ban(player, "DELETE")).ok:
            self._ground.findings.gone -= 1
            self._ground.findings.happened["a ban lifted"] += 1
            await self._until(player, BOARD, there=True)

    async def _until(self, player: str, board: str, *, there: bool) -> None:
        """Wait for at most BOARD_SECONDS, which begin anew while boards are away or say that they lag."""
        ground, now = self._ground, asyncio.get_running_loop().time
        request = requests.get("rank", f"/v1/boards/{quote(board)}/ranks?ids={player}")
        client, ends = ground.new_client(), now() + BOARD_SECONDS
        while (reply := await client.send(request, Channel.HTTP)).ok:
            if bool(reply.body.get("entries")) == there:
                ground.findings.checked[BANS] += 1
                return
            if reply.failures or reply.body.get("stale"):
                ends = now() + BOARD_SECONDS
            elif now() > ends:
                told = f"player {player} is {'not ' if there else ''}on board {board} {BOARD_SECONDS:g} s after its ban"
                ground.findings.faults.append(Fault(BANS, f"{told}{' was lifted' if there else ''}"))
                return
            await pause(LOOK_SECONDS, asyncio.Event())

    async def close(self) -> None:
        """Wait for what is still looked for."""
        await asyncio.gather(*self._looks)


def effects(invariant: str, told: str, replies: Sequence[Reply]) -> list[Fault]:
    """Return a fault if one of these requests, none of which may take effect, was carried out."""
    done = [reply for reply in replies if reply.ok]
    lines = [f"{len(done)} of {len(replies)} requests that were sent after it were carried out"]
    lines += [_shown(reply) for reply in done]
    return [Fault(invariant, told, lines)] if done else []


def _shown(reply: Reply) -> str:
    version = parse_state(reply.body.get("player")).version
    return f"{reply.body.get('command_id', 'the sign-in')} was answered with version {version}"
