"""What a rule may tell a client that it refuses: never what only the server says, and nothing that can't be sent."""

import asyncio
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from pydantic import field_validator

import gameserver.app
from gameserver.rules import errors, studio
from gameserver.rules.arguments import Arguments
from gameserver.rules.errors import BadInput, FieldProblem, GameError, Refused, RuleBroken, UnknownFoe
from gameserver.rules.player import Moment, Outcome, Player
from gameserver.rules.server_codes import OF_ARGUMENTS, SERVER_CODES
from gameserver.storage.ledger.refusals import raise_refusal, refusal_of
from gameserver.storage.ledger.rows import json_of
from tests.rules.samples import play, rulebook_with, sample_player
from tests.rules.studio import Pray

raised: list[BaseException] = []


def object_to(player: Player, args: Pray, moment: Moment) -> Outcome:
    raise raised[-1]


class Picky(Arguments):
    """Checked by code that raises."""

    of: int = 0

    @field_validator("of", mode="before")
    @classmethod
    def picky(cls, value: object) -> int:
        raise raised[-1]


def pick(player: Player, args: Picky, moment: Moment) -> Outcome:
    return Outcome(player, ())


STUDIO = rulebook_with(object_to=f"{__name__}:object_to", pick=f"{__name__}:pick")


def answer_to(error: BaseException, action: str = "object_to", args: object = None) -> GameError:
    """What a client is answered when a rule raises this."""
    raised.append(error)
    try:
        with pytest.raises(GameError) as caught:
            play(sample_player(), action, args, rulebook=STUDIO)
    finally:
        raised.pop()
    return caught.value


class Mine(GameError):
    code = "mine"


class TooTired(Refused):
    def __init__(self) -> None:
        super().__init__("too_tired", "Sleep first.")


class WrongRune(BadInput):
    code = "wrong_rune"


class Impostor(TooTired, errors.SessionRevoked):
    """A refusal that would be answered as the end of a session is."""


class Unmade(Refused):
    def __init__(self) -> None:
        """Leaves out what every error has."""


class Treacherous(TooTired):
    @property
    def extra(self) -> dict[str, Any]:
        raise SystemExit(3)

    @extra.setter
    def extra(self, value: object) -> None: ...


def below(kind: type[GameError]) -> Iterator[type[GameError]]:
    for child in kind.__subclasses__():
        yield from (child, *below(child))


SERVERS = sorted(
    {kind for kind in below(GameError) if kind.__module__.startswith("gameserver.") and not issubclass(kind, Refused)},
    key=lambda kind: kind.__name__,
)
MAY = {BadInput, errors.UnknownClass, errors.UnknownFoe, errors.UnknownItem}


def with_values(**values: Any) -> GameError:
    error = BadInput("It can't be.")
    for name, value in values.items():
        setattr(error, name, value)
    return error


@pytest.mark.parametrize("action", ["object_to", "pick"])
@pytest.mark.parametrize("kind", [kind for kind in SERVERS if kind not in MAY], ids=lambda kind: kind.__name__)
def test_no_rule_raises_an_error_that_only_the_server_has(kind: type[GameError], action: str) -> None:
    args = {"of": 3} if action == "pick" else {}
    answer = answer_to(kind("It can't be."), action, args)
    assert isinstance(answer, RuleBroken)
    assert f"raised {kind.__name__}" in answer.fault
    assert __file__ in answer.where


@pytest.mark.parametrize("error", [Mine(), GameError(), Impostor(), Unmade(), Treacherous()], ids=repr)
def test_no_rule_raises_what_has_no_answer(error: GameError) -> None:
    assert isinstance(answer_to(error), RuleBroken)
    assert isinstance(answer_to(error, "pick", {"of": 3}), RuleBroken)


