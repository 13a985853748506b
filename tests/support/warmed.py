"""Imported before commands and nodes are forked: what a process works out once is worked out in each of them."""

from gameserver.config.files import read_toml
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.tables.groups import METADATA
from gameserver.storage.tables.migrations import head
from tests.support.repository import CONFIG

HEADS = {group: head(group) for group in METADATA}
RULEBOOK = Rulebook.parse(read_toml(CONFIG / "game.toml"))
