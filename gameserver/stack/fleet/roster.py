"""Who holds which of HAProxy's places: the truth that HAProxy is told, and told again when it was started anew."""

from collections.abc import Sequence
from dataclasses import dataclass

from gameserver.stack.errors import StackError
from gameserver.stack.servers.haproxy_config import HAProxyPlace
from gameserver.stack.servers.node import NodeProcess


@dataclass(eq=False)
class FleetNode:
    """A node in a place, under its name; `node` is None when somebody else runs it."""

    name: str
    address: str
    """host:port, the host numeric where a node has joined."""
    node: NodeProcess | None
    drained: bool = False


class Roster:
    """The places of one HAProxy, and who has them."""

    def __init__(self, places: Sequence[HAProxyPlace], nodes: Sequence[NodeProcess]) -> None:
        """`places` as they are at first; `nodes` have the first ones."""
        self._own = {each.name: each.address for each in places}
        started = zip(places, nodes, strict=False)
        self._members = {place.name: FleetNode(place.name, place.address, node) for place, node in started}

    @property
    def members(self) -> list[FleetNode]:
        """In the order of their places."""
        return [self._members[name] for name in self._own if name in self._members]

    def places(self) -> list[HAProxyPlace]:
        """All places as they are now."""
        return [self._place(name) for name in self._own]

    def own_address(self, name: str) -> str:
        """The address that a node of ours has in this place."""
        return self._own[name]

    def free(self) -> str:
        """The name of the first free place. Raises StackError."""
        for name in self._own:
            if name not in self._members:
                return name
        raise StackError(f"All {len(self._own)} places are taken: remove a node, or raise haproxy.places and restart.")

    def free_places(self) -> int:
        return len(self._own) - len(self._members)

    def find(self, name: str) -> FleetNode:
        """The member of this name. Raises StackError."""
        if name not in self._members:
            raise StackError(f"There is no node {name!r}: there are {', '.join(each.name for each in self.members)}.")
        return self._members[name]

    def require_new(self, address: str) -> None:
        """Raises StackError for an address that has a place already."""
        for other in self._members.values():
            if other.address == address:
                raise StackError(f"{address} is there already, as {other.name}.")

    def put(self, member: FleetNode) -> None:
        """Give the free place of its name to a member."""
        self._members[member.name] = member

    def drop(self, member: FleetNode) -> None:
        """Free its place."""
        del self._members[member.name]

    def _place(self, name: str) -> HAProxyPlace:
        member = self._members.get(name)
        return HAProxyPlace(
            name, member.address if member else self._own[name], member is not None and not member.drained
        )
