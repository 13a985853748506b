"""The proof of the players: reads every bot's state and whole ledger, and has them judged, one by one and together.

The law: letters between the bots that are still under way are waited for, and the ledgers that they concern are read
again. Reads are retried like every request. If the server stays away or answers outside the contract, the proof has
not been carried out, which counts as a failure too; so it has if a player is banned or can't sign in any more, unless
operators have ended it. Who reads may as well be a recorded history (bots/proof/replay.py):
it answers what the server answered then.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bots.play.belongings import GRANTED, TAKEN, Belongings
from bots.play.record import BotRecord
from bots.proof import invariants
from bots.proof.changes import change_of
from bots.proof.endings import BANNING, DELETING, was_ended
from bots.proof.inboxes import inbox_faults
from bots.proof.invariants import Fault
from bots.proof.letters import MAIL, MailCounts, judge_letters, unfinished_players
from bots.proof.pages import Asker, BannedPlayerError, DeniedPlayerError, NotProvedError, get, read_pages
from bots.proof.players import BANNED, DELETED, LedgerEntry, PlayerVerdict, judge, of_answers
from bots.waiting import call_for_all
from bots.wire.bodies import State, events_of_type, parse_letters, parse_state, player_of
from bots.wire.errors import BadAnswerError
from bots.wire.pushes import PushHistory

BOTS_AT_ONCE = 16
LEDGER_PATH = "/v1/players/me/ledger?limit=200"
INBOX_PATH = "/v1/players/me/inbox?limit=100"
SETTLING_SECONDS = 3.0
MAIL_SECONDS = 20.0
"""How long letters that are under way are waited for."""
MAIL_PAUSE = 0.3
READS = 5
"""How often a player is read again whose ledger and state are of two moments."""


class PlayerAsker(Asker, Protocol):
    """The client of one player."""

    pushes: PushHistory


class Witness(Protocol):
    """One player whose answers were recorded, and its client."""

    @property
    def record(self) -> BotRecord:
        """What it was answered."""

    @property
    def client(self) -> PlayerAsker:
        """Who reads as this player."""


@dataclass(frozen=True, slots=True)
class ProofPatience:
    """In seconds: how long what is under way may settle, letters may travel, and boards may catch up."""

    settling: float = SETTLING_SECONDS
    mail: float = MAIL_SECONDS
    boards: float = 10.0


@dataclass(slots=True)
class ServerRecord:
    """What the server stores of a bot's player; `fault` says why it can't be read.

    `item_faults` are differences between the player's items and its ledger, `inbox` has its letters; None if it wasn't
    read. Nothing can be read of a player that is `gone`, BANNED or DELETED.
    """

    present: State | None = None
    ledger: list[LedgerEntry] = field(default_factory=list)
    item_faults: list[str] = field(default_factory=list)
    inbox: list[Any] | None = None
    fault: str = ""
    gone: str = ""

    def is_of_one_moment(self) -> bool:
        """Whether the ledger ends in the present version, as far as both are known."""
        return self.present is None or not self.ledger or self.present.version == self.ledger[0].state.version


@dataclass(frozen=True, slots=True)
class PlayersProved:
    """The verdict on every player, the mail between them, and the ledger of each that could be read.

    `reread` reads some of the ledgers once more, for what came later; it raises NotProvedError.
    """

    verdicts: list[PlayerVerdict]
    mail: MailCounts
    ledgers: Mapping[str, Sequence[LedgerEntry]]
    reread: Callable[[Collection[str]], Awaitable[Mapping[str, Sequence[LedgerEntry]]]]


async def prove_players(
    bots: Sequence[Witness],
    patience: ProofPatience = ProofPatience(),
    operator: Asker | None = None,
    *,
    inboxes: bool = True,
) -> PlayersProved:
    """Judge every bot that has a player, and the mail between them; the operator knows who was banned or deleted.

    Without `inboxes` these aren't read. Raises NotProvedError.
    """
    reading = _Reading({bot.record.player_id: bot for bot in bots}, operator, inboxes)
    now = asyncio.get_running_loop().time
    mail_ends = now() + patience.mail
    proved = await _prove(reading, mail_ends)
    if any(bot.record.open for bot in bots) and not all(verdict.clean() for verdict in proved.verdicts):
        # A command of unknown fate may have taken effect between the reads.
        await asyncio.sleep(patience.settling)
        proved = await _prove(reading, max(mail_ends, now() + patience.settling))
    return proved


async def _prove(reading: "_Reading", mail_ends: float) -> PlayersProved:
    bots = reading.bots
    records = await reading.of(bots)
    while unfinished := unfinished_players(_ledgers(records), _gone(records)):
        if asyncio.get_running_loop().time() >= mail_ends:
            break
        await asyncio.sleep(MAIL_PAUSE)
        records |= await reading.of(unfinished)
    for _ in range(READS):
        # A letter or a reward may have been shown after the player was read.
        if not (behind := [player for player, record in records.items() if _is_behind(bots[player], record)]):
            break
        records |= await reading.of(behind)
    verdicts = {player: _judge(bots[player], record) for player, record in records.items()}
    mail = judge_letters(_ledgers(records), verdicts, _gone(records))
    return PlayersProved(list(verdicts.values()), mail, _ledgers(records), reading.ledgers_of)


def _is_behind(bot: Witness, record: ServerRecord) -> bool:
    latest = bot.record.latest
    return record.present is not None and latest is not None and record.present.version < latest.version


def _ledgers(records: Mapping[str, ServerRecord]) -> dict[str, list[LedgerEntry]]:
    return {player: record.ledger for player, record in records.items() if not record.gone}


def _gone(records: Mapping[str, ServerRecord]) -> set[str]:
    return {player for player, record in records.items() if record.gone}


@dataclass(frozen=True, slots=True)
class _Reading:
    """Who reads: the bots by player, and the operator, if there is one; whether inboxes are read, too."""

    bots: Mapping[str, Witness]
    operator: Asker | None
    inboxes: bool

    async def of(self, players: Collection[str]) -> dict[str, ServerRecord]:
        """Read what the server stores of these players; raises NotProvedError."""
        records = await call_for_all(self._one, players, at_once=BOTS_AT_ONCE)
        return dict(zip(players, records, strict=True))

    async def ledgers_of(self, players: Collection[str]) -> Mapping[str, Sequence[LedgerEntry]]:
        """Read the ledgers of these players, but for those that are gone by now."""
        return _ledgers(await self.of(players))

    async def _one(self, player: str) -> ServerRecord:
        try:
            return await _read(self.bots[player], inboxes=self.inboxes)
        except DeniedPlayerError as error:
            return await self._gone(player, DELETED, error)
        except BannedPlayerError as error:
            return await self._gone(player, BANNED, error)

    async def _gone(self, player: str, how: str, error: NotProvedError) -> ServerRecord:
        """Ask the audit log whether a player is gone as its answers say; raises NotProvedError if that isn't known."""
        if self.operator is None:
            raise NotProvedError(f"{error}: with an admin key it is known whether it was {how}") from error
        if not await was_ended(self.operator, player, BANNING if how == BANNED else DELETING):
            raise error
        return ServerRecord(gone=how)


