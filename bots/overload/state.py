"""Whether what was acknowledged under overload is in the state, and what was turned away isn't."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import orjson

from bots.count.tally import Tally
from bots.overload.questions import DoorQuestion, Heard, Treatment
from bots.play.bot import Bot
from bots.play.identities import BotIdentity
from bots.play.record import BotRecord
from bots.proof.audit import prove_players
from bots.waiting import call_for_all
from bots.wire import answers
from bots.wire.answers import NO_EFFECT
from bots.wire.bodies import parse_letters, parse_state, player_id
from bots.wire.errors import BadAnswerError
from bots.wire.network import Network
from bots.wire.player_client import PlayerClient

SIGN_INS = 300
"""Sign-ups of each treatment that are tried with a sign-in, at random."""
AT_ONCE = 16
TOLD = 10
Hearings = Sequence[tuple[DoorQuestion, Heard]]


def enter_acts(actors: Sequence[Bot], hearings: Hearings) -> None:
    """Enter the answers to acts into the records of their actors, for the proof."""
    for question, heard in hearings:
        index, command_id = question.about
        record = actors[index].record
        try:
            _enter(record, command_id, heard)
        except (BadAnswerError, orjson.JSONDecodeError, AttributeError) as error:
            record.problems.append(f"{command_id} got an answer outside the contract: {error}")


def _enter(record: BotRecord, command_id: str, heard: Heard) -> None:
    body: Mapping[str, Any] = orjson.loads(heard.body)
    if heard.treatment is Treatment.ANSWERED:
        body = body if heard.status else body["ok"]
        if body.get("command_id") != command_id:
            record.problems.append(f"{command_id} got the answer to {body.get('command_id')}")
        record.acknowledge(command_id, parse_state(body.get("player")), parse_letters(body.get("events")))
        return
    error = body if heard.status else body["error"]
    answer = answers.refusal(error, heard.status or None, None)
    record.refuse(command_id, uncertain=answer.uncertain)


async def prove_acts(actors: Sequence[Bot]) -> tuple[int, list[str]]:
    """Compare the actors' records with the server's ledgers; returns how many acts were acknowledged, and faults.

    Raises NotProvedError.
    """
    verdicts = (await prove_players(actors)).verdicts
    faults = [
        f"{kind}: {sentence}"
        for verdict in verdicts
        for kind, sentences in (
            ("lost", verdict.lost), ("doubled", verdict.doubled), ("unexplained", verdict.unexplained),
        )
        for sentence in sentences
    ]  # fmt: skip
    return sum(verdict.acknowledged for verdict in verdicts), faults[:TOLD]


async def prove_sign_ups(network: Network, hearings: Hearings, random: Random) -> tuple[int, list[str]]:
    """Sign in some players that were acknowledged, and some of whom it was said that nothing took effect.

    Returns how many acknowledged ones were tried, and faults.
    """
    made = [(question.about, heard) for question, heard in hearings if heard.treatment is Treatment.ANSWERED]
    refused = [
        (question.about, heard)
        for question, heard in hearings
        if heard.treatment is Treatment.TURNED_AWAY and heard.code.rpartition(" ")[2] in NO_EFFECT
    ]

    async def try_one(one: tuple[BotIdentity, Heard]) -> str:
        return await _try_sign_in(network, *one)

    tried = random.sample(made, min(len(made), SIGN_INS))
    untrue = random.sample(refused, min(len(refused), SIGN_INS))
    found = await call_for_all(try_one, [*tried, *untrue], at_once=AT_ONCE)
    return len(tried), [fault for fault in found if fault][:TOLD]


async def _try_sign_in(network: Network, identity: BotIdentity, heard: Heard) -> str:
    """Return what is wrong with a sign-up, empty if nothing is."""
    client = PlayerClient(network, Tally(), Random(identity.name), identity.device)
    reply = await client.log_in()
    if heard.treatment is Treatment.TURNED_AWAY:
        return f"{identity.name} was answered with {heard.code}, and yet there is a player" if reply.ok else ""
    if not reply.ok:
        code = reply.last_code if reply.answer is None else reply.answer.code
        return f"{identity.name} has signed up and can't sign in: {code}"
    wanted = player_id(orjson.loads(heard.body).get("player"))
    found = player_id(reply.body.get("player"))
    return "" if found == wanted else f"{identity.name} signed up as {wanted} and signs in as {found}"
