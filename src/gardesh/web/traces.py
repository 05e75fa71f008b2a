"""Traces of requests for a collector of OpenTelemetry: how long each took, and of that, how long the record. Routes are named
by their form; no name of a person, an organisation, a case or a document is in a span."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


class Traces:
    """Spans of one service. Without an endpoint nothing is made, and nothing is sent."""

    def __init__(self, endpoint: str, share: float) -> None:
        """`endpoint`: of OTLP over HTTP, as http://collector:4318/v1/traces; `share`: of requests, 0 to 1, that begin a
        trace; one that a caller began goes on in any case."""
        self._provider: TracerProvider | None = None
        if endpoint:
            resource = Resource.create({"service.name": "gardesh", "service.version": version("gardesh")})
            self._provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(share)))
            self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
            self._tracer = self._provider.get_tracer("gardesh")
        self._read = TraceContextTextMapPropagator()

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str]) -> Iterator[Span | None]:
        """The span of a request, within the trace that `traceparent` names. `answered` ends what is said of it."""
        if self._provider is None:
            yield None
            return
        around = self._read.extract(dict(headers))
        with self._tracer.start_as_current_span(
            method,
            context=around,
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield span

    @staticmethod
    def answered(span: Span, method: str, route: str, status: int, state: Mapping[str, Any]) -> None:
        """What is known once the answer is given."""
        span.update_name(f"{method} {route}")
        said: dict[str, str | int] = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
        }
        for name in ("by", "code"):
            if name in state:
                said[f"gardesh.{name}"] = state[name]
        span.set_attributes(said)
        if status >= 500:
            span.set_status(StatusCode.ERROR)

    @contextmanager
    def within(self, name: str, **attributes: int) -> Iterator[None]:
        """A part of the request that is under way."""
        if self._provider is None:
            yield
            return
        with self._tracer.start_as_current_span(name, attributes=attributes, record_exception=False):
            yield

    def close(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()
