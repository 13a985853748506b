"""The proof reads players again that were shown something newer than what it has read."""

from typing import Any

from bots.play.record import BotRecord
from bots.proof import invariants
from bots.proof.audit import INBOX_PATH, LEDGER_PATH, ProofPatience, prove_players
from bots.wire.answers import Answer, AnswerKind
from bots.wire.bodies import parse_state
from bots.wire.channel import Channel
from bots.wire.player_client import Reply
from bots.wire.pushes import PushHistory
from bots.wire.requests import Request

AT_ONCE = ProofPatience(settling=0.0, mail=0.0)


def player(version: int) -> dict[str, Any]:
    return {"id": "7", "class": "mage", "level": 1, "hp": 9, "max_hp": 9, "exp": version, "version": version}


def entry(version: int) -> dict[str, Any]:
    action = "sign_up" if version == 1 else "mail:season_reward"
    args = {} if version == 1 else {"sender": "0"}
    words = {"command_id": f"c{version}", "action": action, "args": args}
    return {**words, "player": player(version), "version": version, "events": []}


class Rewarded:
    """A player that is pushed a reward once it has been read; `stores` says whether the server has it from then on."""

    def __init__(self, *, stores: bool) -> None:
        self.stores = stores
        self.pushes = PushHistory()
        self.record = BotRecord()
        self.record.signed_up("c1", "7", parse_state(player(1)))
        self.version = 1

    @property
    def client(self) -> "Rewarded":
        return self

    async def send(self, request: Request, _channel: Channel) -> Reply:
        bodies: dict[str, Any] = {
            LEDGER_PATH: {"entries": [entry(version) for version in range(self.version, 0, -1)]},
            "/v1/players/me?max_staleness=0": player(self.version),
            "/v1/players/me/items": {"items": []},
            INBOX_PATH: {"entries": [{"mail_id": f"c{version}"} for version in range(self.version, 1, -1)]},
        }
        body = bodies[request.path]
        if request.path.endswith("/items"):
            self.record.see(parse_state(player(2)))
            self.version = 2 if self.stores else 1
        return Reply(Answer(AnswerKind.OK, body=body))


async def violated(*, stores: bool) -> set[str]:
    proved = await prove_players([Rewarded(stores=stores)], AT_ONCE)
    return {getattr(fault, "invariant", "") for verdict in proved.verdicts for fault in verdict.faults()}


async def test_a_reward_that_is_shown_while_the_proof_reads_is_not_lost() -> None:
    assert await violated(stores=True) == set()


async def test_one_that_the_server_never_stores_is() -> None:
    assert await violated(stores=False) == {invariants.SEEN}
