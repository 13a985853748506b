"""Cuts of the network: for a while, packets to and from a server's port are dropped by nftables.

Law: a cut ends by itself. The kernel forgets it after its time, whatever becomes of the bots. Only the addresses of
the stack's own servers are ever in the sets, so the same port of another machine stays in reach. The table is of one
process, whose name it bears; one whose process has ended is removed by whoever cuts next.
"""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from bots.chaos import processes
from bots.chaos.errors import CantBeDoneError
from bots.chaos.processes import ProcessIdentity

PREFIX = "heroledger_chaos"
_SECONDS = 10.0
_RULES = """
add table inet {table}
add chain inet {table} output {{ type filter hook output priority 0; policy accept; }}
flush chain inet {table} output
table inet {table} {{
    set four {{ type ipv4_addr . inet_service; flags timeout; }}
    set six {{ type ipv6_addr . inet_service; flags timeout; }}
    set anywhere {{ type inet_service; flags timeout; }}
    chain output {{
        ip daddr . tcp dport @four drop
        ip saddr . tcp sport @four drop
        ip6 daddr . tcp dport @six drop
        ip6 saddr . tcp sport @six drop
        fib daddr type local tcp dport @anywhere drop
        fib saddr type local tcp sport @anywhere drop
    }}
}}
"""
"""The set `anywhere` is for servers that listen at every address of this machine."""


async def cut(address: str, seconds: float) -> None:
    """Cut a server off for so many seconds, which begin now. Raises CantBeDoneError where that isn't allowed."""
    elements, table = await _elements(address), _table()
    await _clear_those_of_others()
    await _nft(_RULES.format(table=table))
    lasts = f"timeout {max(1, round(seconds * 1000))}ms"
    await _nft("".join(f"add element inet {table} {name} {{ {each} {lasts} }}\n" for name, each in elements))


async def lift(address: str) -> None:
    """End a cut early; one that has ended by itself is fine."""
    for name, each in await _elements(address):
        with contextlib.suppress(CantBeDoneError):
            await _nft(f"delete element inet {_table()} {name} {{ {each} }}")


async def clear() -> None:
    """Remove this process's table, when no cut is wanted any more."""
    await _remove(_table())


def port_of(address: str) -> int:
    """The port in `host:port` or a URL. Raises CantBeDoneError if it has none."""
    try:
        port = _split(address).port
    except ValueError:
        port = None
    if port is None:
        raise CantBeDoneError(f"{address} has no port that could be cut off")
    return port


def _split(address: str) -> SplitResult:
    return urlsplit(address if "://" in address else f"//{address}")


async def _elements(address: str) -> Sequence[tuple[str, str]]:
    """In which sets an address is, and as what: a name may be of several. Raises CantBeDoneError."""
    port, host = port_of(address), _split(address).hostname or ""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CantBeDoneError(f"{address} has no address that could be cut off ({error})") from error
    ips = {ip_address(str(place[0]).partition("%")[0]) for *_, place in found}
    if any(ip.is_unspecified for ip in ips):
        return [("anywhere", str(port))]
    return [("four" if ip.version == 4 else "six", f"{ip} . {port}") for ip in ips]


def _table() -> str:
    own = processes.identity(os.getpid())
    return f"{PREFIX}_{own.pid}_{own.started}"


async def _clear_those_of_others() -> None:
    """Remove the tables that processes left which were killed."""
    for line in (await _nft("list tables inet")).splitlines():
        name = line.split()[-1]
        prefix, _, identity = name.partition(PREFIX + "_")
        pid, _, started = identity.partition("_")
        is_a_run = not prefix and pid.isdigit() and started.isdigit()
        if is_a_run and not processes.lives(ProcessIdentity(int(pid), int(started))):
            await _remove(name)


async def _remove(table: str) -> None:
    with contextlib.suppress(CantBeDoneError):
        await _nft(f"delete table inet {table}")


async def _nft(script: str) -> str:
    """Carry a script out; returns what it says."""
    program = shutil.which("nft") or shutil.which("nft", path="/usr/sbin:/sbin")
    if program is None:
        raise CantBeDoneError("cutting the network needs nft (the package nftables), which isn't here")
    process = await asyncio.create_subprocess_exec(
        program, "-f", "-", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_SECONDS):
            told, said = await process.communicate(script.encode())
    except TimeoutError:
        process.kill()
        raise CantBeDoneError("nft doesn't answer") from None
    if process.returncode != 0:
        reason = said.decode("utf-8", "replace").strip().splitlines()
        raise CantBeDoneError(f"this machine doesn't allow it ({reason[0] if reason else 'nft failed'})")
    return told.decode("utf-8", "replace")
