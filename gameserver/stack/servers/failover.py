"""A database of several servers under Patroni, made ready for nodes once a standby is in step with its primary."""

import asyncio
from collections.abc import Sequence

from gameserver.stack.errors import StackError
from gameserver.stack.servers import roles
from gameserver.stack.servers.local_http import HOST
from gameserver.stack.servers.patroni import PatroniServer
from gameserver.stack.servers.patroni_api import MemberState, PatroniApi
from gameserver.stack.servers.patroni_settings import MemberPasswords, shared

_READY_SECONDS = 180
_POLL_SECONDS = 0.2


class FailoverDatabase:
    """The members of one database."""

    def __init__(
        self,
        name: str,
        members: Sequence[PatroniServer],
        passwords: MemberPasswords,
        api: PatroniApi,
        *,
        summarized: bool = False,
    ) -> None:
        """`summarized`: they note which pages change, for incremental backups."""
        self.name = name
        self._summarized = summarized
        self.members = members
        self._passwords = passwords
        self._api = api

    async def provide(self) -> None:
        """Waits for a primary that is in step with a standby; makes the nodes' role and database there.

        Raises StackError after 180 s, naming what is missing.
        """
        leader = await self._leader_in_step()
        await self._api.configure(shared(len(self.members), summarized=self._summarized))
        try:
            connection = await roles.connect_first((HOST, leader.port), (self._passwords.superuser,))
            try:
                await roles.provide(connection, self._passwords.nodes)
            finally:
                await connection.close()
        except roles.DRIVER_ERRORS as error:
            raise StackError(f"The primary of {self.name} ({leader.name}) doesn't answer: {error}") from None

    async def _leader_in_step(self) -> MemberState:
        end = asyncio.get_running_loop().time() + _READY_SECONDS
        while True:
            try:
                members = await self._api.members()
            except StackError:
                members = []
            leader = next((member for member in members if member.leads), None)
            if leader is not None and any(member.can_take_over for member in members):
                return leader
            if asyncio.get_running_loop().time() > end:
                raise StackError(f"After {_READY_SECONDS} s {self._missing(members)}")
            await asyncio.sleep(_POLL_SECONDS)

    def _missing(self, members: Sequence[MemberState]) -> str:
        states = ", ".join(f"{member.name} is {member.role}, {member.state}" for member in members)
        words = "".join(member.process.last_words() for member in self.members[:1])
        return f"the database {self.name} has no primary with a standby in step ({states or 'nothing answers'}){words}"
