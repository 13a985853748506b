"""A connection to Redis that spares what the driver does for every reply and every command of a pipeline.

Law: it sends and returns the same as the driver's own. A reply that has arrived is taken without a deadline, since
nothing is waited for: the driver sets up a timer for each reply of a pipeline, which costs more than reading it.
Commands are packed by hiredis as a whole instead of argument by argument.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from hiredis import pack_command
from redis.asyncio import Connection
from redis.exceptions import ResponseError


class LeanConnection(Connection):
    """The driver's connection, with these two shorter ways."""

    async def read_response(
        self,
        disable_decoding: bool = False,  # noqa: FBT001, FBT002 - as the driver
        timeout: float | None = None,
        *,
        disconnect_on_error: bool = True,
        push_request: bool | None = False,
    ) -> Any:
        """The next reply. Raises it if it is an error; RedisError."""
        if timeout is None and disconnect_on_error and not push_request and self.is_connected:
            reading: Coroutine[Any, Any, Any] = self._read_response_from_parser(disable_decoding)
            try:
                reading.send(None)
            except StopIteration as arrived:
                return self._checked(arrived.value)
            except BaseException:
                await self.disconnect(nowait=True)
                raise
            reading.close()  # it would wait: what has arrived of the reply stays in the parser
        return await super().read_response(
            disable_decoding, timeout, disconnect_on_error=disconnect_on_error, push_request=push_request
        )

    def _checked(self, reply: Any) -> Any:
        if self.health_check_interval:
            self.next_health_check = asyncio.get_running_loop().time() + self.health_check_interval
        if isinstance(reply, ResponseError):
            raise reply from None
        return reply

    def pack_command(self, *args: Any) -> list[bytes]:
        """The bytes of a command. Raises DataError for what isn't text, bytes or a number."""
        name = args[0]
        if type(name) is str and " " not in name and PACKED.issuperset(map(type, args)):
            return [pack_command(args)]
        return super().pack_command(*args)


PACKED = frozenset((str, bytes, int))
"""What both write alike; the driver refuses a `bool`, and writes a float as Python does."""
