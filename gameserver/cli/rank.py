"""`gameserver rank`: players in order over all databases, one player's place among them, or how they are spread."""

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from gameserver import app as application
from gameserver.cli import places, tables
from gameserver.cli.actor import ReasonIfChanged, needed
from gameserver.cli.auditing import by_command
from gameserver.cli.config_file import DEFAULT, Config
from gameserver.cli.running import Json, console, until_enough, with_core
from gameserver.commands import rankings, saved_queries
from gameserver.commands.results import PLAYER_COLUMNS, AuditedChange, ChangedBy, Question, SpreadQuestion
from gameserver.exports import Format, heading, joined
from gameserver.rules.arguments import LARGEST_ID
from gameserver.terminal import show, show_json
from gameserver.times import rfc3339
from gameserver.transport import answers, wire
from gameserver.transport.http.rankings import percentiles_of, player_choice, segment_choice
from gameserver.transport.http.saved_queries import required, title_to_save

Moment = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"], help="In UTC.")
]
Yes = bool | None
Given = str | int | bool | datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """What is asked about those who fit; without a `place`, a `spread` or a `file`, `limit` of them."""

    limit: int
    as_json: bool
    place: int | None
    spread: Mapping[str, str] | None
    file: Format | None


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
    min_level: Annotated[
        int | None, typer.Option(min=1, max=wire.MOST_LEVELS, help="Only this level and higher ones.")
    ] = None,
    max_level: Annotated[
        int | None, typer.Option(min=1, max=wire.MOST_LEVELS, help="Only this level and lower ones.")
    ] = None,
    created_since: Moment = None,
    created_until: Moment = None,
    seen_since: Moment = None,
    seen_until: Moment = None,
    banned: Annotated[Yes, typer.Option("--banned/--not-banned", help="Only those that are, or aren't.")] = None,
    online: Annotated[Yes, typer.Option("--online/--offline", help="Only those that are, or aren't.")] = None,
    player_id: Annotated[str | None, typer.Option("--id", help="Only the player of this id.")] = None,
    name: Annotated[str | None, typer.Option(help="Only the player of this name.")] = None,
    name_begins: Annotated[str | None, typer.Option(help="Only players whose name begins so.")] = None,
    name_part: Annotated[str | None, typer.Option(help="Only players whose name has this part.")] = None,
    device: Annotated[str | None, typer.Option(help="Only the player of this device, or of its hash.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many players.")] = 20,
    ascending: Annotated[bool, typer.Option("--ascending", help="The lowest first.")] = False,  # noqa: FBT002
    place: Annotated[
        int | None,
        typer.Option(metavar="ID", min=1, max=LARGEST_ID, help="Print the place of this player among them instead."),
    ] = None,
    spread: Annotated[bool, typer.Option("--spread", help="Print percentiles and a histogram instead.")] = False,  # noqa: FBT002
    percentiles: Annotated[
        str, typer.Option(help="Of --spread: the values that so many per cent don't exceed.")
    ] = "1,10,25,50,75,90,99",
    bars: Annotated[int, typer.Option(min=1, max=200, help="Of --spread: how many bars.")] = 20,
    csv: Annotated[bool, typer.Option("--csv", help="Print all of them as CSV, whatever the limit is.")] = False,  # noqa: FBT002
    ndjson: Annotated[bool, typer.Option("--ndjson", help="The same as JSON lines.")] = False,  # noqa: FBT002
    save: Annotated[
        str | None, typer.Option(metavar="NAME", help="Save the query under this name, too, for all operators.")
    ] = None,
    reason: ReasonIfChanged = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Rank the players, exactly, over all databases."""
    given = _query(
        {
            "by": by,
            "order": "asc" if ascending else None,
            "class": class_name,
            "min_level": min_level,
            "max_level": max_level,
            "created_since": created_since,
            "created_until": created_until,
            "seen_since": seen_since,
            "seen_until": seen_until,
            "banned": banned,
            "online": online,
            "id": player_id,
            "name": name,
            "name_begins": name_begins,
            "name_part": name_part,
            "device": device,
        }
    )
    if sum((place is not None, spread, csv, ndjson)) > 1:
        raise typer.BadParameter("--place, --spread, --csv and --ndjson are different answers: give one of them")
    file: Format | None = "csv" if csv else "ndjson" if ndjson else None
    saving = None if save is None else (save, by_command(needed(reason)))
    shown = Shown(limit, as_json, place, {"percentiles": percentiles, "bars": str(bars)} if spread else None, file)

    async def work(core: application.Core) -> None:
        before = {} if saved is None else (await saved_queries.find(core.commands.operations, saved)).query
        query = {**before, **given}
        if saving is not None:
            await _save(core, saving, query)
        await _answer(core, query, shown)

    with_core(config, work)


def _query(options: Mapping[str, Given | None]) -> dict[str, str]:
    """The options that were given, as the API has them in an address."""

    def written(value: Given) -> str:
        if isinstance(value, datetime):
            return rfc3339(value.replace(tzinfo=UTC))
        return str(value).lower() if isinstance(value, bool) else str(value)

    return {name: written(value) for name, value in options.items() if value is not None}


async def _save(core: application.Core, saving: tuple[str, ChangedBy], query: Mapping[str, str]) -> None:
    (name, by), commands = saving, core.commands
    title = title_to_save(name, await saved_queries.name_of(commands.operations, required(name), by.command_id))
    change = AuditedChange(by.admin, "save_query", title, by.reason, command_id=by.command_id)
    choice = segment_choice(wire.parse(wire.SegmentFilter, query))
    await saved_queries.save(commands.operations, commands.accounts, change, query, choice)


async def _answer(core: application.Core, query: Mapping[str, str], shown: Shown) -> None:
    context, fields = core.commands.operations, wire.parse(wire.PlayersFilter, query)
    if shown.spread is not None:
        await _spread(core, wire.parse(wire.SpreadQuery, {**query, **shown.spread}), shown)
        return
    segment = await rankings.resolved(context, core.commands.accounts, player_choice(fields))
    question = Question(fields.by, shown.limit, fields.order == "desc", segment)
    if shown.file is not None:
        await _export(core, question, shown.file)
    elif shown.place is not None:
        found = await rankings.place(context, question, shown.place)
        if shown.as_json:
            show_json(answers.ranked_place(found))
        else:
            console.print(places.place(found, fields.by), soft_wrap=True)
    else:
        ranking = await rankings.rank(context, question)
        if shown.as_json:
            show_json(answers.ranking(ranking, core.rulebook.game, None))
        else:
            show(console, tables.ranking(ranking, core.rulebook.game))


async def _spread(core: application.Core, fields: wire.SpreadQuery, shown: Shown) -> None:
    context, percentiles = core.commands.operations, percentiles_of(fields)
    segment = await rankings.resolved(context, core.commands.accounts, player_choice(fields))
    found = answers.spread(
        await rankings.spread(context, SpreadQuestion(fields.by, segment, percentiles, fields.bars)), fields.by
    )
    if shown.as_json:
        show_json(found)
        return
    for table in places.spread(found, fields.by):
        show(console, table)
    console.print(places.asked(found), soft_wrap=True)


async def _export(core: application.Core, question: Question, kind: Format) -> None:
    out = sys.stdout.buffer
    with until_enough():
        out.write(heading(PLAYER_COLUMNS, kind))
        async with contextlib.aclosing(rankings.export(core.commands.operations, question, kind)) as parts:
            async for part in parts:
                out.write(joined(part))
        out.flush()
