"""Sends the letters of campaigns: one node at a time, page by page, no faster than a stated rate.

Law: see storage/operators/campaigns.py. A letter is a command of its recipient's under a mail id of its own, so a page
that is sent again, by another node or twice at once, changes nothing where it has arrived. A database that is found
silent, by a question or a letter, is left alone for some seconds (Recipients), and so is a letter that fails alone; the
others are written to meanwhile, and what is under way is tried again afterwards.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from gameserver.commands.campaigns import Campaigns, is_known, segment_of
from gameserver.commands.player_changes import Gift, letter_with
from gameserver.rules.errors import DatabaseUnavailable, Overloaded, Unavailable
from gameserver.storage.ids import campaign_letter_id
from gameserver.storage.mail.mailbag import SentLetter
from gameserver.storage.mail.outbox import Ending
from gameserver.storage.operators.campaigns import RUNNING, WAITING, CampaignPage, CampaignRecord
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.telemetry import CAMPAIGN_AGE, CAMPAIGN_LEFT, CAMPAIGN_LETTERS, CAMPAIGNS
from gameserver.upkeep.each import each_alone
from gameserver.upkeep.postman import Postman

log = structlog.get_logger()

PAGE = 100
"""Letters at once: so many still arrive after a campaign was revoked."""
SILENCE = (DatabaseUnavailable, Overloaded)
"""What a database has to do with; whatever else keeps a letter back is of its recipient alone."""
LOOK_SECONDS = 1.0
MEASURE_SECONDS = 5.0
"""How often /metrics learns how campaigns are; a term of sending may make it late."""
TERM_SECONDS = 15.0
"""How long a node sends before it lets go of the lock: shorter than the lock's connection may be idle."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What sending needs; one per node. `letters_per_second` is for all campaigns together."""

    campaigns: Campaigns
    postman: Postman
    letters_per_second: int

    @property
    def page(self) -> int:
        """Letters at once: at a low rate what a second allows."""
        return min(PAGE, self.letters_per_second)


async def send_for_ever(sending: Sending) -> None:
    """Sends what is due; another node goes on if this one ends."""
    measured = -MEASURE_SECONDS
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            with using(Purpose.UPKEEP):
                if asyncio.get_running_loop().time() - measured >= MEASURE_SECONDS:
                    await _measure(sending)
                    measured = asyncio.get_running_loop().time()
                await attend(sending)
        except Unavailable as error:
            log.warning("campaigns wait", error=error.detail)
        except Exception:
            log.exception("campaigns failed")


async def _measure(sending: Sending) -> None:
    """Every node shows the same figures. Raises DatabaseUnavailable."""
    progress = await sending.campaigns.records.progress()
    CAMPAIGNS.labels(WAITING).set(progress.waiting)
    CAMPAIGNS.labels(RUNNING).set(progress.running)
    CAMPAIGN_LEFT.set(progress.letters_left)
    CAMPAIGN_AGE.set(progress.age_seconds)


async def attend(sending: Sending) -> None:
    """Sends for a term, unless another node does. Raises DatabaseUnavailable, Overloaded, OutcomeUnknown."""
    records = sending.campaigns.records
    if not await records.due():
        return
    loop = asyncio.get_running_loop()
    failing = set[str]()

    async def step(record: CampaignRecord) -> bool:
        failing.add(record.id)
        done = await _step(sending, record)
        failing.discard(record.id)
        return done

    async with records.sending() as is_ours:
        until = loop.time() + TERM_SECONDS
        while is_ours and loop.time() < until and (due := await records.due()):
            # One that fails is told of once in a term.
            if not await each_alone("campaigns", [record for record in due if record.id not in failing], step):
                return


async def _step(sending: Sending, record: CampaignRecord) -> bool:
    """Sends what is under way, or the next page if all of that waits for silent databases; whether it got anywhere."""
    records, recipients = sending.campaigns.records, sending.campaigns.recipients
    if record.pending is not None and not (record.is_tried and all(map(recipients.is_put_off, record.pending))):
        return await _send(sending, record, record.pending)
    if record.state != RUNNING or not is_known(record.filter):
        return False
    if recipients.is_at_end(record):
        if done := await records.finish(record):
            log.info("a campaign is done", campaign=record.id, arrived=record.arrived, refused=record.refused)
        return done
    page = await recipients.page(segment_of(record.filter), record, sending.page)
    if page is None:
        return False
    if (players := _for_two(sending, record, page)) is not None:
        return await _hold(sending, record, players)
    if not await records.begin(record, page):
        return False
    return not page.players or await _send(sending, record, [*(record.pending or ()), *page.players])


def _for_two(sending: Sending, record: CampaignRecord, page: CampaignPage) -> int | None:
    """How many players there are with this page, if one operator alone may not write to so many."""
    players = record.arrived + record.refused + len(record.pending or ()) + len(page.players)
    is_beyond = page.players and players > sending.campaigns.above
    return players if record.agreed_by is None and is_beyond else None


async def _hold(sending: Sending, record: CampaignRecord, at_least: int) -> bool:
    """Lets a second operator decide about a segment that has grown, and is counted again; whether nobody was faster."""
    segment = segment_of(record.filter)
    players = max(await sending.campaigns.recipients.count_for(segment, record), at_least)
    if held := await sending.campaigns.records.hold(record, players):
        log.warning("a campaign waits for a second operator", campaign=record.id, players=players, was=record.counted)
    return held


async def _send(sending: Sending, record: CampaignRecord, players: Sequence[int]) -> bool:
    """Delivers what is under way, but for silent databases, and counts what has ended; whether nobody else did."""
    recipients = sending.campaigns.recipients
    tried = [player_id for player_id in players if not recipients.is_put_off(player_id)]
    endings = dict(zip(tried, await _deliver(sending, record, tried), strict=True))
    ended = {player_id: ending for player_id, ending in endings.items() if isinstance(ending, Ending)}
    silent = {player_id for player_id, ending in endings.items() if isinstance(ending, SILENCE)}
    recipients.found_silent(silent)
    recipients.found_failing(endings.keys() - ended.keys() - silent)
    arrived = sum(ending.refused is None for ending in ended.values())
    refused = len(ended) - arrived
    left = [player_id for player_id in players if player_id not in ended]
    if not await sending.campaigns.records.settle(record.id, players, left, arrived, refused):
        return False
    CAMPAIGN_LETTERS.labels("arrived").inc(arrived)
    CAMPAIGN_LETTERS.labels("refused").inc(refused)
    return True


async def _deliver(sending: Sending, record: CampaignRecord, players: Sequence[int]) -> Sequence[Ending | Exception]:
    """However fast it goes, it takes as long as the rate demands."""
    if not players:
        return ()
    begun = asyncio.get_running_loop().time()
    endings = await sending.postman.attempt([_letter(record, player_id) for player_id in players])
    await asyncio.sleep(max(begun + len(players) / sending.letters_per_second - asyncio.get_running_loop().time(), 0))
    return endings


def _letter(record: CampaignRecord, player_id: int) -> SentLetter:
    gift = Gift(record.text, tuple(record.items.items()))
    return letter_with(gift, player_id, campaign_letter_id(record.id, player_id), record.at)
