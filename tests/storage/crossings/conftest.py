"""Pieces so small that whatever these tests make is read in several."""

import pytest

from gameserver.storage.crossings import past


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "CHUNK", 2)
    monkeypatch.setattr(past, "BLOCKS", 1)
