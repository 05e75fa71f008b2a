"""What is counted for Prometheus. No name of an organisation, a case or a document is a label."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Counts:
    """The counts of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("gardesh_http_requests", "Requests answered.", labels, registry=self.registry)
        self.seconds = Histogram(
            "gardesh_http_request_seconds",
            "From the request's head to the end of the answer.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.documents = Counter(
            "gardesh_documents",
            "Documents submitted, by what became of them.",
            ("outcome",),
            registry=self.registry,
        )
        self.webhooks = Counter(
            "gardesh_webhooks",
            "Notices sent to webhooks, by what became of them.",
            ("outcome",),
            registry=self.registry,
        )
        self.evidence = Counter(
            "gardesh_evidence",
            "Case files of other nodes, by what became of them.",
            ("outcome",),
            registry=self.registry,
        )
        self.cosigned = Gauge(
            "gardesh_cosigned_size",
            "Documents under a checkpoint with the witnesses' quorum.",
            registry=self.registry,
        )
        self.forked = Gauge(
            "gardesh_forked_logs",
            "Other nodes whose logs were found to have two histories.",
            registry=self.registry,
        )
        self.uploads = Counter(
            "gardesh_uploads_removed",
            "Uploads that nobody went on with, removed.",
            registry=self.registry,
        )
        self.authorities = Counter(
            "gardesh_authority_keys",
            "Times that keys of another authority were asked for, by what came of it.",
            ("issuer", "outcome"),
            registry=self.registry,
        )
        self.size = Gauge("gardesh_log_size", "Documents on the log.", registry=self.registry)
        self.waiting = Gauge("gardesh_waiting", "Requests that wait for the record.", registry=self.registry)

    def text(self) -> bytes:
        """In the text format of Prometheus."""
        return generate_latest(self.registry)
