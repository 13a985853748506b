"""Errors that only the doors raise, the HTTP status of every error, and the codes that sockets close with."""

from gameserver.rules.errors import (
    BadInput,
    CommandExpired,
    CommandMismatch,
    Conflict,
    Forbidden,
    GameError,
    Internal,
    NotAuthenticated,
    NotFound,
    RateLimited,
    Refused,
    Unavailable,
)

LARGEST_BODY = 16 * 1024
"""Bytes of a request's body, and of a frame."""
LARGEST_GAME_BODY = 256 * 1024
"""Bytes of a body that has a whole game.toml in it."""


class BadJson(BadInput):
    """The body isn't JSON, or not an object."""

    code = "bad_json"


class TooLarge(BadInput):
    """The body or the frame has more bytes than it may."""

    code = "too_large"


class UnsupportedMediaType(BadInput):
    """The body isn't sent as uncompressed `application/json`."""

    code = "unsupported_media_type"
    sentence = "A body must be JSON."


class BadRequest(BadInput):
    """The request isn't HTTP as it should be: it can be understood in more than one way, or not at all."""

    code = "bad_request"
    sentence = "This isn't HTTP as it should be."


class BadConsistencyToken(BadInput):
    """The Consistency-Token is none, or of a player that the request doesn't read."""

    code = "bad_consistency_token"
    sentence = "This Consistency-Token can't be used."


class UriTooLong(BadRequest):
    """The path and query are longer than the server reads."""

    code = "uri_too_long"
    sentence = "The path and query are too long."


class HeadersTooLarge(BadRequest):
    """A header is longer, or there are more of them, than the server reads."""

    code = "headers_too_large"
    sentence = "The headers are too large."


class ExpectationFailed(BadRequest):
    """The request expects something other than `100-continue`."""

    code = "expectation_failed"
    sentence = "The server can't meet this expectation."


class WrongSocketVersion(BadInput):
    """The upgrade is to another version of WebSocket, or names none."""

    code = "wrong_socket_version"
    sentence = "The server speaks version 13 of WebSocket."


class TooSlow(BadInput):
    """The body didn't arrive in time."""

    code = "too_slow"


class TooManyMessages(RateLimited):
    """A socket sends more frames than it may; it is closed."""

    code = "too_many_messages"


class MethodNotAllowed(NotFound):
    """The path exists, but not with this method."""

    code = "method_not_allowed"


STATUSES: dict[type[GameError], int] = {
    BadJson: 400,
    TooLarge: 413,
    TooSlow: 408,
    UnsupportedMediaType: 415,
    UriTooLong: 414,
    HeadersTooLarge: 431,
    ExpectationFailed: 417,
    WrongSocketVersion: 426,
    BadRequest: 400,
    BadConsistencyToken: 400,
    BadInput: 422,
    CommandMismatch: 422,
    CommandExpired: 422,
    NotAuthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    Refused: 409,
    RateLimited: 429,
    Unavailable: 503,
    Internal: 500,
}


class Close:
    """The codes that the server closes a socket with; those under 4000 are RFC 6455's."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INTERNAL = 1011
    TRY_AGAIN_LATER = 1013
    BAD_FRAME = 4400
    NOT_AUTHENTICATED = 4401
    TOO_SLOW = 4408
    SESSION_REVOKED = 4409
    TOO_MANY = 4429


CLOSES: dict[type[GameError], int] = {
    BadInput: Close.BAD_FRAME,
    RateLimited: Close.TOO_MANY,
    Unavailable: Close.TRY_AGAIN_LATER,
    Internal: Close.INTERNAL,
}


def close_code_of(error: type[GameError]) -> int:
    """The code to close a socket with whose hello failed with this error."""
    return next((CLOSES[kind] for kind in error.__mro__ if kind in CLOSES), Close.NOT_AUTHENTICATED)


def status_of(error: type[GameError]) -> int:
    """The HTTP status of an error: its own or its nearest ancestor's. Raises LookupError if none of them has one."""
    for kind in error.__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    raise LookupError(f"{error.__name__} has no HTTP status")
