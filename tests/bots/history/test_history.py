"""A history is read as it was written, has no secret in it, and is judged by the proof's own invariants."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from bots.count.document import HELD, NOT_CHECKED, VIOLATED
from bots.history import joining
from bots.history.lines import FAIL, INFO, INVOKE, OK, BadHistoryError, read_lines
from bots.history.writer import HistoryWriter
from bots.proof import invariants
from bots.proof.pages import NotProvedError
from bots.proof.recorded import recorded
from bots.proof.replay import check_history

LEDGER = "/v1/players/me/ledger?limit=200"


def player(version: int) -> dict[str, Any]:
    return {
        "id": "7",
        "name": "Ann",
        "class": "mage",
        "level": 1,
        "hp": 9,
        "max_hp": 9,
        "exp": version,
        "version": version,
    }


class Play:
    """One player's honest history, for each test to spoil."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer = HistoryWriter(path)
        self.process = self.writer.new_process()
        self.ledger: list[dict[str, Any]] = []
        self.version = 0
        self.does("sign_up", "POST", "/v1/players", "up", OK)

    def does(self, f: str, method: str, path: str, command_id: str, kind: str, *, lands: bool = True) -> None:
        value = {"method": method, "path": path, "command_id": command_id, "device": "secret-device"}
        number = self.writer.invoke(self.process, f, value)
        if kind == OK or lands:
            self.version += 1
            row = {"command_id": command_id, "action": f, "player": player(self.version), "version": self.version}
            self.ledger.insert(0, row)
        answer = {
            "player": player(self.version),
            "events": [],
            "command_id": command_id,
            "session": {"token": "secret"},
        }
        self.writer.end(self.process, number, kind, f, answer if kind == OK else {"code": "player_is_down"})

    def act(self, command_id: str, kind: str = OK, *, lands: bool = False) -> None:
        self.does("hunt", "POST", "/v1/players/me/actions", command_id, kind, lands=lands)

    def reads(self, path: str, body: dict[str, Any]) -> None:
        number = self.writer.invoke(self.process, "proof", {"method": "GET", "path": path})
        self.writer.end(self.process, number, OK, "proof", body)

    def sees(self, version: int) -> None:
        number = self.writer.invoke(self.process, "read", {"method": "GET", "path": "/v1/players/me"})
        self.writer.end(self.process, number, OK, "read", {"player": player(version)})

    async def judged(self) -> dict[str, str]:
        """The verdict on each invariant, after the reads of the proof."""
        self.reads(LEDGER, {"entries": self.ledger, "next_cursor": None})
        self.reads("/v1/players/me?max_staleness=0", player(self.version))
        self.reads("/v1/players/me/items", {"items": []})
        self.writer.close()
        return {verdict.invariant: verdict.verdict for verdict in (await check_history(self.path)).invariants}


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return Play(tmp_path / "run.jsonl")


async def test_an_honest_history_is_not_accused(play: Play) -> None:
    play.act("a")
    play.act("b", INFO, lands=True)
    play.act("c", INFO)
    play.act("d", FAIL)
    play.sees(3)
    verdicts = await play.judged()
    assert VIOLATED not in verdicts.values(), verdicts
    assert verdicts[invariants.KEPT] == HELD
    assert verdicts[invariants.BOARDS] == NOT_CHECKED


@pytest.mark.parametrize(
    ("kind", "answer", "verdict"),
    [
        (OK, {"player": player(1)}, HELD),
        (OK, {"player": player(2)}, VIOLATED),
        (FAIL, {"code": "name_taken"}, VIOLATED),
        (FAIL, {"code": "banned"}, HELD),
        (INFO, {"code": "timeout"}, HELD),
    ],
)
async def test_a_sign_up_that_is_sent_again_gets_its_first_answer(
    play: Play, kind: str, answer: dict[str, Any], verdict: str
) -> None:
    again = play.writer.invoke(play.process, "sign_up", {"path": "/v1/players", "command_id": "up", "name": "Ann"})
    play.writer.end(play.process, again, kind, "sign_up", answer)
    assert (await play.judged())[invariants.ONCE] == verdict


