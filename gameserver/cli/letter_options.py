"""The options that say which letter goes to whom, written once for the commands that take them."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gameserver.commands.player_changes import Gift
from gameserver.commands.results import Segment
from gameserver.transport import wire

Item = Annotated[list[str] | None, typer.Option("--item", help="What comes with it: NAME=COUNT; may be repeated.")]
Level = Annotated[int | None, typer.Option(min=1, max=wire.MOST_LEVELS, help="Only from this level on, or up to it.")]
Moment = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"], help="In UTC.")
]
Banned = Annotated[bool, typer.Option("--banned", help="Those that are banned, instead of those that aren't.")]


@dataclass(frozen=True, kw_only=True)
class LetterOptions:
    """Each field is an option."""

    text: Annotated[str, typer.Option(help="What the players read.")]
    item: Item = None
    class_name: Annotated[str | None, typer.Option("--class", help="Only this class.")] = None
    min_level: Level = None
    max_level: Level = None
    created_since: Moment = None
    created_until: Moment = None
    seen_since: Moment = None
    seen_until: Moment = None
    banned: Banned = False

    @property
    def segment(self) -> Segment:
        moments = (self.created_since, self.created_until, self.seen_since, self.seen_until)
        since, until, seen_since, seen_until = (each if each is None else each.replace(tzinfo=UTC) for each in moments)
        return Segment(
            self.class_name,
            self.min_level,
            self.max_level,
            since,
            until,
            self.banned,
            seen_since=seen_since,
            seen_until=seen_until,
        )

    def gift(self) -> Gift:
        """Raises BadInput, naming the fields, as the HTTP door does."""
        pairs = (each.partition("=") for each in self.item or ())
        counts = {name: int(count) if count.isdecimal() else count for name, _, count in pairs}
        body = {"reason": "x", "text": self.text, "items": counts}
        return Gift(self.text, tuple(sorted(wire.parse(wire.MailToPlayer, body).items.items())))


def with_letter(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of a letter before its own; it is given them as its first argument."""
    shared = inspect.signature(LetterOptions).parameters
    own = [*inspect.signature(command).parameters.values()][1:]

    @functools.wraps(command)
    def run(**options: Any) -> None:
        letter = LetterOptions(**{name: options.pop(name) for name in shared})
        command(letter, **options)

    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*shared.values(), *own)]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run
