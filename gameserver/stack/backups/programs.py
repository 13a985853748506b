"""Postgres' programs for backups, run as the account that the servers run as, one after another under a lock.

Law: no password is in an argument. It is in the environment of the program, which only its account and root can read.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr

from gameserver.config import postgres_url
from gameserver.stack.errors import StackError
from gameserver.stack.processes.account import Account, for_servers
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.processes.process import Launch, Process
from gameserver.stack.servers import binaries, folders
from gameserver.storage.postgres import passfile

LONGEST_SECONDS = 24 * 3600.0
"""How long making, checking or copying one backup may take."""


class BackupPrograms:
    """The programs, their account, and the log that they write to."""

    def __init__(self, log: Path) -> None:
        """Raises StackError when a program is missing, OSError."""
        self.log = log
        self.account: Account | None = for_servers()
        self.folder = folders.for_programs(binaries.postgres(), self.account)

    async def run(
        self, title: str, argv: Sequence[str], lock: FolderLock, env: Mapping[str, str] | None = None
    ) -> None:
        """Runs a program until its end; `lock` is held. Raises StackError, with the end of its log, when it fails."""
        program = argv[0] if os.sep in argv[0] else str(self.folder / argv[0])
        process = Process(title, self.log)
        launch = Launch(
            argv=(program, *argv[1:]),
            cwd=Path("/"),
            env={"PATH": os.defpath, "LC_ALL": "C", **(env or {})},
            lock=lock,
            orphaned=signal.SIGKILL,
            account=self.account,
        )
        try:
            process.start(launch)
            if not await process.ended(LONGEST_SECONDS) or process.status != 0:
                raise StackError(f"{title} failed ({process.status_text}){process.last_words()}")
        finally:
            process.kill()


def conninfo(url: SecretStr, application: str) -> tuple[str, Mapping[str, str]]:
    """A URL for libpq without its password, and the environment that has it; `application` is what it calls itself.

    Of several addresses libpq takes the primary's. Raises StackError for a passphrase, which no environment can hold.
    """
    if passfile.has_passphrase(url):
        raise StackError(
            "Leave sslpassword out of the database's address: it would be on a command line, which every account of "
            "this machine can read. Use a key without a passphrase, which only the servers' account can read."
        )
    parts = urlsplit(postgres_url.for_servers(url).get_secret_value())
    user, at, hosts = parts.netloc.rpartition("@")
    role, _, password = user.partition(":")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    password = query.pop("password", unquote(password))
    query["application_name"] = application
    bare = urlunsplit(parts._replace(netloc=f"{role}{at}{hosts}", query=urlencode(query, quote_via=quote)))
    return bare, {"PGCONNECT_TIMEOUT": "10", **({"PGPASSWORD": password} if password else {})}
