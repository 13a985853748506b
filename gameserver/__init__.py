"""A game backend: players act, Postgres keeps, boards rank."""

from importlib.metadata import version

__version__ = version("heroledger")
