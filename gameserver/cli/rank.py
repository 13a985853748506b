"""`gameserver rank`: players in order, over all databases, as a table or as a file."""

import contextlib
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from gameserver import app as application
from gameserver.cli import tables
from gameserver.cli.config_file import DEFAULT, Config
from gameserver.cli.running import Json, console, until_enough, with_core
from gameserver.commands import rankings, saved_queries
from gameserver.commands.rankings import PlayerChoice
from gameserver.commands.results import PLAYER_COLUMNS, Question, Segment
from gameserver.exports import Format, heading, joined
from gameserver.terminal import show, show_json
from gameserver.transport import answers, wire
from gameserver.transport.http.rankings import segment_choice

Moment = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"], help="In UTC.")
]
Yes = bool | None


def rank(  # noqa: PLR0913 (one for each option)
    config: Config = DEFAULT,
    by: Annotated[
        Literal["exp", "level", "hp", "created_at", "seen_at"] | None,
        typer.Option(help="What to rank by; exp unless given."),
    ] = None,
    saved: Annotated[
        str | None, typer.Option(help="A query that operators saved; options beside it take the place of its own.")
    ] = None,
    class_name: Annotated[str | None, typer.Option("--class", help="Only this class.")] = None,
    min_level: Annotated[int | None, typer.Option(min=1, help="Only this level and higher ones.")] = None,
    max_level: Annotated[int | None, typer.Option(min=1, help="Only this level and lower ones.")] = None,
    created_since: Moment = None,
    created_until: Moment = None,
    seen_since: Moment = None,
    seen_until: Moment = None,
    banned: Annotated[Yes, typer.Option("--banned/--not-banned", help="Only those that are, or aren't.")] = None,
    online: Annotated[Yes, typer.Option("--online/--offline", help="Only those that are, or aren't.")] = None,
    name: Annotated[str | None, typer.Option(help="Only the player of this name.")] = None,
    name_begins: Annotated[str | None, typer.Option(help="Only players whose name begins so.")] = None,
    name_part: Annotated[str | None, typer.Option(help="Only players whose name has this part.")] = None,
    device: Annotated[str | None, typer.Option(help="Only the player of this device, or of its hash.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many players.")] = 20,
    ascending: Annotated[bool, typer.Option("--ascending", help="The lowest first.")] = False,  # noqa: FBT002
    csv: Annotated[bool, typer.Option("--csv", help="Print all of them as CSV, whatever the limit is.")] = False,  # noqa: FBT002
    ndjson: Annotated[bool, typer.Option("--ndjson", help="The same as JSON lines.")] = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Rank the players, exactly, over all databases."""
    segment = Segment(
        class_name=class_name,
        min_level=min_level,
        max_level=max_level,
        created_since=_utc(created_since),
        created_until=_utc(created_until),
        seen_since=_utc(seen_since),
        seen_until=_utc(seen_until),
        banned=banned,
        name_begins=name_begins,
        name_part=name_part,
    )
    given = PlayerChoice(segment, online, name, device)

    async def work(core: application.Core) -> None:
        context = core.commands.operations
        query = wire.SegmentFilter()
        if saved is not None:
            query = wire.parse(wire.SegmentFilter, (await saved_queries.find(context, saved)).query)
        chosen = await rankings.resolved(context, core.commands.accounts, _over(query, given))
        question = Question(by or query.by, limit, not ascending and query.order == "desc", chosen)
        if csv or ndjson:
            await _export(core, question, "csv" if csv else "ndjson")
            return
        ranking = await rankings.rank(context, question)
        if as_json:
            show_json(answers.ranking(ranking, core.rulebook.game, None))
        else:
            show(console, tables.ranking(ranking, core.rulebook.game))

    with_core(config, work)


def _over(query: wire.SegmentFilter, given: PlayerChoice) -> PlayerChoice:
    """What was given, and of a saved query what wasn't."""
    saved = segment_choice(query)
    rest = {name: value for name, value in asdict(given.segment).items() if value is not None}
    online = saved.online if given.online is None else given.online
    return replace(given, segment=replace(saved.segment, **rest), online=online)


async def _export(core: application.Core, question: Question, kind: Format) -> None:
    out = sys.stdout.buffer
    with until_enough():
        out.write(heading(PLAYER_COLUMNS, kind))
        async with contextlib.aclosing(rankings.export(core.commands.operations, question, kind)) as parts:
            async for part in parts:
                out.write(joined(part))
        out.flush()


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
