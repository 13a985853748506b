"""Two nodes' storage over the same servers."""

from tests.storage.conftest import second

__all__ = ["second"]
