"""One action followed from its door to its commit to the boards, over two real nodes; and a collector that is away."""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gameserver.config.settings import Settings
from gameserver.config.tracing import TracingSettings
from gameserver.stack.processes.ports import free_port
from gameserver.telemetry import SPANS
from gameserver.tracing.contexts import SpanContext
from gameserver.tracing.spans import BATCH, EndedSpan, SpanQueue
from gameserver.tracing.tracer import Tracer
from tests.support.client import Api, Signed
from tests.support.nodes import node_process, toml_of
from tests.support.servers import roomy
from tests.support.wait import wait_until
from tests.tracing.collector import Collector, Taken, collecting

CALLER_TRACE, CALLER_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ACT = "POST /v1/players/me/actions"


def traced(settings: Settings, endpoint: str, **more: object) -> Settings:
    """The same deployment with every request traced."""
    section = TracingSettings.model_validate({"enabled": True, "endpoint": endpoint, "sample_ratio": 1, **more})
    return settings.model_copy(update={"tracing": section})


@contextlib.asynccontextmanager
async def nodes(settings: Settings, count: int) -> AsyncIterator[list[Api]]:
    """Clients of so many nodes, each a process."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=roomy())))
        clients = []
        for number in range(1, count + 1):
            node = node_process(settings, folder, f"node-{number}")
            await node.start()
            stack.callback(node.kill)
            clients.append(await stack.enter_async_context(Api(node.address)))
        yield clients


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as standing:
        yield standing


async def followed(collector: Collector, door: Taken, action: str) -> Taken:
    """The span of the door's action, after its queue, its commit and its way to the boards were found from it."""
    command = await collector.one("command", trace=door.trace, parent=door.span)
    assert command.attributes["gameserver.action"] == action
    assert command.attributes["gameserver.end"] == "done"
    assert command.attributes["gameserver.request_id"] == door.attributes["gameserver.request_id"]
    queue = await collector.one("queue", trace=door.trace, parent=command.span)
    commit = await collector.linked("commit", command)
    assert command.links == [commit.place]
    assert commit.attributes["gameserver.database"] == queue.attributes["gameserver.database"]
    written = await collector.linked("board write", command)
    assert written.attributes["gameserver.database"] == commit.attributes["gameserver.database"]
    assert commit.trace != command.trace != written.trace
    assert door.seconds >= command.seconds >= queue.seconds
    return command


async def test_an_action_is_followed_from_door_to_commit_to_board(settings: Settings, collector: Collector) -> None:
    async with nodes(traced(settings, collector.url, service_name="a game"), 2) as (one, other):
        ann, bob = await one.sign_up(), await other.sign_up()
        # Over HTTP, in the caller's trace.
        header = f"00-{CALLER_TRACE}-{CALLER_SPAN}-01"
        answer = await one.ask(
            "POST", "/v1/players/me/actions", token=ann.token, body={"action": "hunt", "args": {"foe": "slime"}},
            traceparent=header, X_Request_Id="the-request-of-ann",
        )  # fmt: skip
        assert answer.status == 200
        door = await collector.one(ACT, trace=CALLER_TRACE)
        assert (door.parent, door.service) == (CALLER_SPAN, "a game")
        assert door.attributes == {
            "http.request.method": "POST",
            "http.route": "/v1/players/me/actions",
            "http.response.status_code": 200,
            "gameserver.request_id": "the-request-of-ann",
        }
        await followed(collector, door, "hunt")

        # Over a socket of the other node, in a trace of its own.
        socket = await other.socket(bob.token)
        assert "ok" in await socket.ask("act", action="hunt", args={"foe": "slime"})
        frame = await collector.one("socket act")
        assert (frame.parent, frame.attributes["gameserver.code"]) == ("", "ok")
        await followed(collector, frame, "hunt")

        # A frame says its caller's trace as the header does; what can't be understood is ignored.
        told = f"00-{CALLER_TRACE[::-1]}-{CALLER_SPAN}-01"
        assert "ok" in await socket.ask("ping", traceparent=told)
        assert (await collector.one("socket ping")).trace == CALLER_TRACE[::-1]
        assert "ok" in await socket.ask("read", traceparent="garbage")
        assert (await collector.one("socket read")).parent == ""
        assert "error" in await socket.ask("no such op " + bob.token)
        assert (await collector.one("socket none")).attributes["gameserver.code"] == "bad_input"
    require_no_secrets(collector, ann, bob)


def require_no_secrets(collector: Collector, *players: Signed) -> None:
    sent = b"".join(collector.bodies)
    for player in players:
        for secret in (player.token, player.token.partition(".")[2], player.name, player.device, player.id):
            assert secret.encode() not in sent, secret


async def test_many_actions_of_one_commit_are_each_linked_to_it(settings: Settings, collector: Collector) -> None:
    async with nodes(traced(settings, collector.url), 1) as (api,):
        players = [await api.sign_up() for _ in range(12)]
        answers = await asyncio.gather(*(api.act(player) for player in players for _ in range(5)))
        assert all(answer.status in (200, 409) for answer in answers)
        done = sum(answer.status == 200 for answer in answers)
        for door in [await collector.one(ACT, span=span.span) for span in await doors(collector, len(answers))]:
            command = await collector.one("command", parent=door.span)
            commit = await collector.linked("commit", command)
            assert command.links == [commit.place]
            if command.attributes["gameserver.end"] == "done":
                await collector.linked("board write", command)
        commits = collector.named("commit")
        assert sum(span.attributes["gameserver.traced"] for span in commits) == len(answers)
        assert len(commits) < len(answers)
        # A refused action changes no board.
        assert sum(len(span.links) for span in collector.named("board write")) == done


