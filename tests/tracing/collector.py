"""A collector that stands in for a real one: takes OTLP over HTTP and keeps the spans."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.wait import wait_until


@dataclass
class Taken:
    """A span as it came; ids are hexadecimal."""

    name: str
    trace: str
    span: str
    parent: str
    links: list[tuple[str, str]]
    attributes: dict[str, Any]
    service: str
    seconds: float

    @property
    def place(self) -> tuple[str, str]:
        return self.trace, self.span


@dataclass
class Collector:
    url: str = ""
    spans: list[Taken] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)

    def named(self, name: str, **of: Any) -> list[Taken]:
        """The spans of this name with these fields."""
        return [span for span in self.spans if span.name == name and all(getattr(span, k) == v for k, v in of.items())]

    async def one(self, name: str, **of: Any) -> Taken:
        """The one span of this name with these fields, when it has come."""
        await wait_until(lambda: self.named(name, **of), what=f"a span `{name}` {of} has come")
        (span,) = self.named(name, **of)
        return span

    async def linked(self, name: str, to: Taken) -> Taken:
        """The one span of this name with a link to another, when it has come."""

        def found() -> list[Taken]:
            return [span for span in self.named(name) if to.place in span.links]

        await wait_until(found, what=f"a span `{name}` with a link to {to}")
        (span,) = found()
        return span

    async def take(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        body = await request.read()
        self.bodies.append(body)
        self.keys.add(request.headers.get("X-Collector-Key"))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [_taken(span, about["service.name"]) for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")


def _taken(span: Any, service: str) -> Taken:
    values = {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}
    links = [(link.trace_id.hex(), link.span_id.hex()) for link in span.links]
    seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
    ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
    return Taken(span.name, *ids, links, values, service, seconds)


@contextlib.asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector = Collector()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
        yield collector
    finally:
        await runner.cleanup()
