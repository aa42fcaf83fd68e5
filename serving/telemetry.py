"""OpenTelemetry spans of collector, decision and action. Off by default: then a span costs one function call.

On, by `serving.spans`: sent in batches over OTLP/HTTP to where OTEL_EXPORTER_OTLP_ENDPOINT says. A record in Kafka
carries `traceparent`, so that the action a decision led to belongs to its trace. Attributes hold no personal data.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

Attributes = Mapping[str, str | int | float | bool]
Span = Callable[..., AbstractContextManager[None]]
_OFF: AbstractContextManager[None] = nullcontext()


def no_spans(_: str, **__: str | int | float | bool) -> AbstractContextManager[None]:
    return _OFF


def spans(service_name: str, *, is_on: bool) -> Span:
    """`with span("decision", kind="offer"): ...`. Nothing of OpenTelemetry is imported while it is off."""
    if not is_on:
        return no_spans
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service_name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    tracer = trace.get_tracer("stitchlake")

    @contextmanager
    def span(name: str, **attributes: str | int | float | bool) -> Iterator[None]:
        with tracer.start_as_current_span(name, attributes=attributes):
            yield

    return span


def carrier() -> list[tuple[str, str | bytes | None]]:
    """Kafka headers that tie a record to the span it is sent in; none while there is no span."""
    from opentelemetry.propagate import inject

    headers: dict[str, str] = {}
    inject(headers)
    return [(name, value.encode()) for name, value in headers.items()]
