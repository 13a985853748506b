"""Questions to Patroni's REST API: who leads, who follows, and a planned change of the two."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gameserver.stack.errors import StackError
from gameserver.stack.servers import local_http
from gameserver.stack.servers.local_http import BasicLogin

_SWITCH_SECONDS = 60.0
"""Patroni answers when the new primary leads."""


@dataclass(frozen=True)
class MemberState:
    """One server of a database, as Patroni sees it."""

    name: str
    role: str
    """`leader`, `sync_standby` or `replica`."""
    state: str
    """`running` of a leader, `streaming` of a standby that follows; else what is wrong or under way."""
    port: int
    timeline: int | None
    lag: int | None
    """Bytes of log that it hasn't received; None for a leader, and where it isn't known."""

    @property
    def leads(self) -> bool:
        return self.role == "leader" and self.state == "running"

    @property
    def can_take_over(self) -> bool:
        """Whether it has everything that was acknowledged, and follows."""
        return self.role in ("sync_standby", "quorum_standby") and self.state == "streaming"


class PatroniApi:
    """The REST APIs of one database's members."""

    def __init__(self, database: str, ports: Sequence[int], credentials: BasicLogin) -> None:
        self._database = database
        self._ports = ports
        self._credentials = credentials

    async def members(self) -> list[MemberState]:
        """All of them, as the first says that answers. Raises StackError if none does."""
        for port in self._ports:
            try:
                answer = await local_http.ask("GET", port, "/cluster")
            except local_http.UNANSWERED:
                continue
            if answer.status == 200 and isinstance(answer.body, dict):
                return [_member(found) for found in answer.body.get("members", [])]
        raise StackError(f"No Patroni of the database {self._database} answers.")

    async def leader(self) -> MemberState:
        """Raises StackError if there is none."""
        for member in await self.members():
            if member.leads:
                return member
        raise StackError(f"The database {self._database} has no primary.")

    async def configure(self, settings: object) -> None:
        """Changes what the members share. Raises StackError."""
        await self._tell("PATCH", "/config", settings, local_http.SECONDS)

    async def switch(self, candidate: str | None) -> str:
        """Makes `candidate`, or a standby that has everything, the primary; returns what Patroni says.

        Raises StackError with the reason if it can't be done; nothing is changed then.
        """
        leader = await self.leader()
        wanted = {"leader": leader.name, **({"candidate": candidate} if candidate else {})}
        return await self._tell("POST", "/switchover", wanted, _SWITCH_SECONDS)

    async def _tell(self, method: str, path: str, content: object, seconds: float) -> str:
        for port in self._ports:
            try:
                answer = await local_http.ask(
                    method, port, path, content=content, credentials=self._credentials, seconds=seconds
                )
            except ConnectionRefusedError:
                continue
            except local_http.UNANSWERED as error:
                raise StackError(f"Patroni of {self._database} gave no answer, and may have done it: {error}") from None
            if answer.status not in (200, 202):
                raise StackError(f"Patroni of {self._database} refused ({answer.status}): {answer.body}")
            return str(answer.body)
        raise StackError(f"No Patroni of the database {self._database} answers.")


def _member(found: dict[str, Any]) -> MemberState:
    lag = found.get("lag")
    return MemberState(
        name=str(found.get("name")),
        role=str(found.get("role")),
        state=str(found.get("state")),
        port=int(found.get("port") or 0),
        timeline=found.get("timeline"),
        lag=lag if isinstance(lag, int) else None,
    )
