"""`gameserver backup`, `restore` and `backups`: base backups, and databases restored from them."""

import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gameserver.app import backups as application
from gameserver.app import reconciling, restoring
from gameserver.app.backups import BackedUpSystem, Say
from gameserver.app.erasing_again import LEFT
from gameserver.app.reconciling import CONFLICTS
from gameserver.app.restoring import Restoration, RestoredData
from gameserver.cli import backup_list
from gameserver.cli.actor import Reason, ReasonIfChanged, needed
from gameserver.cli.auditing import audited, by_command, change_of
from gameserver.cli.config_file import DEFAULT, Config, settings_of
from gameserver.cli.running import Json, carry_out, console, faults, say
from gameserver.config.settings import Settings
from gameserver.rules.errors import GameError
from gameserver.stack.backups.making import BackedUp
from gameserver.stack.errors import StackError
from gameserver.storage.crossings.findings import Findings
from gameserver.storage.slots.slot_map import IncompleteMap
from gameserver.terminal import show, show_json
from gameserver.times import moment_in_utc, rfc3339

LATEST = "latest"
LAST_TIMELINE = 2**32 - 1
SHOWN = 20
"""Findings of a kind that are printed; --json has up to a thousand."""
backups_cli = typer.Typer(no_args_is_help=True, help="Show and check the backups of the databases.")
Wanted = Annotated[list[str] | None, typer.Argument(metavar="[DATABASE]...", help="The databases; all if none.")]


def backup(
    databases: Wanted = None,
    config: Config = DEFAULT,
    incremental: Annotated[bool, typer.Option("--incremental", help="What changed since the newest.")] = False,  # noqa: FBT002
) -> None:
    """Make a base backup of each database, check it, and delete what is too old; ends with 1 if one fails."""
    failed: list[str] = []
    with faults():

        async def work() -> None:
            failed.extend(await application.back_up(settings_of(config), databases or [], say, incremental=incremental))

        carry_out(work())
    _end_with(failed)


