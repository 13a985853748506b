"""Cuts of the network: for a while, packets to and from a server's port are dropped by nftables.

Law: a cut ends by itself. The kernel forgets the port after its time, whatever becomes of the bots. Only the ports of
the stack's own servers are ever in the set, and the table has a name that nothing else uses.
"""

import asyncio
import contextlib
import shutil
from urllib.parse import urlsplit

from bots.chaos.errors import CantBeDoneError

TABLE = "heroledger_chaos"
_SECONDS = 10.0
_RULES = f"""
table inet {TABLE} {{
    set cut {{ type inet_service; flags timeout; }}
    chain output {{
        type filter hook output priority 0; policy accept;
        tcp dport @cut drop
        tcp sport @cut drop
    }}
}}
"""


async def cut(port: int, seconds: float) -> None:
    """Cut a port off for so many seconds, which begin now. Raises CantBeDoneError where that isn't allowed."""
    await _nft(_RULES)
    await _nft(f"add element inet {TABLE} cut {{ {port} timeout {max(1, round(seconds * 1000))}ms }}")


async def lift(port: int) -> None:
    """End a cut early; one that has ended by itself is fine."""
    with contextlib.suppress(CantBeDoneError):
        await _nft(f"delete element inet {TABLE} cut {{ {port} }}")


async def clear() -> None:
    """Remove the table, when no cut is wanted any more."""
    with contextlib.suppress(CantBeDoneError):
        await _nft(f"delete table inet {TABLE}")


def port_of(address: str) -> int:
    """The port in `host:port` or a URL. Raises CantBeDoneError if it has none."""
    try:
        port = urlsplit(address if "://" in address else f"//{address}").port
    except ValueError:
        port = None
    if port is None:
        raise CantBeDoneError(f"{address} has no port that could be cut off")
    return port


async def _nft(script: str) -> None:
    program = shutil.which("nft") or shutil.which("nft", path="/usr/sbin:/sbin")
    if program is None:
        raise CantBeDoneError("cutting the network needs nft (the package nftables), which isn't here")
    process = await asyncio.create_subprocess_exec(
        program, "-f", "-", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_SECONDS):
            _, said = await process.communicate(script.encode())
    except TimeoutError:
        process.kill()
        raise CantBeDoneError("nft doesn't answer") from None
    if process.returncode != 0:
        reason = said.decode("utf-8", "replace").strip().splitlines()
        raise CantBeDoneError(f"this machine doesn't allow it ({reason[0] if reason else 'nft failed'})")
