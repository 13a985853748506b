"""Opens a node's tracer, if its settings ask for one and the packages for it are there."""

import contextlib
from collections.abc import AsyncIterator
from importlib.util import find_spec

from gameserver.config.errors import ConfigFault
from gameserver.config.tracing import TracingSettings
from gameserver.tracing.spans import SpanQueue
from gameserver.tracing.tracer import Tracer

PACKAGES = ("opentelemetry.exporter.otlp.proto.http", "opentelemetry.sdk")


def lacking(settings: TracingSettings) -> str | None:
    """What has to be installed before nodes can serve with these settings, as a sentence; None if nothing."""
    if not settings.enabled or all(_is_installed(package) for package in PACKAGES):
        return None
    return (
        "`[tracing] enabled` needs the packages of OpenTelemetry, which aren't installed: `pip install "
        "'heroledger[tracing]'` brings them."
    )


@contextlib.asynccontextmanager
async def opened(settings: TracingSettings, node: str) -> AsyncIterator[Tracer | None]:
    """The tracer of the node of this name; None without tracing. Raises ConfigFault for packages that are missing."""
    if (problem := lacking(settings)) is not None:
        raise ConfigFault(problem)
    if not settings.enabled:
        yield None
        return
    from gameserver.tracing.exporting import SpanExport  # only now: its packages are an extra

    queue = SpanQueue(settings.queue)
    export = SpanExport(queue, settings, node)
    export.start()
    try:
        yield Tracer(queue, settings.sample_ratio, settings.callers_per_second)
    finally:
        await export.close()


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # a parent that is missing, or can't be imported
        return False
