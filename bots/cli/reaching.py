"""Where a run plays, and the admin key for its proof: given, or found for a stack that `gameserver up` runs here."""

from dataclasses import dataclass
from pathlib import Path

from bots.chaos import stack
from bots.chaos.stack import RunningStack
from bots.cli.ending import give_up, read_key
from bots.cli.options import DEFAULT_URL
from bots.proving import Target


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
    """Return where to play, and a sentence about what was found, "" for nothing; ends the command if a key is missing.

    Whatever was given counts; only the rest is looked for.
    """
    running = stack.find(given.urls or [DEFAULT_URL], given.stack)
    if running is None and given.urls is None and given.stack is None:
        running = next(stack.running(), None)
    urls = tuple(given.urls or ([running.players] if running is not None else [DEFAULT_URL]))
    key = read_key(given.admin_key_file) if given.admin_key_file else given.admin_key
    found = ""
    if key is None and running is not None and given.admin_url is None:
        key, found = _key_of(running)
    admin_url = given.admin_url or (running.operators if running is not None and found else None)
    return Target(urls, key, (admin_url,) if admin_url else urls, given.patience), found


def _key_of(running: RunningStack) -> tuple[str | None, str]:
    try:
        key = running.admin_key_file.read_text("utf-8").strip()
    except OSError:
        return None, ""
    return key, f"found the stack of {running.config.name}: players {running.players}, operators {running.operators}"


def require_writable(path: str | None) -> None:
    """End the command if a file can't be written, before anything was done for it."""
    if path is None or path == "-":
        return
    file = Path(path)
    existed = file.exists()
    try:
        with file.open("ab"):
            pass
        if not existed:
            file.unlink()
    except OSError as error:
        give_up(f"the report can't be written to {path}: {error.strerror}")
