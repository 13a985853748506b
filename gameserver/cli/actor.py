"""Who uses the command line, for the audit log, and why: the account of the operating system, and the machine."""

import os
import pwd
import socket
from typing import Annotated

import typer

from gameserver.rules.errors import BadInput
from gameserver.transport import wire

LONGEST = 64
"""Characters of a name in the audit log."""


def _checked(reason: str) -> str:
    """By the law that reasons over HTTP have. Raises BadParameter."""
    try:
        return wire.parse(wire.ReasonQuery, {"reason": reason}).reason
    except BadInput as error:
        raise typer.BadParameter(f"it {error.errors[0].problem}") from None


Reason = Annotated[str, typer.Option(callback=_checked, help="For the audit log.")]
ReasonIfChanged = Annotated[
    str | None,
    typer.Option(
        "--reason",
        callback=lambda given: None if given is None else _checked(given),
        help="For the audit log; needed if something is to change.",
    ),
]
"""The same of a command that may also only look; `needed` when it doesn't."""


def needed(reason: str | None) -> str:
    """The reason of a change. Raises BadParameter if none was given."""
    if reason is None:
        raise typer.BadParameter("a change needs a reason, for the audit log", param_hint="'--reason'")
    return reason


def actor() -> str:
    """`account@host`, after `sudo` also whose account was used before: `root@host for ann`."""
    uid = os.getuid()
    try:
        account = pwd.getpwuid(uid).pw_name
    except KeyError:
        account = f"uid {uid}"
    before = os.environ.get("SUDO_USER", "") if uid == 0 else ""
    return f"{account}@{socket.gethostname()}{f' for {before}' if before else ''}"[:LONGEST]