def restore(  # noqa: PLR0913 (one for each option)
    database: Annotated[str, typer.Option(help="The database to be restored; the others go on.")],
    to: Annotated[str, typer.Option(help="The moment, such as 2026-11-28T17:30:00Z, or `latest`.")],
    timeline: Annotated[
        int | None, typer.Option(min=1, max=LAST_TIMELINE, help="Of which past; without it, the present one's.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="Of which system, where its data is lost and this asks.")] = None,
    into: Annotated[Path | None, typer.Option(help="A new folder for the data, which then isn't put in place.")] = None,
    reason: ReasonIfChanged = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before it takes the database's place.")] = False,  # noqa: FBT002
    config: Config = DEFAULT,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Restore one database as it was at a moment: its players go back, nobody else does."""
    found: list[Findings] = []
    with faults():
        wanted = Restoration(database, _moment(to), timeline, into, system)
        why = needed(reason) if into is None else ""
        if into is None:
            _require_agreement(wanted, to, agreed=yes)

        async def work() -> None:
            tell = partial(say, err=True) if as_json else say
            settings = settings_of(config)
            if into is None:
                done, crossed = await _put_in_place(settings, wanted, why, tell)
                found.extend(crossed)
            else:
                done = await restoring.restore(settings, wanted, tell)
            if as_json:
                show_json(_report(done) | {"findings": _findings(found)})
                return
            _say(_sentence(done))
            if done.running:
                _tell(found)

        carry_out(work())
    _require_put_right(found)


def _require_agreement(wanted: Restoration, to: str, *, agreed: bool) -> None:
    """Says what restoring in place means, and asks at a terminal unless that was agreed to; ends the process if not."""
    away = " When the backup is copied it ends, and it is away until it runs again." if wanted.moment is None else ""
    consequence = f"{wanted.database} goes back to {to}; what it has now stays in a folder beside.{away}"
    if agreed:
        typer.echo(consequence, err=True)
    elif sys.stdin is not None and sys.stdin.isatty():
        typer.confirm(f"{consequence} Go on?", abort=True, err=True)
    else:
        raise StackError(f"{consequence} There is no terminal to ask whether to go on: use --yes to agree to that.")


async def _put_in_place(
    settings: Settings, wanted: Restoration, reason: str, tell: Say
) -> tuple[RestoredData, Sequence[Findings]]:
    """Restores a database where it is, with its entry in the audit log, and puts right what crossed.

    Of the control database the entry is written afterwards: its log goes back with it. Where commits wait for a
    replica, one is awaited before anything more is written.
    """
    database = wanted.database
    details = {"to": LATEST if wanted.moment is None else rfc3339(wanted.moment), "timeline": wanted.timeline}
    entry = audited(settings, change_of("database_restore", database, reason, details, {"timeline": None}))
    is_control = database == settings.control.database
    async with AsyncExitStack() as stack:
        end = None if is_control else await stack.enter_async_context(entry)
        done = await restoring.restore(settings, wanted, tell)
        if end is not None:
            end.after = {"timeline": done.timeline}
    if done.running and settings.databases[database].synchronous:
        await restoring.until_a_replica_streams(
            BackedUp(database, settings.database_url(database)), restoring.by_hand(done.plan), tell
        )
    if is_control:
        async with entry as end:
            end.after = {"timeline": done.timeline}
    return done, await _crossed(settings, done, reason, tell) if done.running else []


async def _crossed(settings: Settings, done: RestoredData, reason: str, tell: Say) -> Sequence[Findings]:
    """What crossed is put right. Raises StackError that says what was restored, and how to do this again."""
    try:
        return await reconciling.reconcile(settings, done.plan.backup.database, done.since, by_command(reason), tell)
    except (StackError, IncompleteMap, GameError) as error:
        told = f"{_sentence(done)}\nWhat crossed between it and the others couldn't be put right: {error}"
        raise StackError(f"{told.rstrip('.')}. Then run {restoring.by_hand(done.plan)}.") from error


@backups_cli.command("list")
def list_backups(config: Config = DEFAULT, as_json: Json = False) -> None:  # noqa: FBT002
    """Show the base backups of each database, and up to when its log was kept; ends with 1 if some can't be read."""
    systems: list[BackedUpSystem] = []
    with faults():
        systems = application.listed(settings_of(config))
        if as_json:
            show_json([backup_list.row(system) for system in systems])
        else:
            show(console, backup_list.table(systems))
    _end_with([system.fault for system in systems if system.fault is not None])


@backups_cli.command()
def verify(
    databases: Wanted = None,
    config: Config = DEFAULT,
    everything: Annotated[bool, typer.Option("--all", help="Not only the newest of each.")] = False,  # noqa: FBT002
) -> None:
    """Read base backups and compare them with their manifests; ends with 1 if one is damaged."""
    damaged: list[str] = []
    with faults():

        async def work() -> None:
            settings = settings_of(config)
            damaged.extend(await application.verify(settings, databases or [], _say, everything=everything))

        carry_out(work())
    _end_with(damaged)


@backups_cli.command()
def follow(config: Config = DEFAULT) -> None:
    """Keep the log of the databases that `gameserver up` doesn't start, until Ctrl-C."""
    with faults():
        carry_out(application.follow(settings_of(config)))


@backups_cli.command()
def reconcile(
    database: Annotated[str, typer.Option(help="The database that was restored.")],
    since: Annotated[str, typer.Option(help="The moment that it went back to, such as 2026-11-28T17:30:00Z.")],
    reason: Reason,
    config: Config = DEFAULT,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Put right what crossed between a restored database and the others, and list what can't be; `restore` does it."""
    found: list[Findings] = []
    with faults():
        moment = _moment(since)
        if moment is None:
            raise typer.BadParameter("--since needs a time")

        async def work() -> None:
            settings = settings_of(config)
            details = {"since": rfc3339(moment)}
            change = change_of("database_reconcile", database, reason, details, {"findings": None})
            async with audited(settings, change) as end:
                tell = partial(say, err=True) if as_json else say
                found.extend(await reconciling.reconcile(settings, database, moment, by_command(reason), tell))
                end.after = {"findings": {each.kind: each.count for each in found}}
            if as_json:
                show_json(_findings(found))
            else:
                _tell(found)

        carry_out(work())
    _require_put_right(found)


def _end_with(problems: Sequence[str]) -> None:
    """Ends the process with 1 if there are any, and says them."""
    for problem in problems:
        typer.echo(problem, err=True)
    sys.exit(1 if problems else 0)


def _require_put_right(found: Sequence[Findings]) -> None:
    """Ends the process with 1 if there are slots that nobody owns, or players who have to be erased again still."""
    counts = {kind.kind: kind.count for kind in found}
    problems = []
    if conflicts := counts.get(CONFLICTS):
        problems.append(f"Slots that nobody may write: {conflicts}. See `gameserver slots check`.")
    if left := counts.get(LEFT):
        problems.append(f"Players that aren't erased again yet: {left}. Run `gameserver backups reconcile` again.")
    if problems:
        _end_with(problems)


def _tell(found: Sequence[Findings]) -> None:
    for kind in found:
        if kind.count:
            _say(f"{kind.count} {kind.what} ({kind.remedy})")
            for finding in kind.listed[:SHOWN]:
                _say("  " + ", ".join(f"{name} {value}" for name, value in finding.items()))
    if not any(kind.count for kind in found):
        _say("Nothing else has to be put right.")


def _findings(found: Sequence[Findings]) -> list[dict[str, object]]:
    return [asdict(kind) for kind in found]


def _say(text: str) -> None:
    console.print(text, soft_wrap=True)


def _moment(text: str) -> datetime | None:
    """None for `latest`; a time without a zone is in UTC. Raises BadParameter."""
    if text == LATEST:
        return None
    moment = moment_in_utc(text) or moment_in_utc(f"{text}Z") or moment_in_utc(f"{text}T00:00Z")
    if moment is None:
        raise typer.BadParameter(f"{text!r} is neither a time such as 2026-11-28T17:30:00Z nor `latest`")
    if moment > datetime.now(UTC):
        raise typer.BadParameter(f"{text} is yet to come")
    return moment


def _sentence(done: RestoredData) -> str:
    moment = "the end of its log" if done.plan.moment is None else rfc3339(done.plan.moment)
    place = "the database runs on it" if done.running else f"it waits in {done.folder}"
    if not done.running and not done.elsewhere:
        place += f", and the next `gameserver up` runs on it. Then run {restoring.by_hand(done.plan)}"
    older = "".join(f"\n{fault}: run `gameserver migrate`." for fault in done.outdated)
    return f"{done.plan.backup.database} is as it was at {moment}, on timeline {done.timeline}; {place}.{older}"


def _report(done: RestoredData) -> dict[str, object]:
    moment = done.plan.moment
    return {
        "database": done.plan.backup.database,
        "backup": done.plan.backup.id,
        "moment": None if moment is None else rfc3339(moment),
        "timeline": done.timeline,
        "folder": str(done.folder),
        "running": done.running,
        "since": rfc3339(done.since),
        "outdated": list(done.outdated),
    }
