"""`gameserver doctor`: what nodes need of the databases and of Redis, and what is wrong there."""

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import orjson
import typer
from rich.filesize import decimal

from gameserver import app as application
from gameserver.app import Examined
from gameserver.cli.config_file import DEFAULT, Config, settings_of
from gameserver.cli.running import carry_out, faults
from gameserver.storage.operators import condition

WIDTH = 80
Json = Annotated[bool, typer.Option("--json", help="Print JSON: ok, and the servers with their facts and findings.")]
Nodes = Annotated[
    int | None,
    typer.Option(min=1, max=1000, help="How many nodes are to run; else as many as stack.nodes, or as HAProxy names."),
]


def doctor(config: Config = DEFAULT, nodes: Nodes = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Examine the databases and Redis for what nodes need; ends with 1 if there is an error. Changes nothing."""
    examined: list[Examined] = []

    async def work() -> None:
        settings = settings_of(config)
        placed = len(settings.haproxy.nodes) if settings.haproxy is not None else 0
        examined.extend(await application.examine(settings, nodes or max(settings.stack.nodes, placed)))

    with faults():
        carry_out(work())
    errors = sum(symptom.level == "error" for server in examined for symptom in server.symptoms)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(_report(examined, errors), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        for server in examined:
            typer.echo("\n".join(lines(server)))
        warnings = sum(len(server.symptoms) for server in examined) - errors
        typer.echo(f"{errors} errors, {warnings} warnings")
    sys.exit(1 if errors else 0)


def lines(server: Examined) -> Iterator[str]:
    """A server for people, at most 80 columns wide."""
    yield server.name if server.kind == "redis" else f"{server.kind} {server.name}"
    summary = SUMMARIES[server.kind](server.facts)
    if summary:
        yield from _wrapped(", ".join(summary), "  ", "  ")
    for symptom in server.symptoms:
        yield from _wrapped(f"{symptom.problem}.".replace("..", "."), f"  {symptom.level}: ", "    ")
        if symptom.remedy:
            yield from _wrapped(f"{symptom.remedy}.", "    -> ", "       ")


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _database(facts: dict[str, Any]) -> Sequence[str]:
    if "version" not in facts:
        return ()
    return (
        f"Postgres {facts['version'].split()[0]}",
        *([f"the primary is {facts['primary']}"] if "primary" in facts else []),
        f"groups {' '.join(facts['groups'])}",
        f"{facts['used']} of {facts['connections']} connections in use",
        f"a node takes up to {facts['per_node']}",
        decimal(facts["bytes"]),
        *([_clock(facts)] if "clock" in facts else []),
        *_durability(facts),
        *_rights(facts),
    )


def _durability(facts: dict[str, Any]) -> Iterator[str]:
    """What of it was found; what is wrong with it is a finding, too."""
    if "off" in facts:
        off = ", ".join(facts["off"])
        yield f"NOT durable: {off} off" if off else "durable: fsync and full_page_writes are on"
    if "synchronous" in facts:
        yield f"commits wait for {facts['synchronous']}" if facts["synchronous"] else "commits wait for no standby"


def _rights(facts: dict[str, Any]) -> Iterator[str]:
    if "closed" in facts:
        lacking = [symptom.level for symptom in condition.rights({**facts, "superuser": False})]
        may = "may play" if lacking else "may play and move slots"
        yield "the role lacks rights" if "error" in lacking else f"the role {may}"


def _replica(facts: dict[str, Any]) -> Sequence[str]:
    age = "can't be used" if facts["age"] is None else f"at the most {facts['age']:.1f} s old"
    return f"of {facts['primary']}", age


def _redis(facts: dict[str, Any]) -> Sequence[str]:
    texts = []
    for server in facts.get("servers", ()):
        name = "Valkey" if "valkey_version" in server else "Redis"
        most = decimal(server["maxmemory"]) if server.get("maxmemory") else "no limit"
        texts += [
            f"{name} {server.get('valkey_version', server['redis_version'])}",
            f"{decimal(server['used_memory'])} of memory in use ({most})",
            f"maxmemory-policy {server['maxmemory_policy']}",
            f"appendonly {'yes' if server['aof_enabled'] else 'no'}",
            f"{server['connected_slaves']} replicas",
        ]
    if "denied" in facts:
        texts.append(
            f"the user lacks rights: {', '.join(facts['denied'])}" if facts["denied"] else "rights on keys complete"
        )
    return [*texts, _clock(facts)] if "clock" in facts else texts


SUMMARIES: Mapping[str, Callable[[dict[str, Any]], Sequence[str]]] = {
    "database": _database,
    "replica": _replica,
    "redis": _redis,
}


def _clock(facts: dict[str, Any]) -> str:
    return f"clock {facts['clock'].seconds:+.3f} s (within {facts['clock'].bound:.3f})"


def _report(examined: Sequence[Examined], errors: int) -> dict[str, object]:
    return {"ok": not errors, "servers": [_server(server) for server in examined]}


def _server(server: Examined) -> dict[str, object]:
    findings = [symptom._asdict() for symptom in server.symptoms]
    facts = {name: asdict(value) if name == "clock" else value for name, value in server.facts.items()}
    return {"kind": server.kind, "name": server.name, "facts": facts, "findings": findings}
