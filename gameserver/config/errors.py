"""The one error of the configuration."""


class ConfigFault(Exception):
    """The configuration can't be used; the text names every fault, one per line, and never a secret."""