async def test_a_lost_command_is_found(play: Play) -> None:
    play.act("a")
    play.act("b")
    del play.ledger[0]
    assert (await play.judged())[invariants.KEPT] == VIOLATED


async def test_a_refusal_that_took_effect_is_found(play: Play) -> None:
    play.act("a", FAIL, lands=True)
    assert (await play.judged())[invariants.REFUSED] == VIOLATED


async def test_a_stale_read_is_found(play: Play) -> None:
    play.act("a")
    play.act("b")
    play.sees(1)
    assert (await play.judged())[invariants.FRESH] == VIOLATED


async def test_a_second_answer_that_differs_is_found(play: Play) -> None:
    play.act("a")
    play.act("a")
    assert (await play.judged())[invariants.ONCE] == VIOLATED


def overlapping(play: Play, first: str, second: str, *, answered_first: int) -> None:
    """Two new commands: the second one is sent after the first one's answer, or before it."""
    path = "/v1/players/me/actions"
    versions = {first: 3, second: 2}
    numbers: dict[str, int] = {}
    for at, command_id in enumerate((first, second)):
        if at == answered_first:
            play.writer.end(play.process, numbers[first], OK, "hunt", {"player": player(versions[first]), "events": []})
        numbers[command_id] = play.writer.invoke(play.process, "hunt", {"path": path, "command_id": command_id})
    if answered_first == 2:
        play.writer.end(play.process, numbers[first], OK, "hunt", {"player": player(versions[first]), "events": []})
    play.writer.end(play.process, numbers[second], OK, "hunt", {"player": player(versions[second]), "events": []})
    for command_id in (second, first):
        version = versions[command_id]
        play.ledger.insert(0, {"command_id": command_id, "action": "hunt", "player": player(version)})
    play.version = 3


@pytest.mark.parametrize(("answered_first", "verdict"), [(1, VIOLATED), (2, NOT_CHECKED)])
async def test_only_a_command_that_was_sent_after_anothers_answer_must_be_later(
    play: Play, answered_first: int, verdict: str
) -> None:
    overlapping(play, "a", "b", answered_first=answered_first)
    assert (await play.judged())[invariants.ORDER] == verdict


async def test_a_command_that_is_sent_again_may_have_an_earlier_version(play: Play) -> None:
    play.act("a")
    play.act("b")
    again = play.writer.invoke(play.process, "hunt", {"path": "/v1/players/me/actions", "command_id": "a"})
    answer = {"player": player(2), "events": [], "command_id": "a", "session": {}, "replayed": True}
    play.writer.end(play.process, again, OK, "hunt", answer)
    assert (await play.judged())[invariants.ORDER] == HELD


ENDS = {
    "ban": ("POST", "/admin/v1/players/7/ban", invariants.BANS),
    "delete": ("DELETE", "/v1/players/me", invariants.BANS),
    "sign_out": ("DELETE", "/v1/sessions", invariants.SESSIONS),
}


def ends(play: Play, f: str, method: str, path: str) -> None:
    process = play.process if path.startswith("/v1/") else play.process + 1
    number = play.writer.invoke(process, f, {"method": method, "path": path})
    play.writer.end(process, number, OK, f, {})


@pytest.mark.parametrize("f", ENDS)
@pytest.mark.parametrize(("kind", "verdict"), [(OK, VIOLATED), (FAIL, HELD)])
async def test_a_command_after_its_players_end_may_not_be_carried_out(
    play: Play, f: str, kind: str, verdict: str
) -> None:
    method, path, invariant = ENDS[f]
    play.act("a")
    ends(play, f, method, path)
    play.act("b", kind)
    assert (await play.judged())[invariant] == verdict


