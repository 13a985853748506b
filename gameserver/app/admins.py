"""Who may use /admin: the keys of the settings, and those in the control database."""

from gameserver.commands.admins import Admins, of_settings
from gameserver.config.settings import Settings
from gameserver.storage.operators.admin_keys import AdminKeys
from gameserver.storage.operators.audit import Audit


def admins_of(settings: Settings, keys: AdminKeys, audit: Audit) -> Admins:
    """Raises ConfigFault for a key of the embedded stack that can't be read or made."""
    known = of_settings({name: key.get_secret_value() for name, key in settings.admin_keys().items()})
    return Admins(keys, audit, known, settings.admin.session_seconds)
