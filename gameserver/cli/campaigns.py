"""`gameserver campaigns`: letters with items to many players, which the running nodes send."""

from typing import Annotated

import typer

from gameserver import app as application
from gameserver.cli.actor import Reason, actor
from gameserver.cli.config_file import DEFAULT, Config
from gameserver.cli.letter_options import LetterOptions, with_letter
from gameserver.cli.running import Json, console, with_core
from gameserver.commands import campaigns, command_ids
from gameserver.commands.campaigns import CampaignOrder
from gameserver.commands.results import CampaignRecord, ChangedBy
from gameserver.rules.arguments import MAX_INTEGER
from gameserver.terminal import show_json
from gameserver.times import rfc3339
from gameserver.transport import answers

Campaign = Annotated[str, typer.Argument(help="The campaign's id.")]
Count = Annotated[int, typer.Option(min=0, max=MAX_INTEGER, help="How many players the preview counted.")]

campaigns_cli = typer.Typer(no_args_is_help=True, help="Send letters with items to many players.")


@campaigns_cli.command("list")
def list_campaigns(config: Config = DEFAULT, as_json: Json = False) -> None:  # noqa: FBT002
    """Show the campaigns that aren't over and the newest of the others, and how far they have come."""

    async def work(core: application.Core) -> None:
        found, more = await campaigns.newest(core.commands.campaigns, 50)
        if as_json:
            waiting = (campaigns.waiting(core.commands.campaigns, record) for record in found)
            show_json(answers.campaigns(zip(found, waiting, strict=True), more))
        for record in () if as_json else found:
            console.print(_line(core, record))

    with_core(config, work)


@campaigns_cli.command("show")
def show_campaign(campaign: Campaign, config: Config = DEFAULT) -> None:
    """Show one campaign whole, as JSON."""

    async def work(core: application.Core) -> None:
        record = await campaigns.find(core.commands.campaigns, campaign)
        show_json(answers.campaign(record, campaigns.waiting(core.commands.campaigns, record)))

    with_core(config, work)


@campaigns_cli.command()
@with_letter
def preview(letter: LetterOptions, config: Config = DEFAULT) -> None:
    """Count the players that a letter would go to; nothing is sent."""

    async def work(core: application.Core) -> None:
        found = await campaigns.preview(core.commands.campaigns, letter.segment, letter.gift())
        second = " A second operator has to agree." if found.needs_second else ""
        console.print(f"{found.players} players.{second}")

    with_core(config, work)


@campaigns_cli.command()
@with_letter
def start(
    letter: LetterOptions,
    expected_count: Count,
    reason: Reason,
    may_differ_by: Annotated[
        int, typer.Option(min=0, max=MAX_INTEGER, help="How far the count may be off by now.")
    ] = 0,
    command_id: Annotated[
        str | None, typer.Option(help="Of a start that may have happened: it isn't repeated.")
    ] = None,
    config: Config = DEFAULT,
) -> None:
    """Send a letter to everyone who fits, once."""

    async def work(core: application.Core) -> None:
        chosen = command_ids.checked_or_new(command_id, core.commands.campaigns.now, "command_id")
        order = CampaignOrder(letter.segment, letter.gift(), expected_count, may_differ_by)
        by = ChangedBy(actor(), reason, chosen)
        console.print(_line(core, await campaigns.start(core.commands.campaigns, order, by)))

    with_core(config, work)


@campaigns_cli.command()
def agree(campaign: Campaign, expected_count: Count, reason: Reason, config: Config = DEFAULT) -> None:
    """Agree, as a second operator, to a campaign that waits for it."""

    async def work(core: application.Core) -> None:
        by = _by(core, reason)
        console.print(_line(core, await campaigns.agree(core.commands.campaigns, campaign, expected_count, by)))

    with_core(config, work)


@campaigns_cli.command()
def revoke(campaign: Campaign, reason: Reason, config: Config = DEFAULT) -> None:
    """Stop a campaign: who has its letter keeps it."""

    async def work(core: application.Core) -> None:
        console.print(_line(core, await campaigns.revoke(core.commands.campaigns, campaign, _by(core, reason))))

    with_core(config, work)


def _line(core: application.Core, record: CampaignRecord) -> str:
    ended = f"{record.arrived} arrived, {record.refused} refused, {len(record.pending or ())} under way"
    waits = campaigns.waiting(core.commands.campaigns, record)
    waiting = "".join(
        f" {slots} slots and {letters} letters wait for database {database}."
        for database, slots, letters in waits.databases
    )
    if record.agree_until is not None:
        who = "So many fit that a second operator" if waits.second_operator else "An operator"
        waiting += f" {who} has to agree until {rfc3339(record.agree_until)}."
    return f"{record.id}  {record.state}: of {record.counted} players {ended}.{waiting} {record.reason}"


def _by(core: application.Core, reason: str) -> ChangedBy:
    return ChangedBy(actor(), reason, command_ids.new_id(core.commands.campaigns.now()))
