"""A rule that makes codes of what clients send adds no metrics without end, at either door, and is named once."""

import json
import re
from pathlib import Path

from gameserver.code_labels import OF_A_RULE
from gameserver.config.settings import Settings
from tests.support.client import Api
from tests.support.deployment import with_actions
from tests.support.nodes import node_process

STUDIO = """
from typing import Annotated

from pydantic import Field, field_validator

from gameserver.rules.arguments import Arguments
from gameserver.rules.errors import BadInput, Refused
from gameserver.rules.player import Moment, Outcome, Player


class Wanted(Arguments):
    thing: Annotated[str, Field(max_length=20)]


class NoSuch(BadInput):
    def __init__(self, thing: str) -> None:
        super().__init__("There is no such thing.")
        self.code = f"bad_{thing}"


class Checked(Wanted):
    @field_validator("thing")
    @classmethod
    def check(cls, thing: str) -> str:
        raise NoSuch(thing)


def want(player: Player, args: Wanted, moment: Moment) -> Outcome:
    raise Refused(f"no_{args.thing}", "There is none.")


def check(player: Player, args: Checked, moment: Moment) -> Outcome:
    return Outcome(player, ())
"""
SERIES = re.compile(r"gameserver_(refusals|commands|socket_requests)_total\{.*\b(?:code|end)=\"((?:no|bad)_thing\d+)\"")
TRIED = OF_A_RULE + 20


async def test_codes_of_what_is_sent_count_as_other_beyond_some(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "studio.py").write_text(STUDIO)
    settings = with_actions(settings, tmp_path, want="studio:want", check="studio:check")
    node = node_process(settings, tmp_path, "node-1")
    await node.start()
    async with Api(node.address) as api:
        who = await api.sign_up()
        socket = await api.socket(who.token)
        for number in range(TRIED):
            thing = f"thing{number}"
            answer = await api.act(who, "want", thing=thing)
            assert answer.code == f"no_{thing}"
            assert (await api.act(who, "check", thing=thing)).code == f"bad_{thing}"
            found = await socket.ask("act", action="want", args={"thing": thing})
            assert found["error"]["code"] == f"no_{thing}"
        text = (await api.ask("GET", "/metrics")).body.decode()
    await node.stop()
    series = {found.groups() for found in map(SERIES.match, text.splitlines()) if found}
    for metric in ("refusals", "commands", "socket_requests"):
        of_want = {code for name, code in series if name == metric and code.startswith("no_")}
        assert len(of_want) == OF_A_RULE, metric
    assert len({code for name, code in series if code.startswith("bad_")}) == OF_A_RULE
    assert f'gameserver_commands_total{{action="want",end="other"}} {2.0 * (TRIED - OF_A_RULE)}' in text
    told = [line for line in map(json.loads, node.log.read_text().splitlines()) if "more codes" in line["event"]]
    assert sorted(line["action"] for line in told) == ["check", "want"]
