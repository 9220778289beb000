"""`/metrics`, `/healthz` and `/readyz` on this machine; the only file that knows prometheus-client.

What is served is what the workers told last (`ingest.vitals`), so that a worker that died is seen as such and
nothing is ever summed that is not known. Pseudonyms of those who send too much are the only personal data.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from operator import attrgetter
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ingest.vitals import LAGS_S, STALE_US, Vitals
from poise.errors import ConfigurationError

HOST: Final = "127.0.0.1"
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_OURS: Final = ("127.0.0.1", "localhost")
_COUNTERS: Final = {
    "stored": ("messages_stored", "Samples messages on disk."),
    "samples": ("samples_stored", "Samples of all sensors on disk."),
    "missing": ("samples_missing", "Samples that gateways reported missing."),
    "duplicates": ("messages_duplicate", "Samples messages that came again."),
    "late": ("messages_late", "Samples messages behind what was analysed already."),
    "beside": ("messages_second_gateway", "Samples messages of a second gateway of a wearer."),
    "commits": ("commits", "Transactions."),
    "erased": ("messages_erased", "Messages of wearers who were erased, dropped."),
    "withdrawn": ("messages_withdrawn", "Messages of wearers who have withdrawn consent, dropped."),
}


class Workers:
    """What each worker told last; a thread may read while the event loop tells.

    Args:
        names: of all workers that should be there.
        clock: UTC µs.
    """

    def __init__(self, names: Sequence[str], clock: Callable[[], int]) -> None:
        self._names, self._clock = tuple(names), clock
        self._told: dict[str, Vitals] = {}
        self.started = dict.fromkeys(names, 0)

    def tell(self, vitals: Vitals) -> None:
        """Take what a worker tells."""
        self._told[vitals.worker] = vitals

    def gone(self, name: str) -> None:
        """Forget a worker that ended; what it had counted ends with it, as Prometheus expects."""
        self._told.pop(name, None)

    def all(self) -> list[Vitals]:
        """Return what is known, by worker."""
        told = dict(self._told)
        return [told[name] for name in self._names if name in told]

    def unready(self) -> list[str]:
        """Say why not everything can be stored now; nothing if it can."""
        now_us, told = self._clock(), dict(self._told)
        reasons = [
            told[name].unready(now_us) if name in told else f"worker {name} is not there"
            for name in self._names
        ]
        return [reason for reason in reasons if reason]

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(_Told(self.all(), self._names, self.started, self._clock()))
        return generate_latest(registry)


class _Told(Collector):
    """The metrics of one moment."""

    def __init__(
        self, told: Sequence[Vitals], names: Sequence[str], started: dict[str, int], now_us: int
    ) -> None:
        self._told, self._names, self._started, self._now_us = told, names, started, now_us

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        for field, (name, help_text) in _COUNTERS.items():
            yield self._counter(name, help_text, attrgetter(f"counts.{field}"))
        yield self._counter(
            "messages_refused", "Messages that were more than may wait.", attrgetter("refused_in_all")
        )
        yield from self._by("dead_letters", "Messages that could not be understood.", "reason", "dead")
        yield from self._by(
            "refused_by_wearer", "Messages that were more than may wait of a wearer.", "wearer", "refused"
        )
        yield from self._gauges()
        yield self._lag()

    def _gauges(self) -> Iterator[Metric]:
        now_us, told = self._now_us, {v.worker: v for v in self._told}
        up = GaugeMetricFamily("poise_worker_up", "1 if the worker tells how it does.", labels=["worker"])
        starts = CounterMetricFamily("poise_worker_starts", "Times a worker was started.", labels=["worker"])
        for name in self._names:
            vitals = told.get(name)
            up.add_metric([name], float(vitals is not None and abs(now_us - vitals.at_us) <= STALE_US))
            starts.add_metric([name], self._started.get(name, 0))
        yield from (up, starts)
        yield self._gauge("broker_connected", "1 while the broker is there.", lambda v: v.connected)
        yield self._gauge("store_works", "0 while the store takes nothing.", lambda v: not v.trouble)
        yield self._gauge("messages_waiting", "Messages not on disk yet.", lambda v: v.waiting)
        yield self._gauge("wearers", "Wearers of whom something came within a minute.", lambda v: v.wearers)
        yield self._gauge("outbox_lines", "Lines that wait for InfluxDB.", lambda v: v.outbox)
        yield self._gauge("disk_free_bytes", "What the disk of the data has left.", lambda v: v.free_bytes)
        age = GaugeMetricFamily(
            "poise_newest_sample_age_seconds", "Since the newest sample that is stored.", labels=["worker"]
        )
        for vitals in self._told:
            if vitals.newest_us:
                age.add_metric([vitals.worker], (now_us - vitals.newest_us) / 1e6)
        yield age

    def _counter(self, name: str, help_text: str, of: Callable[[Vitals], int]) -> Metric:
        family = CounterMetricFamily(f"poise_{name}", help_text, labels=["worker"])
        for vitals in self._told:
            family.add_metric([vitals.worker], of(vitals))
        return family

    def _gauge(self, name: str, help_text: str, of: Callable[[Vitals], float]) -> Metric:
        family = GaugeMetricFamily(f"poise_{name}", help_text, labels=["worker"])
        for vitals in self._told:
            family.add_metric([vitals.worker], float(of(vitals)))
        return family

    def _by(self, name: str, help_text: str, label: str, field: str) -> Iterator[Metric]:
        family = CounterMetricFamily(f"poise_{name}", help_text, labels=["worker", label])
        for vitals in self._told:
            for what, count in sorted(getattr(vitals, field).items()):
                family.add_metric([vitals.worker, what], count)
        yield family

    def _lag(self) -> Metric:
        family = HistogramMetricFamily(
            "poise_sample_to_stored_seconds",
            "From the last sample of a message to its being on disk, of those judged live.",
            labels=["worker"],
        )
        for vitals in self._told:
            total, buckets = 0, []
            for edge, count in zip((*map(str, LAGS_S), "+Inf"), vitals.lags, strict=True):
                total += count
                buckets.append((edge, float(total)))
            family.add_metric([vitals.worker], buckets, vitals.lag_sum_s)
        return family


@contextmanager
def served(workers: Workers, port: int) -> Iterator[int]:
    """Serve on this machine beside the block and give the port; 0 for any.

    Raises:
        ConfigurationError: if the port is taken.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), _handler(workers))
    except OSError as exc:
        raise ConfigurationError(
            f"the port {port} for metrics is taken; set [ingest] metrics_port (POISE_INGEST__METRICS_PORT)"
        ) from exc
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _handler(workers: Workers) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            """Answer; only who names this machine, so that no page elsewhere can have a browser ask."""
            if self.headers.get("Host", "").rpartition(":")[0] not in _OURS:
                self._say(403, "text/plain", b"only by the name of this machine\n")
            elif self.path == "/metrics":
                self._say(200, _TEXT, workers.text())
            elif self.path == "/healthz":
                self._say(200, "text/plain", b"ok\n")
            elif self.path == "/readyz":
                reasons = workers.unready()
                self._say(
                    503 if reasons else 200, "text/plain", ("\n".join(reasons or ["ok"]) + "\n").encode()
                )
            elif self.path == "/workers":
                self._say(200, "application/json", msgspec.json.encode(workers.all()))
            else:
                self._say(404, "text/plain", b"/metrics, /healthz, /readyz\n")

        def _say(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: whoever asks does so every few seconds."""

    return Answers
