"""The one error of the stack."""


class StackError(Exception):
    """A server can't be started, stopped or changed; the text is a sentence for people, perhaps with log lines."""

    code = "refused"
    """How the change ended, in the audit log."""
