"""Passwords: the form in which they are compared, and which are too easy to guess."""

from functools import cache
from importlib import resources
from unicodedata import category, normalize

from gameserver.rules import names
from gameserver.rules.errors import BadInput, FieldProblem

SHORTEST = 8


def prepared(password: str) -> str:
    """The form that is hashed, whatever system it is typed on: RFC 8265's OpaqueString, which keeps its case."""
    return normalize("NFC", "".join(" " if category(character) == "Zs" else character for character in password))


def require_good(password: str, name: str, field: str = "password") -> None:
    """Refuses what is too easy to guess for a player of this name. Raises BadInput.

    It is asked when a password is set, never when it is used.
    """
    form = prepared(password)
    if any(category(character) in ("Cc", "Cs", "Cn") for character in form):
        raise _bad(field, "has a control character, or one that this server's Unicode doesn't have")
    if len(form) < SHORTEST or len(set(form)) == 1:
        raise _bad(field, f"must have at least {SHORTEST} characters, not all of them the same")
    if form.casefold().strip() in _common():
        raise _bad(field, "is one of the commonest passwords")
    if names.key_of(form) == names.key_of(name):
        raise _bad(field, "is the player's name")


def _bad(field: str, problem: str) -> BadInput:
    return BadInput(errors=[FieldProblem(field, problem)])


@cache
def _common() -> frozenset[str]:
    """The list in lower case; its source and licence are in its first lines."""
    text = resources.files(__package__).joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))
