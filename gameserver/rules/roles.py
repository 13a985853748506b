"""What operators may do: three roles, each of which may do all that the ones before it may."""

from enum import StrEnum


class Role(StrEnum):
    """The role of an admin key, the least one first."""

    VIEWER = "viewer"
    SUPPORT = "support"
    OPERATOR = "operator"

    def may(self, least: "Role") -> bool:
        """Whether this role may do what needs at least the other one."""
        order = list(Role)
        return order.index(self) >= order.index(least)
