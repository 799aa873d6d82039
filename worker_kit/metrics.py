"""What /metrics shows."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_STEP_BUCKETS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)


class WorkerMetrics:
    """One worker's; in a registry of its own, so that two workers in one process do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.steps_total = Counter(
            "steps_total", "Attempts ended, by step and outcome.", ("step", "outcome"), registry=self.registry
        )
        self.messages_total = Counter(
            "messages_total", "Messages settled, by settlement.", ("settlement",), registry=self.registry
        )
        self.step_seconds = Histogram(
            "step_seconds", "Work on one attempt.", ("step",), buckets=_STEP_BUCKETS, registry=self.registry
        )
        self.queue_wait_seconds = Histogram(
            "queue_wait_seconds", "From enqueued to begun.", buckets=_STEP_BUCKETS, registry=self.registry
        )
        self.in_flight = Gauge("in_flight", "Messages in hand.", registry=self.registry)
        self.audio_seconds_total = Counter(
            "audio_seconds_total", "Audio worked on.", ("step",), registry=self.registry
        )
        self.lock_lost_total = Counter(
            "lock_lost_total", "Locks that ran out during work.", registry=self.registry
        )
