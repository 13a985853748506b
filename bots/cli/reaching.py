"""Where a run plays, and the admin key for its proof: given, or found for a stack that `gameserver up` runs here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bots.chaos import stack
from bots.chaos.stack import RunningStack
from bots.cli.ending import give_up, read_key
from bots.cli.options import DEFAULT_URL
from bots.proving import Target

NO_KEY = (
    "no admin key was given or found: boards and bans won't be proved, nor players that an operator deletes "
    "(--admin-key-file FILE, or BOTS_ADMIN_KEY)"
)


@dataclass(frozen=True, slots=True)
class GivenTarget:
    """What the user gave; None for what was left out. `stack` is the data folder of the stack to play on."""

    urls: list[str] | None
    admin_key: str | None
    admin_key_file: Path | None
    admin_url: str | None
    patience: float
    stack: Path | None = None


def target(given: GivenTarget) -> tuple[Target, str]:
    """Return where to play, and a sentence about what was found, or that there is no admin key.

    Whatever was given counts; only the rest is looked for. Ends the command if what was given isn't there.
    """
    running = _running(given)
    urls = tuple(given.urls or ([running.players] if running is not None else [DEFAULT_URL]))
    key = read_key(given.admin_key_file) if given.admin_key_file else given.admin_key
    if key is None and running is not None and given.admin_url is None and (key := _key_of(running)):
        found = f"found the stack of {running.config.name}: players {running.players}, operators {running.operators}"
        return Target(urls, key, (running.operators,), given.patience), found
    admin_urls = (given.admin_url,) if given.admin_url else urls
    return Target(urls, key or None, admin_urls, given.patience), "" if key else NO_KEY


def _running(given: GivenTarget) -> RunningStack | None:
    running = stack.find(given.urls or [DEFAULT_URL], given.stack)
    if running is None and given.stack is not None:
        give_up(f"no `gameserver up` runs with the data folder {given.stack}")
    if running is None and given.urls is None:
        running = next(stack.running(), None)
    return running


def _key_of(running: RunningStack) -> str | None:
    try:
        return running.admin_key_file.read_text("utf-8").strip()
    except OSError:
        return None


def require_apart(files: Mapping[str, Path | str | None]) -> None:
    """End the command if two options name one file: one of them would be overwritten."""
    named: dict[Path, str] = {}
    for option, file in files.items():
        if file is None or str(file) == "-":
            continue
        if other := named.get(path := Path(file).resolve()):
            give_up(f"{file} is named by {other} and by {option}")
        named[path] = option
