"""What a sign-up would make: its player under each id that it may try, and whether two sign-ups are the same."""

from collections.abc import Sequence
from unicodedata import normalize

from gameserver.commands.accounts import Accounts, Application
from gameserver.commands.keys import device_key, name_keys
from gameserver.rules import names
from gameserver.rules.errors import BadInput
from gameserver.storage.accounts.claims import Claim, Key, KeyKind
from gameserver.storage.accounts.enrolments import Enrolment

ATTEMPTS = 4
"""How many ids a sign-up tries."""


def ids_of(accounts: Accounts, command_id: str) -> list[int]:
    """The ids that this command may make its player under, in the order in which every request of it tries them."""
    return [accounts.room.enrolments.id_of(command_id, attempt) for attempt in range(ATTEMPTS)]


def databases_of(accounts: Accounts, application: Application, command_id: str) -> list[str]:
    """The names of the databases that a sign-up asks unless something is in its way; that of its first key first."""
    keys = [] if application.device is None else [device_key(application.device)]
    try:
        keys += name_keys(names.read(application.name, application.shortest_name).shown)
    except BadInput:
        keys.append(Key(KeyKind.NAME, application.name))
    room = accounts.room
    return [*map(room.claims.database_of, keys), room.enrolments.database_of(command_id)]


def drafts_of(
    accounts: Accounts, application: Application, command_id: str, claims: Sequence[Claim]
) -> Sequence[Enrolment]:
    """The players to try, in order, from the latest id that a request of this command has reserved a key for."""
    ids = ids_of(accounts, command_id)
    reserved = [
        ids.index(claim.player_id) for claim in claims if claim.command_id == command_id and claim.player_id in ids
    ]
    first = max(reserved, default=0)
    return [draft_of(accounts, application, command_id, attempt) for attempt in range(first, ATTEMPTS)]


def draft_of(accounts: Accounts, application: Application, command_id: str, attempt: int) -> Enrolment:
    """The enrolment that this command would make at its `attempt`, from 0. Raises BadInput.

    What is asked of new players only isn't checked: it may be a retry of a sign-up that an earlier version accepted.
    """
    name = names.read(application.name, application.shortest_name)
    born = accounts.policy.now()
    edition = accounts.rules.at(born)
    player = edition.rulebook.new_player(
        accounts.room.enrolments.id_of(command_id, attempt),
        name.shown,
        application.class_name,
        born,
        application.hp,
        application.exp,
    )
    keys = list(name_keys(name.shown))
    if application.device is not None:
        keys.append(device_key(application.device))
    args = {"name": name.shown, "class": player.class_name, "hp": application.hp, "exp": application.exp}
    max_hp = edition.rulebook.game.max_hp(player.class_name, player.level)
    rules = edition.rulebook.number
    return Enrolment(command_id, args, [str(key) for key in keys], player, max_hp, edition=edition.number, rules=rules)


def keys_of_draft(enrolment: Enrolment) -> list[Key]:
    return [Key.parse(text) for text in enrolment.keys]


def is_same(earlier: Enrolment, draft: Enrolment) -> bool:
    """Whether two enrolments have the same fields. Earlier versions stored names in NFKC, and fewer keys of each."""
    shown = draft.args["name"]
    same_name = earlier.args["name"] in (shown, normalize("NFKC", shown))
    return same_name and {**earlier.args, "name": shown} == draft.args and _devices(earlier) == _devices(draft)


def _devices(enrolment: Enrolment) -> list[Key]:
    return [key for key in keys_of_draft(enrolment) if key.kind is KeyKind.DEVICE]
