"""Operators' keys: the part of the route table under /admin/v1/keys."""

from gameserver.rules import errors
from gameserver.rules.roles import Role
from gameserver.transport import answers, wire
from gameserver.transport.http import admin_keys
from gameserver.transport.route import admin

OPERATOR = Role.OPERATOR
CHANGES = (errors.Conflict, errors.CommandMismatch, errors.OutcomeUnknown, errors.DatabaseUnavailable)

ADMIN_KEY_ROUTES = (
    admin(OPERATOR, "GET", "/admin/v1/keys", admin_keys.list_keys,
           "Operators' keys without their secrets, of those that have ended the newest", answer=answers.AdminKeysAnswer,
           errors=(errors.DatabaseUnavailable,)),
    admin(OPERATOR, "POST", "/admin/v1/keys", admin_keys.create_key, "Make a key; its secret is shown once",
           body=wire.NewAdminKey, answer=answers.NewAdminKeyAnswer, status=201, errors=CHANGES, takes_command_id=True),
    admin(OPERATOR, "POST", "/admin/v1/keys/{name}/rotate", admin_keys.rotate_key,
           "Make a new key of the same role in place of one; its secret is shown once", body=wire.RotateKey,
           answer=answers.NewAdminKeyAnswer, status=201, errors=(errors.NotFound, *CHANGES), takes_command_id=True),
    admin(OPERATOR, "POST", "/admin/v1/keys/{name}/revoke", admin_keys.revoke_key,
           "End all keys of a name and their sessions; not the last operator's", body=wire.Because,
           answer=answers.RevokedKeysAnswer, errors=(errors.NotFound, *CHANGES), takes_command_id=True),
)  # fmt: skip