async def test_one_that_was_sent_before_the_ban_or_whose_ban_was_lifted_may(play: Play) -> None:
    method, path, invariant = ENDS["ban"]
    before = play.writer.invoke(play.process, "hunt", {"path": "/v1/players/me/actions", "command_id": "a"})
    ends(play, "ban", method, path)
    play.writer.end(play.process, before, OK, "hunt", {"player": player(2), "events": []})
    during = play.writer.invoke(play.process, "hunt", {"path": "/v1/players/me/actions", "command_id": "b"})
    ends(play, "lift_ban", "DELETE", f"{path}?reason=x")
    play.writer.end(play.process, during, OK, "hunt", {"player": player(3), "events": []})
    rows = [("b", 3), ("a", 2)]
    play.ledger = [*({"command_id": c, "action": "hunt", "player": player(v)} for c, v in rows), *play.ledger]
    play.version = 3
    assert (await play.judged())[invariant] == NOT_CHECKED


async def test_a_gap_in_pushes_is_found(play: Play) -> None:
    note = play.writer.note
    note(play.process, "hello", {"socket": 1, "stream": "s", "seq": 4, "resumed": False, "player": player(1)})
    note(play.process, "push", {"socket": 1, "push": "mail", "seq": 5, "data": {}})
    note(play.process, "push", {"socket": 1, "push": "mail", "seq": 7, "data": {}})
    assert (await play.judged())[invariants.PUSHES] == VIOLATED


async def test_pushes_that_are_read_before_the_answer_to_hello_are_no_gap(play: Play) -> None:
    note = play.writer.note
    hello = {"stream": "s", "seq": 4, "player": player(1)}
    note(play.process, "connect", {"socket": 1})
    note(play.process, "hello", {"socket": 1, "resumed": False, **hello})
    note(play.process, "connect", {"socket": 2})
    note(play.process, "push", {"socket": 2, "push": "mail", "seq": 5, "data": {}})
    note(play.process, "hello", {"socket": 2, "resumed": True, **hello})
    note(play.process, "push", {"socket": 2, "push": "mail", "seq": 6, "data": {}})
    assert (await play.judged())[invariants.PUSHES] == HELD


async def test_a_socket_resumes_from_where_the_player_was_when_it_was_begun(play: Play) -> None:
    note = play.writer.note
    note(play.process, "connect", {"socket": 1})
    note(play.process, "hello", {"socket": 1, "stream": "s", "seq": 4, "resumed": False, "player": player(1)})
    note(play.process, "connect", {"socket": 2})
    note(play.process, "push", {"socket": 1, "push": "mail", "seq": 5, "data": {}})
    note(play.process, "push", {"socket": 1, "push": "mail", "seq": 6, "data": {}})
    note(play.process, "hello", {"socket": 2, "stream": "s", "seq": 4, "resumed": True, "player": player(1)})
    note(play.process, "push", {"socket": 2, "push": "mail", "seq": 5, "data": {}})
    assert (await play.judged())[invariants.PUSHES] == HELD


@pytest.mark.parametrize(("is_before", "verdict"), [(False, HELD), (True, VIOLATED)])
async def test_only_what_was_shown_before_the_ledger_was_read_must_be_in_it(
    play: Play, verdict: str, *, is_before: bool
) -> None:
    play.writer.note(play.process, "hello", {"socket": 1, "stream": "s", "seq": 0, "player": player(1)})
    if not is_before:
        play.reads(LEDGER, {"entries": [], "next_cursor": None})
    play.reads(LEDGER, {"entries": play.ledger, "next_cursor": None})
    later = {"socket": 1, "push": "player", "seq": 0, "data": player(2)}
    play.writer.note(play.process, "push", later)
    if not is_before:
        play.reads("/v1/players/me?max_staleness=0", player(1))
        play.reads("/v1/players/me/items", {"items": []})
        play.writer.close()
        verdicts = {row.invariant: row.verdict for row in (await check_history(play.path)).invariants}
    else:
        verdicts = await play.judged()
    assert verdicts[invariants.SEEN] == verdict


