"""The error table of the doors: every error of the tree has a status, and a code of its own."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest

import gameserver.app  # every module that may define an error
from gameserver.rules.errors import FieldProblem, GameError, Internal, OtherOperator, Refused, RuleBroken, Unavailable
from gameserver.transport import answers, wire
from gameserver.transport.http.middleware import problem_response


def below(kind: type[GameError]) -> Iterator[type[GameError]]:
    for subclasse in kind.__subclasses__():
        if subclasse.__module__.startswith("gameserver."):
            yield subclasse
        yield from below(subclasse)


TREE = sorted(set(below(GameError)), key=lambda kind: kind.__name__)


def test_the_walk_finds_the_errors_of_rules_and_doors() -> None:
    assert gameserver.app
    assert {wire.BadJson, Refused, RuleBroken} < set(TREE)
    assert len(TREE) >= 25


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_that_fits_it(kind: type[GameError]) -> None:
    status = wire.status_of(kind)
    assert 400 <= status < 600
    assert (status >= 500) == issubclass(kind, Unavailable | Internal), "a fault of the server's, or of the client's"


def test_no_two_errors_share_a_code() -> None:
    codes = Counter(entry.code for entry in TREE if entry is not RuleBroken)
    assert [code for code, times in codes.items() if times > 1] == []
    assert RuleBroken.code == "internal"


def test_the_statuses_are_those_of_the_wire_contract() -> None:
    by_name = {entry.code: wire.status_of(entry) for entry in TREE}
    assert by_name == {
        "bad_json": 400,
        "bad_request": 400,
        "bad_consistency_token": 400,
        "uri_too_long": 414,
        "unsupported_media_type": 415,
        "expectation_failed": 417,
        "wrong_socket_version": 426,
        "headers_too_large": 431,
        "not_authenticated": 401,
        "wrong_credentials": 401,
        "session_revoked": 401,
        "forbidden": 403,
        "not_found": 404,
        "player_not_found": 404,
        "board_not_found": 404,
        "banned": 403,
        "other_operator": 403,
        "not_on_board": 404,
        "season_not_found": 404,
        "session_not_found": 404,
        "state_unknown": 404,
        "player_changed": 409,
        "not_undoable": 409,
        "segment_changed": 409,
        "campaign_over": 409,
        "campaign_not_found": 404,
        "same_operator": 403,
        "method_not_allowed": 405,
        "conflict": 409,
        "name_taken": 409,
        "device_taken": 409,
        "too_many_friends": 409,
        "too_many_blocks": 409,
        "too_many_queries": 409,
        "query_not_found": 404,
        "refused": 409,
        "rate_limited": 429,
        "too_many_messages": 429,
        "too_many_changes": 429,
        "device_not_found": 404,
        "last_credential": 409,
        "proof_needed": 403,
        "too_many_devices": 409,
        "too_large": 413,
        "too_slow": 408,
        "bad_input": 422,
        "unknown_action": 422,
        "unknown_class": 422,
        "unknown_foe": 422,
        "unknown_item": 422,
        "command_mismatch": 422,
        "command_expired": 422,
        "internal": 500,
        "unavailable": 503,
        "class_missing": 503,
        "rules_changing": 503,
        "overloaded": 503,
        "database_unavailable": 503,
        "outcome_unknown": 503,
        "board_unavailable": 503,
        "sessions_unavailable": 503,
        "presence_unavailable": 503,
        "friends_unavailable": 503,
    }


def test_an_error_without_a_status_is_noticed() -> None:
    class Unheard(GameError):
        code = "unheard"

    with pytest.raises(LookupError):
        wire.status_of(Unheard)


def test_both_doors_answer_an_error_alike() -> None:
    for kind in TREE:
        error = kind("a_rule", "It can't be.") if issubclass(kind, Refused) else kind("It can't be.")
        problem, frame = answers.problem(error, "an-id"), answers.frame_error(error, "an-id")
        assert (problem["code"], problem["detail"]) == (frame["code"], frame["detail"]) == (error.code, error.detail)
        assert problem["status"] == wire.status_of(kind)


def test_whatever_may_be_sent_again_says_when() -> None:
    kinds = [kind for kind in TREE if wire.status_of(kind) in (429, 503)]
    assert len(kinds) > 10
    for kind in kinds:
        error = kind("Not now.")
        assert answers.frame_error(error, "an-id")["retry_after"] == 1, kind
        assert problem_response(error).headers["Retry-After"] == "1", kind
        assert kind("Not now.", retry_after=2.5).retry_after == 2.5


def test_no_extra_stands_in_place_of_what_every_error_says() -> None:
    own = {"type": "x", "title": "x", "status": 200, "detail": "x", "code": "x", "request_id": "x", "errors": ["x"]}
    error = Refused("a_rule", "It can't be.", extra={**own, "cost": 3})
    for answer in (answers.problem(error, "an-id"), answers.frame_error(error, "an-id")):
        assert answer["cost"] == 3
        assert {name: value for name, value in answer.items() if own.get(name) == value} == {}


def test_an_error_that_quotes_what_isnt_utf_8_is_answered() -> None:
    error = OtherOperator("This page was caf\udce9's.", errors=[FieldProblem("\udcff김", "is wrong")])
    response = problem_response(error)
    assert isinstance(response.body, bytes)
    told = json.loads(response.body)
    assert (response.status, told["code"], told["detail"]) == (403, "other_operator", "This page was caf?'s.")
    assert told["errors"] == [{"field": "?김", "problem": "is wrong"}]


def test_a_failed_hello_closes_with_the_code_of_its_error() -> None:
    codes = {wire.close_code_of(kind) for kind in TREE}
    assert codes == {4400, 4401, 4429, 1011, 1013}
    for kind in TREE:
        assert (wire.close_code_of(kind) == 1013) == (wire.status_of(kind) == 503)
        assert (wire.close_code_of(kind) == 1011) == (wire.status_of(kind) == 500)