async def _read(bot: Witness, *, inboxes: bool) -> ServerRecord:
    """Read once more if a letter or a reward came between the reads."""
    record = await _read_once(bot, inboxes=inboxes)
    for _ in range(READS):
        if record.is_of_one_moment():
            break
        record = await _read_once(bot, inboxes=inboxes)
    return record


async def _read_once(bot: Witness, *, inboxes: bool) -> ServerRecord:
    try:
        lines = await read_pages(bot.client, LEDGER_PATH)
        inbox = await read_pages(bot.client, INBOX_PATH) if inboxes else None
        player = player_of(await get(bot.client, "/v1/players/me?max_staleness=0"))
        item_faults = _item_faults(lines, await get(bot.client, "/v1/players/me/items"))
        return ServerRecord(parse_state(player), [parse_entry(line) for line in lines], item_faults, inbox)
    except BadAnswerError as error:
        return ServerRecord(fault=f"player {bot.record.player_id}: {error}")


def _item_faults(lines: Sequence[Any], items: Any) -> list[str]:
    by_ledger = Belongings()
    for line in lines:
        by_ledger.add(line.get("events"))
    return by_ledger.faults(items)


def _judge(bot: Witness, record: ServerRecord) -> PlayerVerdict:
    if record.gone:
        verdict = PlayerVerdict(unexplained=of_answers(bot.record, items=False, gone=True), gone=record.gone)
    elif record.present is None:
        verdict = PlayerVerdict(unexplained=[*of_answers(bot.record), record.fault])
    else:
        verdict = judge(bot.record, record.present, record.ledger)
        told = f"player {bot.record.player_id}: by its ledger"
        verdict.unexplained += [Fault(invariants.ITEMS, f"{told}, {fault}") for fault in record.item_faults]
        verdict.checked[invariants.ITEMS] += len(record.ledger)
        if record.inbox is not None and record.is_of_one_moment():
            verdict.unexplained += [
                Fault(invariants.LETTERS, f"player {bot.record.player_id}: {fault}")
                for fault in inbox_faults(record.ledger, record.inbox)
            ]
    told = f"player {bot.record.player_id}"
    verdict.pushes += [Fault(invariants.PUSHES, f"{told}: {fault}") for fault in bot.client.pushes.faults]
    verdict.checked[invariants.PUSHES] += bot.client.pushes.count
    return verdict


