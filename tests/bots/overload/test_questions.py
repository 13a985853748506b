"""Answers under load are sorted: right ones, rules' refusals, those that say when to come back, and broken promises."""

import pytest

from bots.overload.questions import Treatment, heard_on_socket, heard_over_http

PLAIN = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2"
LATER = PLAIN + b"\r\nRetry-After: 1"


@pytest.mark.parametrize(
    ("status", "head", "code", "treatment"),
    [
        (200, PLAIN, "", Treatment.ANSWERED),
        (201, PLAIN, "", Treatment.ANSWERED),
        (409, PLAIN, "player_is_down", Treatment.REFUSED),
        (429, LATER, "rate_limited", Treatment.TURNED_AWAY),
        (503, LATER, "overloaded", Treatment.TURNED_AWAY),
        (503, PLAIN, "overloaded", Treatment.BROKEN),
        (429, PLAIN, "rate_limited", Treatment.BROKEN),
        (500, LATER, "internal", Treatment.BROKEN),
        (502, LATER, "outcome_unknown", Treatment.BROKEN),
        (401, PLAIN, "not_authenticated", Treatment.BROKEN),
        (404, PLAIN, "not_found", Treatment.BROKEN),
    ],
)
def test_http_answers(status: int, head: bytes, code: str, treatment: Treatment) -> None:
    heard = heard_over_http(status, head, b'{"code":"%b"}' % code.encode())
    assert heard.treatment is treatment
    assert code in heard.code


@pytest.mark.parametrize(
    ("frame", "treatment"),
    [
        (b'{"id":1,"ok":{"player":{}}}', Treatment.ANSWERED),
        (b'{"id":1,"error":{"code":"not_enough_exp","detail":""}}', Treatment.REFUSED),
        (b'{"id":1,"error":{"code":"cooling_down","retry_after":3}}', Treatment.REFUSED),
        (b'{"id":1,"error":{"code":"overloaded","retry_after":1}}', Treatment.TURNED_AWAY),
        (b'{"id":1,"error":{"code":"rate_limited","retry_after":0.5}}', Treatment.TURNED_AWAY),
        (b'{"id":1,"error":{"code":"overloaded","detail":""}}', Treatment.BROKEN),
        (b'{"id":1,"error":{"code":"internal","detail":""}}', Treatment.BROKEN),
        (b'{"id":1,"error":{"code":"bad_input","detail":""}}', Treatment.BROKEN),
    ],
)
def test_frames(frame: bytes, treatment: Treatment) -> None:
    assert heard_on_socket(frame).treatment is treatment
