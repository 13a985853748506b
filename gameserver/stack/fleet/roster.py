"""Which node has which of HAProxy's places: HAProxy gets this state, and gets it again whenever it starts."""

from collections.abc import Sequence
from dataclasses import dataclass

from gameserver.stack.errors import StackError
from gameserver.stack.servers.haproxy_config import HAProxyPlace
from gameserver.stack.servers.node import NodeProcess


@dataclass(eq=False)
class FleetNode:
    """A node in a place, under its name; `child` is None for a node that `up` didn't start."""

    name: str
    address: str
    """host:port, the host numeric where a node has joined."""
    child: NodeProcess | None
    drained: bool = False

    @property
    def pid(self) -> int | None:
        """None when it isn't running, or when `up` didn't start it."""
        return self.child.process.pid if self.child is not None else None


class Roster:
    """The places of one HAProxy, and the nodes in them."""

    def __init__(self, places: Sequence[HAProxyPlace], nodes: Sequence[NodeProcess]) -> None:
        """`places` in their first state; `nodes` are in the first ones."""
        self._addresses = {place.name: place.address for place in places}
        started = zip(places, nodes, strict=False)
        self._nodes = {place.name: FleetNode(place.name, place.address, node) for place, node in started}

    @property
    def nodes(self) -> list[FleetNode]:
        """In the order of their places."""
        return [self._nodes[name] for name in self._addresses if name in self._nodes]

    def places(self) -> list[HAProxyPlace]:
        """All places in their present state."""
        return [self._place(name) for name in self._addresses]

    def address_of_place(self, name: str) -> str:
        """The address that a node of `up` has in this place."""
        return self._addresses[name]

    def free(self) -> str:
        """The name of the first free place. Raises StackError."""
        for name in self._addresses:
            if name not in self._nodes:
                return name
        raise StackError(
            f"All {len(self._addresses)} places are taken: remove a node, or raise haproxy.places and restart."
        )

    def free_places(self) -> int:
        return len(self._addresses) - len(self._nodes)

    def find(self, name: str) -> FleetNode:
        """The node of this name. Raises StackError."""
        if name not in self._nodes:
            raise StackError(f"There is no node {name!r}: there are {', '.join(node.name for node in self.nodes)}.")
        return self._nodes[name]

    def require_new(self, address: str) -> None:
        """Raises StackError for an address that has a place already."""
        for node in self._nodes.values():
            if node.address == address:
                raise StackError(f"{address} is there already, as {node.name}.")

    def put(self, node: FleetNode) -> None:
        """Put a node into the free place of its name."""
        self._nodes[node.name] = node

    def drop(self, node: FleetNode) -> None:
        """Free the place of a node."""
        del self._nodes[node.name]

    def _place(self, name: str) -> HAProxyPlace:
        node = self._nodes.get(name)
        address = node.address if node else self._addresses[name]
        return HAProxyPlace(name, address, node is not None and not node.drained)
