"""What Prometheus is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_LATENCIES_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)


class _JobStates(Collector):
    """Counts jobs when it is asked, so that no change can be missed."""

    def __init__(self, count: Callable[[], Mapping[str, int]]) -> None:
        self._count = count

    def collect(self) -> list[Metric]:
        family = GaugeMetricFamily("gclf_live_jobs", "Videos that are kept, by state", labels=["state"])
        for state, number in self._count().items():
            family.add_metric([state], number)
        return [family]


class Metrics:
    """The figures of one server.

    Attributes:
        requests: answers by path template and status.
        latency: seconds from a request to the start of its answer, by path template.
        faces: faces that were labelled, by ``picture`` or ``live``.
        batch: crops of each run of the network.
        queue: pictures that were accepted and have no answer yet.
        live: open live connections.
        frames: live frames by ``labelled`` or ``dropped``.
    """

    def __init__(self, *, count_jobs: Callable[[], Mapping[str, int]]) -> None:
        """Start at nought; ``count_jobs`` says how many jobs there are by state."""
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "gclf_live_requests", "Answers by path and status", ["path", "code"], registry=registry
        )
        self.latency = Histogram(
            "gclf_live_request_seconds",
            "Seconds from a request to the start of its answer",
            ["path"],
            buckets=_LATENCIES_S,
            registry=registry,
        )
        self.faces = Counter("gclf_live_faces", "Faces labelled", ["source"], registry=registry)
        self.batch = Histogram(
            "gclf_live_batch_crops",
            "Crops that went through the network at once",
            buckets=_BATCHES,
            registry=registry,
        )
        self.queue = Gauge("gclf_live_queue_length", "Pictures without an answer yet", registry=registry)
        self.live = Gauge("gclf_live_live_connections", "Open live connections", registry=registry)
        self.frames = Counter("gclf_live_live_frames", "Live frames", ["fate"], registry=registry)
        registry.register(_JobStates(count_jobs))

    def text(self) -> bytes:
        """The figures in Prometheus' text format."""
        return generate_latest(self._registry)
