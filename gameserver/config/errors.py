"""The one error of the configuration."""


class ConfigFault(Exception):
    """The configuration can't be used; the text names every fault, one per line, and never a secret."""

    code = "refused"
    """How a change that it kept from being made ended, in the audit log."""
