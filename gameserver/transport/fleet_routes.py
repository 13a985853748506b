"""What operators may ask and order of the fleet: the part of the route table for moves, databases and seasons."""

from gameserver.rules import errors
from gameserver.rules.roles import Role
from gameserver.transport import answers, wire
from gameserver.transport.http import fleet
from gameserver.transport.route import admin

VIEWER, OPERATOR = Role.VIEWER, Role.OPERATOR
READS = (errors.DatabaseUnavailable,)
ORDERS = (errors.Conflict, errors.CommandMismatch, errors.CommandExpired, errors.OutcomeUnknown, *READS)
NODES = (errors.NotFound, errors.PresenceUnavailable, *ORDERS)

FLEET_ROUTES = (
    admin(VIEWER, "GET", "/admin/v1/fleet", fleet.read_fleet, "How every node is, and the databases of each group",
           answer=answers.FleetAnswer, errors=READS),
    admin(VIEWER, "GET", "/admin/v1/moves", fleet.read_moves, "Moves of slots that aren't over, and the last ones",
           answer=answers.MovesAnswer, errors=READS),
    admin(OPERATOR, "POST", "/admin/v1/moves", fleet.order_moves,
           "Move slots, or balance a group, or say which moves that would be", body=wire.MoveSlots,
           query=wire.PreviewQuery, answer=answers.MovePlanAnswer, errors=ORDERS, takes_command_id=True),
    admin(OPERATOR, "POST", "/admin/v1/moves/{move}/cancel", fleet.cancel_move,
           "Leave the slots of a move that haven't moved where they are", body=wire.Because,
           answer=answers.MoveAnswer, errors=(errors.NotFound, *ORDERS), takes_command_id=True),
    admin(OPERATOR, "POST", "/admin/v1/databases/{database}/drain", fleet.drain_database,
           "Move all slots away from a database, or say which moves that would be", body=wire.DrainDatabase,
           query=wire.PreviewQuery, answer=answers.MovePlanAnswer, errors=ORDERS, takes_command_id=True),
    admin(OPERATOR, "DELETE", "/admin/v1/databases/{database}/drain", fleet.keep_database,
           "Let a database that was drained be given slots again, or say what it owns", query=wire.ReasonedChangeQuery,
           answer=answers.KeptDatabaseAnswer, errors=ORDERS, takes_command_id=True),
    admin(OPERATOR, "POST", "/admin/v1/nodes/{node}/drain", fleet.drain_node,
           "Let a node take no new work and send its sockets elsewhere, or say how many those are", body=wire.Because,
           query=wire.PreviewQuery, answer=answers.NodeOrderAnswer, errors=NODES, takes_command_id=True),
    admin(OPERATOR, "DELETE", "/admin/v1/nodes/{node}/drain", fleet.resume_node,
           "Let a node that was drained take new work again", query=wire.ReasonQuery,
           answer=answers.NodeOrderAnswer, errors=NODES, takes_command_id=True),
    admin(VIEWER, "GET", "/admin/v1/seasons", fleet.read_seasons, "The seasons of all boards, or the newest of them",
           query=wire.SeasonsQuery, answer=answers.SeasonsAnswer, errors=READS),
    admin(VIEWER, "GET", "/admin/v1/seasons/{board}/preview", fleet.preview_season,
           "The standings and rewards of a running season, as if it ended now", query=wire.SeasonPreviewQuery,
           answer=answers.SeasonPreviewAnswer, errors=(errors.BoardNotFound, errors.Overloaded, *READS)),
)  # fmt: skip
