"""The section `[tracing]`: whether requests are followed as OpenTelemetry traces, and where these are sent."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from gameserver.config.section import Seconds, SettingsSection


def _require_endpoint(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be the URL of a collector, such as http://127.0.0.1:4318/v1/traces")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no password: put it into `headers`")
    return url


class TracingSettings(SettingsSection):
    """Traces; they need the extra `tracing` (docs/tracing.md)."""

    enabled: bool = False
    endpoint: Annotated[str, AfterValidator(_require_endpoint)] = "http://127.0.0.1:4318/v1/traces"
    """Where a collector takes OTLP over HTTP."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Sent to the collector with every request, such as its key."""
    sample_ratio: float = Field(default=0.01, ge=0, le=1)
    """The share of the requests that are traced."""
    callers_per_second: int = Field(default=10, ge=0, le=100_000)
    """How many more requests a second are traced, on each node, because their callers say so in `traceparent`."""
    service_name: str = Field(default="heroledger", min_length=1, max_length=100)
    queue: int = Field(default=8192, ge=1, le=1_000_000)
    """Spans that wait to be sent, at the most; one more is dropped and counted."""
    timeout_seconds: Seconds = 5
    """How long the collector may take to answer, repetitions included."""