async def doors(collector: Collector, count: int) -> list[Taken]:
    await wait_until(lambda: len(collector.named(ACT)) == count, what="every request has its span")
    return collector.named(ACT)


@pytest.mark.parametrize("is_there", [False, True], ids=["gone", "silent"])
async def test_acts_go_on_while_the_collector_is_away(settings: Settings, is_there: bool) -> None:
    held: list[asyncio.StreamWriter] = []

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    port = free_port()
    silent = await asyncio.start_server(hold, "127.0.0.1", port) if is_there else None
    asked = traced(settings, f"http://127.0.0.1:{port}/v1/traces", queue=20, timeout_seconds=1)
    async with nodes(asked, 1) as (api,):
        player = await api.sign_up()
        for _ in range(60):
            started = time.monotonic()
            assert (await api.act(player, "rest")).status in (200, 409)
            assert time.monotonic() - started < 2
        async with asyncio.timeout(20):
            while not (await counted(api, "dropped") and await counted(api, "failed")):
                await asyncio.sleep(0.1)
                await api.act(player, "rest")
        assert await counted(api, "sent") == 0
    if silent is not None:
        silent.close()
        for writer in held:
            writer.close()
        await silent.wait_closed()


async def counted(api: Api, end: str) -> float:
    text = (await api.ask("GET", "/metrics")).body.decode()
    marker = f'gameserver_spans_total{{end="{end}"}} '
    return float(text.partition(marker)[2].partition("\n")[0] or 0)


async def test_the_collectors_key_is_sent_with_the_spans(
    settings: Settings, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMESERVER_TRACING__HEADERS", '{"X-Collector-Key": "a key of the collector"}')
    async with nodes(traced(settings, collector.url), 1) as (api,):
        await api.sign_up()
        await collector.one("POST /v1/players")
    assert collector.keys == {"a key of the collector"}


async def test_what_is_asked_all_the_time_is_not_traced(settings: Settings, collector: Collector) -> None:
    async with nodes(traced(settings, collector.url), 1) as (api,):
        for path in ("/live", "/ready", "/metrics"):
            assert (await api.ask("GET", path)).status == 200
        assert (await api.ask("GET", "/nothing/of/the/kind")).status == 404
        await collector.one("none none")
        assert len(collector.spans) == 1


def test_a_request_is_traced_by_dice_or_within_the_bound_at_its_callers_wish() -> None:
    tracer = Tracer(SpanQueue(10_000), sample_ratio=0, callers_per_second=3)
    told = f"00-{CALLER_TRACE}-{CALLER_SPAN}-01"
    assert sum(tracer.request(told) is not None for _ in range(100)) in (3, 4)
    assert all(tracer.request(text) is None for text in (None, "garbage", told[:-1] + "0"))
    never = Tracer(SpanQueue(10_000), sample_ratio=0, callers_per_second=0)
    assert never.request(told) is None
    often = Tracer(SpanQueue(10_000), sample_ratio=0.5, callers_per_second=0)
    assert 300 < sum(often.request(None) is not None for _ in range(1000)) < 700


def test_a_full_queue_drops_and_counts() -> None:
    queue, dropped = SpanQueue(BATCH + 10), SPANS.labels("dropped")
    before = dropped._value.get()
    for _ in range(BATCH + 15):
        queue.put(EndedSpan("a span", SpanContext(1, 2), 0, 1, {}))
    assert dropped._value.get() - before == 5
    assert [len(queue.take()) for _ in range(3)] == [BATCH, 10, 0]


WITHOUT = (
    "import sys; sys.modules['opentelemetry'] = None; sys.argv[0] = 'gameserver'; "
    "from gameserver.__main__ import main; main()"
)


@pytest.mark.family(1)
@pytest.mark.parametrize("command", [["check", "--offline"], ["check", "--offline", "--json"], ["serve"]], ids=" ".join)
async def test_without_the_extra_a_node_says_what_to_install(
    settings: Settings, tmp_path: Path, command: list[str]
) -> None:
    config = tmp_path / "node.toml"
    config.write_text(toml_of(traced(settings, "http://127.0.0.1:4318/v1/traces"), free_port()))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WITHOUT, *command, "--config", str(config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 1
    assert "pip install 'heroledger[tracing]'" in said.decode()
    assert "Traceback" not in said.decode()


async def test_without_the_extra_a_node_that_does_not_trace_can_be_served(settings: Settings, tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text(toml_of(settings, free_port()))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WITHOUT, "check", "--config", str(config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("endpoint", "127.0.0.1:4318"),
        ("endpoint", "http://me:secret@127.0.0.1:4318"),
        ("sample_ratio", 1.5),
        ("queue", 0),
        ("callers_per_second", -1),
    ],
)
def test_settings_that_make_no_sense_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field) as refused:
        TracingSettings.model_validate({field: value})
    assert "secret" not in str(refused.value)
