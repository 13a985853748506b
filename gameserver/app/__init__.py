"""The one place where objects are wired: opens the storage, builds the application, and serves it.

Law: databases must be at their migrations' head and every slot must have an owner; only then does a node listen.
Door: `core` (storage and commands, without doors), `bounds` (the limits of the settings), `sharding` (what moves
slots), `node` (a node that serves), `starting` (what it looks at first), `checking` (a game before that),
`looking_back` (its past), `doctor` (the servers), `backups`, `restoring` and `reconciling` (theirs),
`erasing_again` (players).
"""

from gameserver.app.checking import Finding, check, prepare
from gameserver.app.core import Core, open_core
from gameserver.app.doctor import examine
from gameserver.app.examined import Examined
from gameserver.app.node import background, build_app, courier, postman_of, serve
from gameserver.app.sharding import open_sharding

__all__ = ["Core", "Examined", "Finding", "background", "build_app", "check", "courier", "examine", "open_core",
           "open_sharding", "postman_of", "prepare", "serve"]  # fmt: skip
