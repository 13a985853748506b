"""A node that has a name says it at hello and in every answer over HTTP, so that bots count answers by node."""

from contextlib import AsyncExitStack
from random import Random

from bots.count.tally import Tally
from bots.wire import http, requests
from bots.wire.channel import Channel
from bots.wire.network import Network
from bots.wire.player_client import PlayerClient
from gameserver.config.settings import Settings
from tests.support.client import Api
from tests.support.nodes import start_node


async def test_answers_over_both_doors_are_counted_by_the_name_of_the_node(settings: Settings) -> None:
    named = settings.model_copy(update={"node": settings.node.model_copy(update={"name": "node-7"})})
    async with AsyncExitStack() as stack:
        url = (await start_node(stack, named)).url
        api = await stack.enter_async_context(Api(url))
        session = await stack.enter_async_context(http.open_session())
        tally = Tally()
        client = PlayerClient(Network(session, (url,), 5.0, 5.0, spread_seconds=0.05), tally, Random(1), None)
        client.token = (await api.sign_up()).token
        tally.recorder.start(0.0)
        tally.recorder._ends = float("inf")
        for channel in (Channel.HTTP, Channel.SOCKET, Channel.SOCKET):
            assert (await client.send(requests.read_me(), channel)).ok
        assert not (await client.send(requests.get("unknown", "/v1/unknown"), Channel.HTTP)).ok
        await client.close()
        assert tally.recorder.present.nodes == {"node-7": 4}


async def test_a_node_without_a_name_says_only_what_it_is(api: Api) -> None:
    assert (await api.ask("GET", "/v1/classes")).headers["Server"] == "heroledger"
