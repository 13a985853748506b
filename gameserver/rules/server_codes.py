"""The codes of errors that only the server gives: clients believe them, and a rule's refusal can't have one.

An SDK sends again for ever what is `overloaded`, and signs out after `session_revoked`. Codes of the tree of
errors are read from its classes; those of doors and campaigns, and the lack of items, are listed.
"""

from collections.abc import Iterator

from gameserver.rules.errors import BadInput, GameError, Refused, UnknownClass, UnknownFoe, UnknownItem

OF_RULES: frozenset[type[GameError]] = frozenset(
    {GameError, Refused, BadInput, UnknownClass, UnknownFoe, UnknownItem},
)
"""What a rule's error may descend from, of the server's own classes."""
OF_ARGUMENTS = frozenset(kind.code for kind in OF_RULES if issubclass(kind, BadInput))
"""The codes of faults of arguments, which a rule may find, too."""
NOT_ENOUGH_ITEMS = "not_enough_items"
"""Of what an action takes: only the server knows stocks, and it looks for more before it says this."""
_LISTED = frozenset({
    "campaign_not_found", "campaign_over", "same_operator", "segment_changed",
    "bad_consistency_token", "bad_json", "bad_request", "expectation_failed", "headers_too_large",
    "method_not_allowed", "too_large", "too_many_messages", "too_slow", "unsupported_media_type", "uri_too_long",
    "wrong_socket_version",
})  # fmt: skip


def _codes(kind: type[GameError]) -> Iterator[str]:
    if kind.__module__.startswith(__package__):
        yield kind.code
    for child in kind.__subclasses__():
        yield from _codes(child)


SERVER_CODES = frozenset((*_codes(GameError), *_LISTED, NOT_ENOUGH_ITEMS)) - {Refused.code}
"""Every code that isn't a rule's own."""
