"""What operators work with: questions over all databases, the audit log, and who may use /admin."""

from collections.abc import Callable
from datetime import datetime

from gameserver.commands.admins import Admins, of_settings
from gameserver.commands.campaigns import Campaigns
from gameserver.commands.pacing import ActionPacing
from gameserver.commands.player_changes import PlayerChanges
from gameserver.config.settings import Settings
from gameserver.rules.pacing import SECOND_NS, Pace
from gameserver.rules.roles import Role
from gameserver.storage.operators.admin_keys import AdminKeys
from gameserver.storage.operators.audit import Audit
from gameserver.storage.operators.campaigns import CampaignRecords
from gameserver.storage.operators.exports import Exports
from gameserver.storage.operators.game_names import GameNames
from gameserver.storage.operators.mentions import Mentions
from gameserver.storage.operators.notes import Notes
from gameserver.storage.operators.recipients import Recipients
from gameserver.storage.operators.reports import Reports
from gameserver.storage.operators.saved_queries import SavedQueries
from gameserver.storage.operators.spreads import Spreads
from gameserver.storage.operators.survey import Survey
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.replica import Replicas
from gameserver.storage.rooms import OperatorsRoom
from gameserver.storage.slots.slot_map import Slots

CODES = Pace(15 * SECOND_NS, 10)
"""How often one-time passwords may be tried for a key on a node: guessing one in three of a million takes weeks."""


def operators_room(
    settings: Settings, databases: Databases, replicas: Replicas, slots: Slots, now: Callable[[], datetime]
) -> OperatorsRoom:
    """The room of a process, over its databases."""
    control = databases[settings.control.database]
    reports = Reports(slots, replicas, settings.reads.max_staleness_seconds, now)
    return OperatorsRoom(
        reports=reports,
        spreads=Spreads(reports),
        exports=Exports(slots),
        survey=Survey(databases, control),
        audit=Audit(control),
        keys=AdminKeys(control),
        names=GameNames(control, slots.members),
        notes=Notes(control),
        mentions=Mentions(control),
        campaigns=CampaignRecords(control),
        recipients=Recipients(slots, Reports(slots, replicas, 0, now)),
        queries=SavedQueries(control),
    )


def admins_of(settings: Settings, room: OperatorsRoom, now: Callable[[], datetime]) -> Admins:
    """Raises ConfigFault for a key of the embedded stack that can't be read or made."""
    known = of_settings({name: key.get_secret_value() for name, key in settings.admin_keys().items()})
    codes = ActionPacing(CODES, limit="one_time_passwords", refused="Too many one-time passwords for this key.")
    with_codes = frozenset(map(Role, settings.admin.one_time_passwords))
    return Admins(room.keys, room.audit, known, settings.admin.session_seconds, now, codes, with_codes)


def campaigns_of(
    settings: Settings, changes: PlayerChanges, room: OperatorsRoom, now: Callable[[], datetime]
) -> Campaigns:
    """Letters to many players."""
    above, names = settings.operators.second_operator_above, frozenset(settings.admin_keys())
    return Campaigns(changes, room.campaigns, room.recipients, above, now, names)
