"""The rungs: a file of `config/` each, what is set differently, and what the step is known to gain and to cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field

NODES = "GAMESERVER_STACK__NODES"
SYNCHRONOUS = "GAMESERVER_DATABASES__ONE__SYNCHRONOUS"


@dataclass(frozen=True, slots=True)
class Rung:
    """One step: `environment` overrides its file, `needs` are programs of the machine, by package."""

    key: str
    title: str
    config: str
    gains: str
    costs: str
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)


HAPROXY = {"haproxy": "haproxy"}
RUNGS = (
    Rung(
        "server", "one server", "one.toml",
        "Nothing to operate: one process and its database. Its death loses nothing that was acknowledged.",
        "While it is dead nobody plays, and it uses one core.",
        {NODES: "1"},
    ),
    Rung(
        "processes", "more processes", "one.toml",
        "All cores of the machine; a process that dies takes only its connections with it.",
        "The machine and the database are still one.",
    ),
    Rung(
        "nodes", "more nodes behind HAProxy", "scaleout.toml",
        "Nodes come, drain and go while players play, and any node serves any player.",
        "One more hop for every request; all nodes share one database.",
        needs=HAPROXY,
    ),
    Rung(
        "asynchronous", "an asynchronous replica", "replicated.toml",
        "Rankings, counts and reads leave the primary, at hardly any cost for writes.",
        "A read may be old unless it names a version; a promoted replica may lack the newest commits.",
        {SYNCHRONOUS: "false"},
    ),
    Rung(
        "synchronous", "a synchronous replica", "replicated.toml",
        "What is acknowledged is on two disks: the loss of one server loses nothing.",
        "Every commit waits for the replica, and without it nothing is acknowledged.",
        {SYNCHRONOUS: "true"},
    ),
    Rung(
        "vertical", "vertical sharding", "vertical.toml",
        "Accounts, players and items no longer compete for one disk.",
        "What spans two of them is no longer one transaction: letters, claims and payments cross instead.",
    ),
    Rung(
        "horizontal", "horizontal sharding", "sharded.toml",
        "Writes and data grow with the number of databases, and slots move while players play.",
        "A ranking asks every database, and the claim of a name is a step of its own.",
    ),
    Rung(
        "cluster", "all of it, with failover", "cluster.toml",
        "A database may die for good: its standby leads within seconds, and nothing acknowledged is lost.",
        "The most processes, and every commit waits for a standby.",
        needs={**HAPROXY, "etcd": "etcd-server"},
    ),
)  # fmt: skip
