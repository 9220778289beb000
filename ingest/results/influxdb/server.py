"""The only file that knows influxdb-client: calls to one InfluxDB 1.8 or 2, its failures in our words.

Written with the client's synchronous call, read with InfluxQL on `/query`, the one language that 1.8, 2 and 3
all answer; the client has no call for that.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import urllib3
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from poise.errors import StoreRejectedError, StoreUnavailableError

_TIMEOUT_MS: Final = 10_000
_BAD_DATA: Final = (400, 413, 422)
_EXPIRED: Final = re.compile(
    r"points beyond retention policy dropped=(\d+)|dropped (\d+) points outside retention policy"
)
"""As 1.8.10 and as 2.7.12 say it."""
_SERVERS_LIMIT: Final = re.compile(r"max-(series|values)-per-\w+ limit exceeded")
_EVER: Final = {"start": "1677-09-22T00:00:00Z", "stop": "2262-04-11T00:00:00Z"}
"""All times that the server knows, but for hours at both ends."""
_MICROSECONDS: Any = "us"
_ANSWER: Final = "application/x-msgpack"
Rows = tuple[Mapping[str, str], list[list[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxSettings:
    """Where InfluxDB is, and how long it keeps what.

    Attributes:
        url: for example http://127.0.0.1:8086.
        token: of 2.x; for 1.8 `user:password`.
        org: of 2.x; for 1.8 "-".
        bucket: of 2.x; for 1.8 `database/retention policy`. Series are in others whose names begin so.
        keep_1s_days: how long seconds are kept, d; 0 for ever.
        keep_1m_days: minutes.
        keep_1h_days: hours.
    """

    url: str
    token: str = field(repr=False)
    org: str
    bucket: str
    keep_1s_days: int = 0
    keep_1m_days: int = 0
    keep_1h_days: int = 0


class InfluxServer:
    """Synchronous calls to one server."""

    def __init__(self, settings: InfluxSettings) -> None:
        self.settings = settings
        self._client = InfluxDBClient(
            url=settings.url, token=settings.token, org=settings.org, timeout=_TIMEOUT_MS
        )
        self._writer = self._client.write_api(write_options=SYNCHRONOUS)
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT_MS / 1000)

    def write(self, body: bytes, suffix: str = "") -> int:
        """Write joined lines; returns when the server has them.

        Args:
            body: lines with times in µs.
            suffix: which bucket, see `ingest.results.influxdb.layout`.

        Returns:
            How many of them the server let fall because they are older than it keeps anything.

        Raises:
            StoreRejectedError: if the lines are at fault.
            StoreUnavailableError: if the server or the way to it is.
        """
        bucket = self.settings.bucket + suffix
        try:
            with self._in_our_words(bucket):
                self._writer.write(bucket, self.settings.org, body, write_precision=_MICROSECONDS)
        except StoreRejectedError as exc:
            # All others of such a body are stored: the server says this last, after every other complaint.
            if expired := _EXPIRED.search(str(exc)):
                return int(expired[1] or expired[2])
            raise
        return 0

    def query(self, influxql: str, suffix: str = "") -> Iterator[Rows]:
        """Yield tags and rows (times first, UTC µs, then what was selected) of each series of the answer.

        Raises:
            StoreUnavailableError: if there is none.
        """
        yield from _rows_of(self._answer("GET", influxql, self._in(suffix)))

    def ask(self, questions: Sequence[str], suffix: str = "") -> Iterator[Rows]:
        """Yield what `query` gives for each in turn; while one answer is read, the server finds the next.

        Raises:
            StoreUnavailableError: if there is none.
        """
        ask = partial(self._answer, "GET", where=self._in(suffix))
        with ThreadPoolExecutor(1, "poise-influxdb") as thread:
            for answer in thread.map(ask, questions):
                yield from _rows_of(answer)

    def order(self, influxql: str) -> list[list[Any]]:
        """Have a statement of administration done, by 1.8, and return the rows of its answer."""
        return [row for _, rows in _rows_of(self._answer("POST", influxql, {})) for row in rows]

    def delete(self, site: str, patient: str, suffix: str = "") -> None:
        """Delete all series of a wearer in a bucket of 2.x, or in the database of 1.8 under all its policies.

        Raises:
            StoreUnavailableError: if the server is not there, or refuses.
        """
        bucket = self.settings.bucket + suffix
        if self.major() == 1:
            database, _ = self.database_of(bucket)
            wanted = f"\"site\" = '{site}' AND \"patient\" = '{patient}'"
            list(_rows_of(self._answer("POST", f"DROP SERIES WHERE {wanted}", {"db": database})))
            return
        body = {**_EVER, "predicate": f'"site"="{site}" AND "patient"="{patient}"'}
        where = {"bucket": bucket, "org": self.settings.org}
        self._request("POST", "/api/v2/delete", where, msgspec.json.encode(body))

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call the API of 2.x and return its answer.

        Raises:
            StoreUnavailableError: if it is not what was asked for.
        """
        sent = None if body is None else msgspec.json.encode(body)
        return msgspec.json.decode(self._request(method, path, {}, sent).data)

    def find(self, what: str, **query: str) -> list[dict[str, Any]]:
        """Return what the API of 2.x knows under "buckets", "orgs" or "dbrps", nothing if it does not.

        Raises:
            StoreUnavailableError: if it does not say.
        """
        answer = self._request("GET", f"/api/v2/{what}", query, allowed=(404,))
        known = msgspec.json.decode(answer.data) if answer.status == 200 else {}
        found: list[dict[str, Any]] = known.get("content" if what == "dbrps" else what) or []
        return found

    def major(self) -> int:
        """Return 1, 2 or 3: which InfluxDB it is. Those that do not say are known by what they can do.

        Raises:
            StoreUnavailableError: if nobody answers.
        """
        said = self._request("GET", "/ping", {}).headers.get("X-Influxdb-Version", "").lstrip("v")
        if said[:2] in ("1.", "2.", "3."):
            return int(said[0])
        known = self._request("GET", "/api/v2/buckets", {"limit": "1"}, allowed=(404,))
        return 1 if known.status == 404 else 2

    @staticmethod
    def database_of(bucket: str) -> tuple[str, str]:
        """Return database and policy of a bucket as InfluxQL wants them; the policy may be ""."""
        database, _, policy = bucket.partition("/")
        return database, policy

    def close(self) -> None:
        """Let go of the connections."""
        self._writer.close()  # type: ignore[no-untyped-call]
        self._client.close()  # type: ignore[no-untyped-call]
        self._http.clear()

    def _in(self, suffix: str) -> dict[str, str]:
        database, policy = self.database_of(self.settings.bucket + suffix)
        return {"db": database} | ({"rp": policy} if policy else {})

    def _answer(self, method: str, influxql: str, where: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        return self._request(method, "/query", {**where, "q": influxql, "epoch": "u"}, accept=_ANSWER)

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None = None,
        allowed: tuple[int, ...] = (),
        accept: str = "application/json",
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self.settings.url.rstrip('/')}{path}"
        headers = {"Authorization": f"Token {self.settings.token}", "Accept": accept}
        bucket = self.settings.bucket
        with self._in_our_words(bucket):
            answer = self._http.request(
                method,
                f"{url}?{urlencode(query)}" if query else url,
                body=body,
                headers=headers | ({"Content-Type": "application/json"} if body is not None else {}),
            )
        if answer.status >= 300 and answer.status not in allowed:
            raise StoreUnavailableError(_advice(self.settings.url, bucket, answer.status, answer.data[:200]))
        return answer

    @contextmanager
    def _in_our_words(self, bucket: str) -> Iterator[None]:
        url = self.settings.url
        try:
            yield
        except (ApiException, InfluxDBError) as exc:
            status = int(getattr(exc, "status", None) or getattr(exc.response, "status", 0) or 0)
            # A limit of the server is no fault of the line: once it is raised, the line is taken.
            if status in _BAD_DATA and not _SERVERS_LIMIT.search(str(exc)):
                raise StoreRejectedError(f"InfluxDB refuses a line: {exc}") from exc
            raise StoreUnavailableError(_advice(url, bucket, status, exc)) from exc
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
            raise StoreUnavailableError(f"no answer from InfluxDB at {url}: {exc}") from exc


def _rows_of(answer: urllib3.BaseHTTPResponse) -> Iterator[Rows]:
    # MessagePack costs 1.8 and 2.7 half of what JSON does; a server that has none answers in JSON.
    packed = "msgpack" in answer.headers.get("Content-Type", "")
    for result in (msgspec.msgpack if packed else msgspec.json).decode(answer.data).get("results", []):
        if "error" in result:
            raise StoreUnavailableError(f"InfluxDB does not answer: {result['error']}")
        for series in result.get("series", []):
            yield series.get("tags", {}), series.get("values", [])


def _advice(url: str, bucket: str, status: int, what: object) -> str:
    if status in (401, 403):
        return f"InfluxDB at {url} refuses the token; set one that may read and write {bucket!r}"
    if status == 404 or "retention policy not found" in str(what):
        return (
            f"InfluxDB at {url} has no bucket {bucket!r} or no such organisation; make it with "
            "`poise store init` or change the name"
        )
    return f"InfluxDB at {url} cannot be used now (status {status}): {what!s}"
