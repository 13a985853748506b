"""What has to fit between sections of the settings; each function returns what is wrong, a sentence each."""

from collections.abc import Collection, Mapping
from ipaddress import IPv4Network, IPv6Network

from gameserver.config import naming, ports
from gameserver.config.deployment import GROUPS, GroupSettings, HAProxySettings, NodeSettings
from gameserver.config.servers import DatabaseSettings, EtcdSettings


def unknown_databases(control: str, groups: Mapping[str, GroupSettings], databases: Collection[str]) -> list[str]:
    """Names of databases that aren't among `databases`."""
    named = {("control", control)}
    named |= {
        (naming.place(("groups", name)), database) for name, group in groups.items() for database in group.databases
    }
    return [
        f"{setting} names the database {naming.shown(name)}, which isn't in `databases`"
        for setting, name in sorted(named)
        if name not in databases
    ]


def server_names(databases: Mapping[str, DatabaseSettings]) -> list[str]:
    """Names that are too long for servers that `up` runs, or that two servers would have."""
    faults = [
        f"databases.{name}: the name of a database that `up` runs has {naming.LONGEST_RUN_HERE} characters at the most"
        for name, database in databases.items()
        if database.url is None and len(name) > naming.LONGEST_RUN_HERE
    ]
    for name, database in databases.items():
        others = [naming.member_name(name, number) for number, _ in enumerate(database.members, 1)]
        others += [naming.replica_name(name, number) for number, _ in enumerate(database.replicas, 1)]
        faults += [
            f"databases.{other}: a server of the database {name} has this name already"
            for other in others
            if other in databases
        ]
    return faults


def unknown_groups(groups: Mapping[str, GroupSettings]) -> list[str]:
    """Groups that are missing, or that there are none of; `items` may be missing."""
    missing = [f"groups.{name} is missing" for name in GROUPS if name not in groups and name != "items"]
    return missing + [
        f"{naming.place(('groups', name))}: there is no such group" for name in groups if name not in GROUPS
    ]


def missing_etcd(databases: Mapping[str, DatabaseSettings], etcd: EtcdSettings | None) -> list[str]:
    """Databases whose servers can't elect a primary."""
    if etcd is not None:
        return []
    return [f"databases.{name}.members need [etcd]" for name, database in databases.items() if database.members]


def items_group(groups: Mapping[str, GroupSettings]) -> dict[str, GroupSettings]:
    """The group `items`: where `players` is, unless it is given databases of its own."""
    players, items = groups.get("players"), groups.get("items")
    if players is None:
        return {}
    given = items or players
    slots = given.slots if "slots" in given.model_fields_set else players.slots
    return {"items": GroupSettings(databases=given.databases, slots=slots)}


def items_slots(groups: Mapping[str, GroupSettings]) -> list[str]:
    """A number of slots for items that isn't the players'."""
    players, items = groups.get("players"), groups.get("items")
    if players is None or items is None or items.slots == players.slots:
        return []
    return [f"groups.items.slots is {items.slots}, groups.players has {players.slots}: an item's slot is its player's"]


def operators_faults(haproxy: HAProxySettings | None, node: NodeSettings) -> list[str]:
    """Why operators wouldn't reach the nodes, or players' proxies wouldn't be believed."""
    if haproxy is None:
        return []
    faults = []
    if node.operators_listen not in (None, "port"):
        faults.append("node.operators_listen must be left out, or `port`: HAProxy asks the nodes' ports for /admin")
    for network in haproxy.forwarded_from:
        if not any(_is_within(network, trusted) for trusted in node.trusted_proxies):
            faults.append(f"haproxy.forwarded_from has {network}, which node.trusted_proxies needs, too")
    return faults


def _is_within(network: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(other, IPv4Network) and network.subnet_of(other)
    return isinstance(other, IPv6Network) and network.subnet_of(other)


def node_faults(haproxy: HAProxySettings | None, nodes: int, port: int) -> list[str]:
    """Why so many nodes that `up` starts, the first at `port`, can't stand behind HAProxy."""
    if haproxy is None or haproxy.nodes:
        return []
    faults = []
    if nodes > haproxy.places:
        faults.append(f"stack.nodes is {nodes}, and haproxy.places only {haproxy.places}")
    used = {"haproxy.port": haproxy.port, "haproxy.operators_port": haproxy.operators_port}
    return faults + ports.conflicts(port, haproxy.places, used)
