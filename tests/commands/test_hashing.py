"""Processes that hash passwords: replaced when they end or freeze, gone with their node, and without its secrets."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gameserver.commands import guesses, hashing_process
from gameserver.commands.fair_turns import Source
from gameserver.commands.hashing_process import NICENESS
from gameserver.commands.passwords import Checked, HashingLimits, Passwords, _Timed, source_of
from gameserver.config.settings import Settings
from gameserver.rules.errors import Overloaded
from gameserver.stack.processes.process_table import descendants
from tests.support.client import Api
from tests.support.nodes import node_process
from tests.support.wait import wait_until

PASSWORD = "anns-own-password"
GUESSER = "203.0.113.1"


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    opened = Passwords(HashingLimits(share=1.0, waiting=8, per_network=8, per_address=8, seconds=3.0), cores=1)
    yield opened
    opened.close()


def hashing(parent: int) -> list[int]:
    """The processes of a node that hash."""
    return [pid for pid in descendants(parent) if hashing_process.__name__ in command_of(pid)]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8")
    except FileNotFoundError:
        return ""


async def test_a_process_that_is_killed_or_frozen_is_replaced_and_nobody_notices(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = await passwords.hash(PASSWORD)
    for number, what in enumerate((signal.SIGKILL, signal.SIGSTOP)):
        (before,) = hashing(os.getpid())
        monkeypatch.setattr(hashing_process, "ANSWER_SECONDS", 2.0 if number == 0 else 10.0)
        os.kill(before, what)
        assert await passwords.verify(hashed, PASSWORD)
        assert not await passwords.verify(hashed, "another")
        (after,) = hashing(os.getpid())
        assert after != before


async def test_a_network_waits_longer_after_each_wrong_password(passwords: Passwords) -> None:
    hashed, wrong = await passwords.hash(PASSWORD, GUESSER), 4

    async def seconds(password: str, times: int) -> tuple[float, float]:
        """What the checks took of time and of a core; of one network one at a time."""
        began, worked = time.monotonic(), sum(process.worked for process in passwords._processes)
        for _ in range(times):
            await passwords.verify(hashed, password, GUESSER)
        return time.monotonic() - began, sum(process.worked for process in passwords._processes) - worked

    await seconds(PASSWORD, 2)
    took, worked = await seconds("a guess", wrong)
    each_may_work = 1.0 / len(passwords._processes)
    least = sum(2**number for number in range(1, wrong)) * worked / wrong / each_may_work
    assert took >= 0.8 * least, (took, worked, least)


@pytest.mark.parametrize("guessers", [[GUESSER], [GUESSER, "198.51.100.7"]], ids=["one network", "two networks"])
async def test_a_network_that_guesses_holds_up_its_own_next_guess_and_no_other_one(
    monkeypatch: pytest.MonkeyPatch, guessers: list[str]
) -> None:
    monkeypatch.setattr(guesses, "MOST", 14)  # a turn of some minutes
    passwords = Passwords(HashingLimits(share=1.0, waiting=8, per_network=8, per_address=8, seconds=1.0), cores=1)
    try:
        hashed = await passwords.hash(PASSWORD)
        for fewer, guesser in enumerate(reversed(guessers)):  # those of another network guess most, and rest first
            for _ in range(guesses.MOST - fewer):
                passwords._guesses.note(source_of(guesser), "a hash", wrong=True)
            assert not await passwords.verify(hashed, "a guess", guesser)
        with pytest.raises(Overloaded):
            await passwords.verify(hashed, PASSWORD, GUESSER)
        for _ in range(3):
            assert await passwords.verify(hashed, PASSWORD, "192.0.2.9")
    finally:
        passwords.close()


async def test_the_rests_of_one_source_end_each_by_itself() -> None:
    passwords = Passwords(HashingLimits(share=1.0, waiting=8, per_network=8, per_address=8, seconds=1.0), cores=4)
    try:
        source, loop = source_of(GUESSER), asyncio.get_running_loop()
        for worked in (0.01, 0.001):  # so the second one ends first
            await passwords._turns.take(source)
            done: asyncio.Future[_Timed[Checked]] = loop.create_future()
            done.set_result(_Timed(Checked(fits=False), worked, worked, was_wrong=True))
            passwords._rested(source, "a hash", done)
        assert len(passwords._resting) == 2

        async def ended() -> bool:
            return not passwords._resting

        await wait_until(ended, what="both have ended")
        for _ in range(3):  # of four, one network never has the last one
            async with asyncio.timeout(1.0):
                await passwords._turns.take(source)
        assert passwords._turns.waiting() == []
    finally:
        passwords.close()


def test_wrong_passwords_are_forgotten_for_right_ones_and_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    known, source = guesses.Guesses(), source_of(GUESSER)
    for count in (1, 2, 3, 4, 4):
        known.note(source, "ann's", wrong=True)
        assert known.of(source) == known.of(source_of("203.0.113.2")) == count
        assert known.of(source_of("192.0.2.9")) == 0
    known.note(source, "ben's", wrong=True)
    for hashed, count in (("carl's", 4), ("ann's", 1), ("ben's", 0), ("ben's", 0)):
        known.note(source, hashed, wrong=False)
        assert known.of(source) == count
    for count in (1, 2):
        known.note(source, "ann's", wrong=True)
        assert known.of(source) == count
        now += guesses.FORGOTTEN_SECONDS * 0.6
    assert known.of(source) == 1
    now += guesses.FORGOTTEN_SECONDS
    assert known.of(source) == 0


async def test_who_guesses_at_anothers_password_is_not_forgiven_for_its_own(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    anns, own = await passwords.hash(PASSWORD), await passwords.hash("the guesser's")
    note, noted = passwords._guesses.note, asyncio.Queue[int]()

    def note_and_tell(source: Source, hashed: str, *, wrong: bool) -> None:
        note(source, hashed, wrong=wrong)
        noted.put_nowait(passwords._guesses.of(source))

    async def counted(hashed: str, password: str) -> int:
        await passwords.verify(hashed, password, GUESSER)
        return await noted.get()

    monkeypatch.setattr(passwords._guesses, "note", note_and_tell)

    assert await counted(anns, "a guess") == 1
    assert await counted(own, "the guesser's") == 1
    assert await counted(anns, "a guess") == 2
    assert await counted(own, "the guesser's") == 2
    assert await counted(anns, PASSWORD) == 0


def test_how_many_are_known_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "MOST_KNOWN", 10)
    known = guesses.Guesses()
    for number in range(100):
        known.note((f"network {number}", f"address {number}"), "a hash", wrong=True)
        assert len(known._wrong) <= guesses.MOST_KNOWN


async def test_when_no_process_can_be_had_the_caller_is_told_to_come_again(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(Overloaded):
            await passwords.hash(PASSWORD)
    assert await passwords.verify(await passwords.hash(PASSWORD), PASSWORD)


async def test_what_is_asked_when_the_node_stops_ends_at_once(passwords: Passwords) -> None:
    asked = [asyncio.create_task(passwords.hash(PASSWORD)) for _ in range(6)]
    await asyncio.sleep(0.05)
    passwords.close()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(answer, str | Overloaded | asyncio.CancelledError) for answer in answers), answers
    assert hashing(os.getpid()) == []


async def test_a_nodes_processes_give_way_know_no_secret_and_end_with_it(settings: Settings, tmp_path: Path) -> None:
    node = node_process(settings, tmp_path, "node-1")
    await node.start()
    try:
        number = node.process.pid
        assert number is not None
        async with Api(node.address) as api:
            await api.sign_up(password=PASSWORD)
            (pid,) = hashing(number)
            assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, number) + NICENESS
            assert "GAMESERVER_" not in Path(f"/proc/{pid}/environ").read_text("utf-8")
            os.kill(pid, signal.SIGTERM)  # as a service manager sends to all of a node's processes
            os.kill(pid, signal.SIGINT)
            os.kill(number, signal.SIGKILL)

            async def ended() -> bool:
                return not command_of(pid)

            await wait_until(ended, what="it has ended")
    finally:
        node.kill()