def parse_entry(line: Any) -> LedgerEntry:
    """Read one line of a ledger; raises BadAnswerError."""
    if not isinstance(line, Mapping) or not isinstance(line.get("command_id"), str):
        raise BadAnswerError(f"expected a ledger entry with a command_id, got {line!r:.200}")
    player = line.get("player")
    if isinstance(player, Mapping):
        player = {"version": line.get("version"), **player}
    state = parse_state(player)
    if line.get("version", state.version) != state.version:
        raise BadAnswerError(f"the ledger entry of version {line['version']} has a player of version {state.version}")
    action, args = str(line.get("action", "")), line.get("args")
    letter: Mapping[str, Any] = args if action.startswith(MAIL) and isinstance(args, Mapping) else {}
    return LedgerEntry(
        line["command_id"],
        action,
        state,
        parse_letters(line.get("events")),
        str(letter.get("sender", "")),
        points=_points(line.get("events")),
        at=str(line.get("at", "")),
        args=letter,
        rescored=_rescored(line.get("events")),
        moves_items=any(events_of_type(line.get("events"), kind) for kind in (GRANTED, TAKEN)),
        change=change_of(line.get("events")),
    )


def _rescored(events: Any) -> Counter[str]:
    """By how much the events of a correction say that it changed scores, by board; raises BadAnswerError."""
    changed: Counter[str] = Counter()
    for event in events or ():
        for change in event.get("scores") or () if isinstance(event, Mapping) else ():
            try:
                changed[change["board"]] += (change["after"] or 0) - (change["before"] or 0)
            except (KeyError, TypeError) as error:
                raise BadAnswerError(f"expected a changed score, got {change!r:.120}") from error
    return changed


def _points(events: Any) -> Counter[str]:
    """What the events of a command say that it scored, by name; raises BadAnswerError."""
    points: Counter[str] = Counter()
    for event in events or ():
        scored = event.get("scored") if isinstance(event, Mapping) else None
        if scored is None:
            continue
        if not isinstance(scored, Mapping) or not all(isinstance(amount, int) for amount in scored.values()):
            raise BadAnswerError(f"expected points by name, got {scored!r:.120}")
        points.update(scored)
    return points
