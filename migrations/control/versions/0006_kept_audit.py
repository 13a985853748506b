"""The audit log only grows: whoever connects as the role of the nodes can't change or remove what is in it.

The role owns the table, so it could give itself the rights back; docs/operations.md says how to give the table to
another role. The trigger stops superusers, too, until it is dropped.
"""

from alembic import op

revision = "control_0006"
down_revision = "control_0005"


def upgrade() -> None:
    op.execute("revoke update, delete, truncate on audit from public, current_user")
    op.execute(
        """
        create function audit_is_kept() returns trigger language plpgsql as $$
        begin
          raise exception 'the audit log is kept: % is refused', tg_op using errcode = 'insufficient_privilege';
        end $$
        """
    )
    op.execute(
        "create trigger audit_is_kept before update or delete or truncate on audit"
        " for each statement execute function audit_is_kept()"
    )
