"""A 500 leaves a line that finds the fault: the request, the node, the traceback, and the game's own file and line."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from tests.support.client import Api, Signed, command_id
from tests.support.deployment import with_actions
from tests.support.nodes import node_process
from tests.support.wait import wait_until

STUDIO = '''
import asyncio
import json
import sys
import time
from pathlib import Path

from pydantic import field_validator

from gameserver.rules.arguments import Arguments
from gameserver.rules.errors import GameError, Refused, SessionRevoked
from gameserver.rules.player import Moment, Outcome, Player


class Nothing(Arguments):
    """No arguments."""


def explode(player: Player, args: Nothing, moment: Moment) -> Outcome:
    return json.loads("{the potion was a bomb")  # explode


def overheal(player: Player, args: Nothing, moment: Moment) -> Outcome:  # overheal
    return Outcome(player._replace(hp=10**9), ())


def mumble(player: Player, args: Nothing, moment: Moment) -> Outcome:  # mumble
    return Outcome(player, ({"type": "mumbled", "what": object()},))


def takes_nonsense(args: Nothing) -> dict[str, int]:
    return {"potion": 1 // 0}  # greedy


def greedy(player: Player, args: Nothing, moment: Moment) -> Outcome:
    return Outcome(player, ())


greedy.takes = takes_nonsense


def leave(player: Player, args: Nothing, moment: Moment) -> Outcome:
    sys.exit(3)  # leave


def give_up(player: Player, args: Nothing, moment: Moment) -> Outcome:
    raise asyncio.CancelledError  # give_up


def generate(player: Player, args: Nothing, moment: Moment) -> Outcome:
    raise GeneratorExit  # generate


def leave_shop(args: Nothing) -> dict[str, int]:
    sys.exit("the shop is closed")  # shop


def shop(player: Player, args: Nothing, moment: Moment) -> Outcome:
    return Outcome(player, ())


shop.takes = leave_shop


class Picky(Arguments):
    of: int = 0

    @field_validator("of", mode="before")
    @classmethod
    def picky(cls, value: object) -> int:
        return {}[value]  # pick


def pick(player: Player, args: Picky, moment: Moment) -> Outcome:
    return Outcome(player, ())


def refuse_badly(player: Player, args: Nothing, moment: Moment) -> Outcome:
    raise Refused("no " + chr(0xD800), "x")  # refuse_badly


def refuse_with_a_number(player: Player, args: Nothing, moment: Moment) -> Outcome:
    raise Refused("no", 5)  # refuse_with_a_number


def refuse_with_bytes(player: Player, args: Nothing, moment: Moment) -> Outcome:
    raise Refused("no", "No.", extra={"why": b"x"})  # refuse_with_bytes


class Mine(GameError):
    code = "mine"


def raise_mine(player: Player, args: Nothing, moment: Moment) -> Outcome:
    raise Mine  # raise_mine


def raise_nothing_in_particular(player: Player, args: Nothing, moment: Moment) -> Outcome:
    raise GameError()  # raise_nothing_in_particular


def sign_out(player: Player, args: Nothing, moment: Moment) -> Outcome:
    raise SessionRevoked  # sign_out


def interrupt(player: Player, args: Nothing, moment: Moment) -> Outcome:
    raise KeyboardInterrupt  # interrupt


class Tired(Refused):
    def __init__(self) -> None:
        super().__init__("tired", "Sleep first.", extra={"bed": 7})


def tire(player: Player, args: Nothing, moment: Moment) -> Outcome:
    raise Tired


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("nothing to say")


def fail_mutely(player: Player, args: Nothing, moment: Moment) -> Outcome:
    raise Mute  # fail_mutely


def tell_all(player: Player, args: Nothing, moment: Moment) -> Outcome:  # tell_all
    return Outcome(player, ({"type": "told", "what": "x" * 70_000},))


def hang(player: Player, args: Nothing, moment: Moment) -> Outcome:
    for _ in range(1200):
        if (Path(__file__).parent / "released").exists():
            break
        time.sleep(0.05)  # hang
    return Outcome(player, ())


def dawdle(player: Player, args: Nothing, moment: Moment) -> Outcome:  # dawdle
    time.sleep(0.08)
    return Outcome(player, ())
'''
FAULTS = {
    "explode": "action 'explode' raised JSONDecodeError",
    "overheal": "action 'overheal': 1000000000 HP are too many",
    "mumble": "events aren't JSON that can be kept: events.0.what is of the type object",
    "greedy": "takes of action 'greedy' raised ZeroDivisionError",
    "leave": "action 'leave' raised SystemExit: 3",
    "give_up": "action 'give_up' raised CancelledError",
    "generate": "action 'generate' raised GeneratorExit",
    "shop": "takes of action 'shop' raised SystemExit: the shop is closed",
    "pick": "the arguments of 'pick' raised KeyError: 3",
    "refuse_badly": "action 'refuse_badly' is refused with the code",
    "refuse_with_a_number": "is refused with a detail that isn't a text",
    "refuse_with_bytes": "is refused with what isn't JSON",
    "raise_mine": "action 'raise_mine' raised Mine",
    "raise_nothing_in_particular": "action 'raise_nothing_in_particular' raised GameError",
    "sign_out": "action 'sign_out' raised SessionRevoked",
    "interrupt": "action 'interrupt' raised KeyboardInterrupt",
    "fail_mutely": "raised Mute, which can't be shown",
    "tell_all": "characters of JSON, of at most 65536",
}
BY_STUDIO = {"explode", "greedy", "leave", "give_up", "generate", "shop", "pick", "fail_mutely"} | {
    "refuse_badly",
    "refuse_with_a_number",
    "refuse_with_bytes",
    "raise_mine",
    "raise_nothing_in_particular",
    "sign_out",
    "interrupt",
}


@pytest.fixture
async def node(settings: Settings, tmp_path: Path) -> AsyncIterator[NodeProcess]:
    (tmp_path / "studio.py").write_text(STUDIO)
    actions = {name: f"studio:{name}" for name in (*FAULTS, "dawdle", "hang", "tire")}
    node = node_process(with_actions(settings, tmp_path, **actions), tmp_path, "node-1")
    await node.start()
    yield node
    await node.stop()


@pytest.fixture
async def api(node: NodeProcess) -> AsyncIterator[Api]:
    async with Api(node.address) as client:
        yield client


@pytest.fixture
async def who(api: Api) -> Signed:
    return await api.sign_up()


def lines(node: NodeProcess, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, node.log.read_text().splitlines()) if line["event"] == event]


def line_of(node: NodeProcess, action: str) -> str:
    file = node.run / "studio.py"
    number = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if text.endswith(f"# {action}"))
    return f"{file}:{number}"


async def test_a_failing_rule_leaves_a_line_that_finds_it(node: NodeProcess, api: Api, who: Signed) -> None:
    for number, action in enumerate(FAULTS, 1):
        await leaves_a_line(node, api, who, action)
        assert len(lines(node, "a rule failed")) == number, action


async def leaves_a_line(node: NodeProcess, api: Api, who: Signed, action: str) -> None:
    key, path = command_id(), "/v1/players/me/actions"
    body = {"action": action, "args": {"of": 3} if action == "pick" else {}}
    answer = await api.ask("POST", path, token=who.token, key=key, body=body, X_Request_Id=f"find-{action}")
    assert (answer.status, answer.code, answer.body["request_id"]) == (500, "internal", f"find-{action}")
    line = lines(node, "a rule failed")[-1]
    found = {name: line[name] for name in ("level", "node", "request_id", "action", "player", "command", "where")}
    assert found == {
        "level": "error",
        "node": f"127.0.0.1:{node.port}",
        "request_id": f"find-{action}",
        "action": action,
        "player": int(who.id),
        "command": key,
        "where": line_of(node, action),
    }
    assert FAULTS[action] in line["fault"]
    assert "Traceback" in line["exception"] or "RuleBroken" in line["exception"], action
    assert ("studio.py" in line["exception"]) == (action in BY_STUDIO), action
    text = (await api.ask("GET", "/metrics")).body
    assert f'gameserver_rule_faults_total{{action="{action}"}} 1.0' in str(text)


async def test_what_alerts_see_rise_is_there_before_its_first_fault(node: NodeProcess, api: Api) -> None:
    counters = (
        *(
            f'gameserver_{kind}_total{{action="{rule}"}} 0.0'
            for kind in ("rule_faults", "slow_rules")
            for rule in FAULTS
        ),
        'gameserver_rule_faults_total{action="mail:rewarded"} 0.0',
        'gameserver_board_differences_total{board="exp"} 0.0',
    )

    async def are_shown() -> bool:
        text = str((await api.ask("GET", "/metrics")).body)
        return all(counter in text for counter in counters)

    await wait_until(are_shown, what="every counter at 0")


async def test_a_frames_error_names_the_request_whose_line_finds_it(node: NodeProcess, api: Api, who: Signed) -> None:
    socket = await api.socket(who.token)
    error = (await socket.ask("act", action="explode", args={}))["error"]
    assert error["code"] == "internal"
    assert [line["request_id"] for line in lines(node, "a rule failed")] == [error["request_id"]]
    refused = (await socket.ask("act", action="nothing", args={}))["error"]
    assert "request_id" not in refused


async def test_a_refusal_of_a_class_of_the_studios_own_is_a_refusal_at_both_doors(api: Api, who: Signed) -> None:
    answer, socket = await api.act(who, "tire"), await api.socket(who.token)
    assert (answer.status, answer.code, answer.body["bed"]) == (409, "tired", 7)
    error = (await socket.ask("act", action="tire", args={}))["error"]
    assert error == {"code": "tired", "detail": "Sleep first.", "bed": 7}


async def test_a_slow_rule_is_named(node: NodeProcess, api: Api, who: Signed) -> None:
    assert (await api.act(who, "dawdle")).status == 200
    await wait_until(lambda: lines(node, "a slow rule holds up its node"), 20)
    (line,) = lines(node, "a slow rule holds up its node")
    assert (line["action"], line["where"], line["player"]) == ("dawdle", line_of(node, "dawdle"), int(who.id))
    assert 0.08 <= line["seconds"] < 30
    assert 'gameserver_slow_rules_total{action="dawdle"} 1.0' in str((await api.ask("GET", "/metrics")).body)
    assert (await api.act(who)).status == 200
    assert len(lines(node, "a slow rule holds up its node")) == 1


async def test_a_rule_that_doesnt_end_is_named_while_it_runs(node: NodeProcess, api: Api, who: Signed) -> None:
    acting = asyncio.create_task(api.act(who, "hang"))
    try:
        await wait_until(lambda: lines(node, "something holds up this node"), 30)
        assert not acting.done()
    finally:
        (node.run / "released").touch()
        await acting
    (line,) = lines(node, "something holds up this node")
    assert line["where"] == line_of(node, "hang")
    assert "# hang" in line["stack"]
