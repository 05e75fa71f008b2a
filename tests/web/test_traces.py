"""Traces go to a collector of OpenTelemetry, within the trace of who asked, and say nothing of whom or what."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from served import serving

from market import Market


class Collector:
    """Takes spans, as OTLP over HTTP has it."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                raw = gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw
                request = ExportTraceServiceRequest.FromString(raw)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans += scope.spans
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_a_request_is_a_span_of_the_trace_that_it_came_in(tmp_path: Path) -> None:
    collector = Collector()
    market = Market()
    market.area()
    case = market.apply()
    with serving(market, tmp_path, f'[telemetry]\nendpoint = "{collector.url}"\n') as served:
        trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
        with served.by("ali") as ali:
            answer = ali.get(f"/v1/cases/{case}", headers={"traceparent": f"00-{trace}-{parent}-01"})
            assert answer.status_code == 200
        served.nobody.post("/v1/documents", content=b"nothing")
        log = served.log
    collector.server.shutdown()
    spans = {span.name: span for span in collector.spans}
    asked = spans["GET /v1/cases/{name}"]
    assert asked.trace_id.hex() == trace
    assert asked.parent_span_id.hex() == parent
    assert spans["record.ask"].parent_span_id == asked.span_id
    assert spans["record.submit"].parent_span_id == spans["POST /v1/documents"].span_id
    said = {a.key: a.value for a in spans["POST /v1/documents"].attributes}
    assert said["gardesh.code"].string_value == "document-malformed"
    assert said["http.response.status_code"].int_value == 400
    assert f'"trace":"{trace}"' in log.getvalue()
    for secret in (case, "ali"):
        assert all(secret not in str(span) for span in collector.spans)


def test_without_a_collector_nothing_is_traced(tmp_path: Path) -> None:
    with serving(Market(), tmp_path) as served:
        assert served.nobody.get("/healthz").status_code == 200
        assert '"trace"' not in served.log.getvalue()
