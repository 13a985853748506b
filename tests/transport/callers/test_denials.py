"""One address that makes most denials of a minute is named in the log, once a minute."""

from contextlib import AsyncExitStack
from ipaddress import ip_network

from structlog.testing import capture_logs

from gameserver.config.limits import LimitSettings, PerMinute, PerSecond
from gameserver.config.settings import Settings
from gameserver.transport.callers.denials import LEAST, MINUTE, MOST_ADDRESSES, DenialWatch
from tests.support.client import Api
from tests.support.nodes import start_node

EVENT = "one address makes most denials"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def noted(watch: DenialWatch, address: str, times: int) -> list[tuple[str, int, int]]:
    with capture_logs() as lines:
        for _ in range(times):
            watch.note(address)
    return [(line["address"], line["denied"], line["of"]) for line in lines]


def test_an_address_is_named_once_a_minute_when_it_has_most_of_many_denials() -> None:
    clock = Clock()
    watch = DenialWatch(clock)
    assert noted(watch, "192.0.2.1", LEAST - 1) == []
    assert noted(watch, "192.0.2.2", 3 * LEAST) == [("192.0.2.2", LEAST, 2 * LEAST - 1)]
    assert noted(watch, "192.0.2.1", 9 * LEAST) == [], "one warning a minute"
    clock.now += MINUTE
    assert noted(watch, "192.0.2.2", 1) == [], "each minute is counted anew"
    assert noted(watch, "192.0.2.1", LEAST) == [("192.0.2.1", LEAST, LEAST + 1)]


def test_many_addresses_name_none_and_take_bounded_memory() -> None:
    watch = DenialWatch(Clock())
    with capture_logs() as lines:
        for number in range(2 * MOST_ADDRESSES):
            watch.note(f"address {number}")
        for _ in range(LEAST):
            watch.note("address 1")
    assert lines == []
    assert len(watch._counts) == MOST_ADDRESSES


async def test_a_proxy_that_no_setting_names_is_seen_in_the_log(settings: Settings) -> None:
    rare = PerSecond(per_second=0.01, burst=30)
    limits = LimitSettings(sign_ins_per_address=PerMinute(per_minute=0.01, burst=1), new_connections_per_address=rare)
    node = settings.node.model_copy(update={"trusted_proxies": (ip_network("127.0.0.9/32"),)})
    chosen = settings.model_copy(update={"limits": limits, "node": node})
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api((await start_node(stack, chosen)).url))
        with capture_logs() as lines:
            for number in range(LEAST + 10):
                forwarded = f"198.51.100.{number}"
                await api.ask("POST", "/v1/sessions", body={"device": "nobodys-device"}, X_Forwarded_For=forwarded)
        (told,) = [line for line in lines if line["event"].startswith(EVENT)]
    assert (told["log_level"], told["address"], told["denied"]) == ("warning", "127.0.0.1", LEAST)
