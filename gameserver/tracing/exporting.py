"""Sends ended spans to a collector, as OTLP over HTTP, from a thread of its own.

Law: it never delays the loop: what the collector doesn't take in time is counted as failed, and what comes meanwhile
waits in the bounded queue. The thread dies with the process.
"""

import asyncio
import logging
import threading
from urllib.parse import urlsplit

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace import SpanContext as Place

import gameserver
from gameserver.config.tracing import TracingSettings
from gameserver.telemetry import SPANS
from gameserver.tracing.contexts import SpanContext
from gameserver.tracing.spans import EndedSpan, SpanQueue

log = structlog.get_logger()

END_SECONDS = 2.0
"""How long the end of a node waits for its last spans to be sent."""
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class SpanExport:
    """Works from `start` to `close`."""

    def __init__(self, queue: SpanQueue, settings: TracingSettings, node: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # what fails is told below, in lines of one kind
        self._queue = queue
        self._collector = urlsplit(settings.endpoint).netloc
        headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        self._exporter = OTLPSpanExporter(settings.endpoint, headers=headers, timeout=settings.timeout_seconds)
        about = {"service.name": settings.service_name, "service.instance.id": node}
        self._resource = Resource({**about, "service.version": gameserver.__version__})
        self._scope = InstrumentationScope("gameserver", gameserver.__version__)
        self._loop = asyncio.get_running_loop()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tracing", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def close(self) -> None:
        """Sends what is left, for END_SECONDS at the longest."""
        self._closing.set()
        self._queue.wake()
        await asyncio.to_thread(self._thread.join, END_SECONDS)
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _run(self) -> None:
        while not self._closing.is_set():
            self._queue.wait()
            while spans := self._queue.take():
                self._send(spans)

    def _send(self, spans: list[EndedSpan]) -> None:
        try:
            sent = self._exporter.export([self._readable(span) for span in spans]) is SpanExportResult.SUCCESS
        except Exception:  # a library's fault must not end the thread
            sent = False
        SPANS.labels("sent" if sent else "failed").inc(len(spans))
        if not sent and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell, len(spans))

    def _tell(self, spans: int) -> None:
        log.warning("spans could not be sent", what="tracing", collector=self._collector, spans=spans)

    def _readable(self, span: EndedSpan) -> ReadableSpan:
        return ReadableSpan(
            span.name,
            _place(span.context),
            None if span.parent is None else _place(span.parent),
            self._resource,
            span.attributes,
            links=[Link(_place(link)) for link in span.links],
            kind=SpanKind.SERVER if span.serves else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, span.failed) if span.failed else Status(),
            start_time=span.began,
            end_time=span.ended,
            instrumentation_scope=self._scope,
        )


def _place(context: SpanContext) -> Place:
    return Place(context.trace_id, context.span_id, is_remote=False, trace_flags=_SAMPLED)
