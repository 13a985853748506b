"""A process that behaves like a node towards the stack: `python played_node.py MANNER PORT`.

MANNER is usual, stubborn (ignores SIGTERM), late (never ready) or broken. It makes its ready file; on SIGTERM it writes
beside it whether PORT was still listened on, and ends.
"""

import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

manner, port = sys.argv[1], int(sys.argv[2])
ready = Path(os.environ["GAMESERVER_READY_FILE"])


def end(number: int, frame: FrameType | None) -> None:
    with socket.socket() as probe:
        ready.with_suffix(".ended").write_text("in order" if probe.connect_ex(("127.0.0.1", port)) == 0 else "too late")
    sys.exit(0)


signal.signal(signal.SIGTERM, signal.SIG_IGN if manner == "stubborn" else end)
if manner == "broken":
    sys.exit("the node is broken")
if manner != "late":
    ready.touch()
while True:
    signal.pause()
