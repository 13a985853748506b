"""Says what holds up this node while it does: a rule that never ends would never be named afterwards.

Law: a thread looks twice a second whether the event loop still turns. When it hasn't for STILL_LOOKS looks, one line
has the stack of the loop's thread, and the innermost line of the game's own code in it; no second line until the loop
has turned again. A process that was frozen looks once when it wakes, so it says nothing.
"""

import asyncio
import sys
import threading
import traceback

import structlog

from gameserver.rules.places import own_line

BEAT_SECONDS = 0.5
STILL_LOOKS = 4
JOIN_SECONDS = 1
log = structlog.get_logger()


class Stillness:
    """One per node; `run` is on its event loop."""

    def __init__(self) -> None:
        self._beats = 0
        self._ended = threading.Event()

    async def run(self) -> None:
        """Shows the thread that the loop turns, for ever."""
        looking = threading.Thread(target=self._look, args=(threading.get_ident(),), name="stillness", daemon=True)
        looking.start()
        try:
            while True:
                self._beats += 1
                await asyncio.sleep(BEAT_SECONDS / 2)
        finally:
            self._ended.set()
            looking.join(JOIN_SECONDS)

    def _look(self, loops_thread: int) -> None:
        seen, still = self._beats, 0
        while not self._ended.wait(BEAT_SECONDS):
            still = still + 1 if self._beats == seen else 0
            seen = self._beats
            if still == STILL_LOOKS:
                _tell(loops_thread)


def _tell(thread: int) -> None:
    frame = sys._current_frames().get(thread)
    if frame is None:
        return
    stack = traceback.extract_stack(frame)
    where = own_line(stack) or f"{stack[-1].filename}:{stack[-1].lineno}"
    seconds = BEAT_SECONDS * STILL_LOOKS
    log.error("something holds up this node", where=where, seconds=seconds, stack="".join(traceback.format_list(stack)))