async def test_a_deletion_is_explained_by_whichever_generator_read_the_audit_log_for_it(play: Play) -> None:
    for target, action in (("8", "rename"), ("7", "delete")):
        operator = play.writer.new_process()
        asked = {"method": "GET", "path": f"/admin/v1/audit?target={target}&limit=200"}
        entry = {"action": action, "ended": "done"}
        number = play.writer.invoke(operator, "proof", asked)
        play.writer.end(operator, number, OK, "proof", {"entries": [entry], "next_cursor": None})
    number = play.writer.invoke(play.process, "proof", {"method": "GET", "path": LEDGER})
    play.writer.end(play.process, number, FAIL, "proof", {"code": "not_authenticated"})
    play.writer.close()
    verdicts = {row.invariant: row.verdict for row in (await check_history(play.path)).invariants}
    assert VIOLATED not in verdicts.values(), verdicts


@pytest.mark.parametrize(
    ("f", "kind", "gone"),
    [
        ("ban", OK, 1),
        ("ban", INFO, 1),
        ("ban", FAIL, 0),
        ("delete", OK, 1),
        ("delete", INFO, 1),
        ("delete", FAIL, 0),
        ("lift_ban", OK, -1),
        ("lift_ban", INFO, 0),
    ],
)
def test_a_player_whose_end_was_not_answered_counts_as_gone_as_it_does_in_the_run(
    play: Play, f: str, kind: str, gone: int
) -> None:
    play.does(f, "POST", "/somewhere", "end", kind)
    play.writer.close()
    assert recorded(read_lines(play.path)).gone == gone


async def test_no_secret_is_written(play: Play) -> None:
    play.act("a")
    await play.judged()
    assert b"secret" not in play.path.read_bytes()


async def test_a_last_line_that_was_cut_off_is_left_out(play: Play) -> None:
    play.act("a")
    play.writer.close()
    lines = play.path.read_bytes()
    play.path.write_bytes(lines[:-5])
    assert [line.index for line in read_lines(play.path)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "isn't a history"),
        (b"[]\n", "isn't a history"),
        (orjson.dumps({"format": "heroledger-history", "version": 9}) + b"\n", "version 9"),
        (orjson.dumps({"format": "heroledger-history", "version": 1}) + b"\n{}\n", "line 2"),
        (orjson.dumps({"format": "heroledger-history", "version": 1}) + b"\nnot json\n", "line 2"),
    ],
)
async def test_a_file_that_is_no_history_is_named(tmp_path: Path, text: bytes, fault: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(text)
    with pytest.raises(BadHistoryError, match=fault):
        await check_history(path)


async def test_a_history_without_players_proves_nothing(tmp_path: Path) -> None:
    HistoryWriter(tmp_path / "run").close()
    with pytest.raises(NotProvedError, match="nobody signed up"):
        await check_history(tmp_path / "run")


def test_histories_of_generators_are_joined_by_time_with_numbers_of_their_own(tmp_path: Path) -> None:
    history = tmp_path / "run.jsonl"
    writers = [HistoryWriter(joining.part_of(history, number), began=0) for number in range(2)]
    processes = [writer.new_process() for writer in writers]
    asked = [writer.invoke(processes[number], "hunt", {"of": number}) for number, writer in enumerate(writers)]
    for number in (1, 0):
        writers[number].end(processes[number], asked[number], OK, "hunt", {"answer": number})
        writers[number].close()
    with joining.part_of(history, 1).open("ab") as killed:
        killed.write(b'{"index": 3, "ti')
    joining.join(history, 3, "2026-01-31T12:00:00.000+00:00")
    lines = [*read_lines(history)]
    assert [line.index for line in lines] == [1, 2, 3, 4]
    assert [line.time for line in lines] == sorted(line.time for line in lines)
    begun = {line.index: line for line in lines if line.type == INVOKE}
    ended = [line for line in lines if line.type == OK]
    assert sorted(line.process for line in ended) == [1, 2]
    for line in ended:
        invoked = begun[line.operation or 0]
        assert (invoked.process, invoked.value["of"]) == (line.process, line.value["answer"])
    assert [*tmp_path.iterdir()] == [history]