@pytest.mark.parametrize(
    "error", [TooTired(), WrongRune("No."), BadInput(errors=[FieldProblem("args.a", "is odd")]), UnknownFoe()], ids=repr
)
def test_a_refusal_and_a_fault_of_arguments_reach_the_client_as_they_are(error: GameError) -> None:
    assert answer_to(error) is error
    assert answer_to(error, "pick", {"of": 3}) is error


def test_the_codes_of_all_the_servers_errors_are_its_own() -> None:
    assert gameserver.app
    assert {kind.code for kind in SERVERS} | {"not_enough_items"} == SERVER_CODES
    assert {kind.code for kind in MAY} == OF_ARGUMENTS


@pytest.mark.parametrize("code", sorted(SERVER_CODES))
def test_no_refusal_has_a_code_of_the_servers(code: str) -> None:
    answer = answer_to(Refused(code, "It can't be."))
    assert isinstance(answer, RuleBroken)
    assert "only the server gives" in answer.fault
    assert isinstance(answer_to(with_values(code=code)), BadInput if code in OF_ARGUMENTS else RuleBroken)


@pytest.mark.parametrize("code", ["refused", "player_is_down", "same_player", "cooling_down"])
def test_codes_that_rules_share_are_nobodys_own(code: str) -> None:
    assert answer_to(Refused(code, "No.")).code == code


@pytest.mark.parametrize("wait", [float("nan"), float("inf"), "abc", -1, -0.5, 1e300, 10**400, True, [3]], ids=repr)
def test_a_time_to_wait_is_a_number_of_seconds(wait: object) -> None:
    assert isinstance(answer_to(with_values(retry_after=wait)), RuleBroken)
    assert isinstance(answer_to(with_values(extra={"retry_after": wait})), RuleBroken)
    for fine in (0, 0.5, 86_400):
        assert answer_to(with_values(retry_after=fine)).retry_after == fine


@pytest.mark.parametrize(
    "problems",
    [[("args.a", "is odd")], [FieldProblem("a", cast("str", 3))], [FieldProblem("a", "\ud800")], (), "ab", None],
    ids=repr,
)
def test_problems_of_fields_are_problems_of_fields(problems: object) -> None:
    assert isinstance(answer_to(with_values(errors=problems)), RuleBroken)


@pytest.mark.parametrize("name", sorted(studio.OWN_FIELDS))
def test_no_extra_stands_for_what_every_answer_has(name: str) -> None:
    assert isinstance(answer_to(Refused("no", "No.", extra={name: "x"})), RuleBroken)


def test_errors_are_as_few_as_can_be_kept() -> None:
    many = [FieldProblem(f"args.{number}", "x" * 900) for number in range(100)]
    assert isinstance(answer_to(with_values(errors=many)), RuleBroken)
    assert isinstance(answer_to(with_values(errors=many[:20])), BadInput)


@pytest.mark.parametrize("extra", [None, [1], SimpleNamespace(), {"why": "x" * 70_000}], ids=lambda _: "")
def test_an_extra_is_a_dict_that_can_be_kept(extra: object) -> None:
    assert isinstance(answer_to(with_values(extra=extra)), RuleBroken)


def test_a_refusal_is_replayed_with_all_that_it_said() -> None:
    first = TooTired()
    first.retry_after, first.errors, first.extra = 3, [FieldProblem("args.a", "is odd")], {"bed": 7}
    with pytest.raises(Refused) as again:
        raise_refusal(orjson.loads(json_of(refusal_of(first))))
    for name in ("code", "detail", "retry_after", "errors", "extra"):
        assert getattr(again.value, name) == getattr(first, name)


def test_an_interrupt_is_a_rules_own_while_the_node_handles_the_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda _: lambda *_: None)
    assert isinstance(answer_to(KeyboardInterrupt()), RuleBroken)


def test_an_interrupt_is_an_operators_in_a_command() -> None:
    async def replay() -> None:
        raised.append(KeyboardInterrupt())
        try:
            play(sample_player(), "object_to", rulebook=STUDIO)
        finally:
            raised.pop()

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt), asyncio.Runner() as runner:
        runner.run(replay())
