"""A connection to Redis that spares what the driver does for every reply and every command of a pipeline.

Law: it sends and returns the same as the driver's own. What needn't wait has no deadline: the driver sets up a timer
for each reply of a pipeline, and a task for each write, which cost more than the reading and the writing.
Commands are packed by hiredis as a whole instead of argument by argument.

Law: a call that is cancelled ends. The driver's own write goes through `asyncio.wait_for`, which in Python 3.11 forgets
a cancellation that comes when the write is done: a node that was told to stop could go on for ever.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, cast

from hiredis import pack_command
from redis.asyncio import Connection
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as Late


class LeanConnection(Connection):
    """The driver's connection, with these three shorter ways."""

    async def send_packed_command(
        self,
        command: bytes | str | Iterable[bytes],
        check_health: bool = True,  # noqa: FBT001, FBT002 - as the driver
    ) -> None:
        """Writes the bytes of one or more commands. Raises RedisError."""
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        try:
            await self._write(command)
        except TimeoutError:
            await self._drop()
            raise Late("Redis takes no more bytes.") from None
        except (OSError, RuntimeError) as error:  # a RuntimeError is how uvloop tells that the peer is gone
            await self._drop()
            raise Lost(f"Redis can't be written to: {error}") from error
        except BaseException:
            await self._drop()  # some of the bytes may be on their way
            raise

    async def _drop(self) -> None:
        """Ends the connection; what is still to be written is forgotten, since nobody may ever take it."""
        if self._writer is not None:
            self._writer.transport.abort()
        await self.disconnect(nowait=True)

    async def _write(self, command: bytes | str | Iterable[bytes]) -> None:
        if isinstance(command, str):
            command = command.encode()
        writer = cast("asyncio.StreamWriter", self._writer)
        writer.writelines([command] if isinstance(command, bytes) else command)
        draining = writer.drain()
        try:
            draining.send(None)
        except StopIteration:
            return
        draining.close()  # it would wait: what was written stays in the buffer
        async with asyncio.timeout(self.socket_timeout):
            await writer.drain()

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
