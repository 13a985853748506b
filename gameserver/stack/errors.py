"""The one error of the stack."""


class StackError(Exception):
    """A server can't be started or stopped; the text is one sentence for a person, with log lines at most."""
