"""What a node works out when it starts."""

import pytest

from gameserver.app import core as core_module
from gameserver.app import open_core
from gameserver.config.settings import Settings
from gameserver.rules.reserved_names import ReservedNames


async def test_what_no_player_can_be_called_is_worked_out_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_out, made = core_module.reserved_names_of, list[ReservedNames]()

    def note(of: Settings) -> ReservedNames:
        made.append(work_out(of))
        return made[-1]

    monkeypatch.setattr(core_module, "reserved_names_of", note)
    async with open_core(settings) as core:
        assert len(made) == 1
        assert core.commands.accounts.policy.reserved is made[0]
