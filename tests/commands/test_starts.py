"""What a node works out when it starts."""

import pytest

from gameserver.app import open_core
from gameserver.app.bounds import reserved_names_of
from gameserver.config.settings import Settings
from gameserver.rules.reserved_names import ReservedNames


async def test_what_no_player_can_be_called_is_worked_out_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ReservedNames] = []

    def note(of: Settings) -> ReservedNames:
        made.append(reserved_names_of(of))
        return made[-1]

    monkeypatch.setattr("gameserver.app.core.reserved_names_of", note)
    async with open_core(settings) as core:
        assert len(made) == 1
        assert core.commands.accounts.policy.reserved is made[0]
