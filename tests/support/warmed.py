"""Imported before commands and nodes are forked: what a process works out once is worked out in each of them."""

from gameserver import __version__
from gameserver.config.files import read_toml
from gameserver.rules import devices, names, passwords
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.tables.groups import METADATA
from gameserver.storage.tables.migrations import head
from gameserver.transport import openapi
from gameserver.transport.console.pages import ConsolePages
from tests.support.devices import device_of
from tests.support.repository import CONFIG

HEADS = {group: head(group) for group in METADATA}
RULEBOOK = Rulebook.parse(read_toml(CONFIG / "game.toml"))
DOCUMENT = openapi.document(__version__)
PAGES = ConsolePages("", "")
NAME = names.parse("Somebody")
passwords.require_good("a password of nobody", NAME.shown)
devices.require_strong(device_of("somebody's"))
