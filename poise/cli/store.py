"""`poise store`: making the result store, and copying results between stores."""

import os
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from ingest.database.shards import WHOLE, count_in, shards
from ingest.database.sqlite import reading
from ingest.results import copying
from ingest.results.copying import Compared, Copied, Copyable, Cursor
from ingest.results.influxdb import outbox
from ingest.results.influxdb.copying import InfluxCopy
from ingest.results.influxdb.layout import create
from ingest.results.influxdb.server import InfluxServer, InfluxSettings
from ingest.results.sqlite_copy import SqliteCopy
from ingest.results.store import key
from poise.cli import parts
from poise.cli.alone import alone
from poise.cli.bar import Bar
from poise.cli.running import FAILED, OK, err, out
from poise.cli.settings import Settings
from poise.errors import ConfigurationError

_SHOWN: Final = 20


def init(settings: Settings) -> int:
    """Make what InfluxDB lacks and say what was made and what was there."""
    if settings.store.kind == "sqlite":
        out.print(
            f"Nothing to do: results go into {parts.database_path(settings)}, which ingest makes itself. "
            "Set store.kind to influxdb for InfluxDB.",
            soft_wrap=True,
            markup=False,
        )
        return OK
    with closing(InfluxServer(settings.store.influx())) as server:
        for sentence in create(server):
            out.print(sentence, soft_wrap=True, markup=False)
    return OK


def copy(source: str, target: str, settings: Settings) -> int:
    """Copy all results and compare both stores; says so only if nothing is missing."""
    there, here = (_place(name, end, settings) for name, end in ((source, "FROM"), (target, "TO")))
    if _name(there) == _name(here):
        raise ConfigurationError(f"--from and --to are both {_name(there)}: name two stores")
    _check_outbox(source, settings)
    name = f"copy-{zlib.crc32(f'{_name(there)} {_name(here)}'.encode()):08x}"
    folder = parts.folder(settings.data)
    with (
        alone(folder / f"{name}.lock", "copy of these stores"),
        closing(Cursor(folder / f"{name}.txt")) as cursor,
        _opened(there, settings, write=False) as from_store,
        _opened(here, settings, write=True) as to_store,
        Bar() as bar,
    ):
        copied = copying.copy(
            from_store,
            to_store,
            cursor,
            lambda what, done, total: bar.show(f"wearer-days {what}", done, total),
        )
        expired = to_store.expired if isinstance(to_store, InfluxCopy) else 0
    return _tell(copied, expired, _name(there), _name(here))


def _place(name: str, end: str, settings: Settings) -> Path | InfluxSettings:
    if name == "sqlite":
        return _only_database(settings.data)
    if name == "influxdb":
        return settings.store.influx()
    if not name.startswith(("http://", "https://")):
        return Path(name)
    parsed = urlsplit(name)
    token, bucket = os.environ.get(f"POISE_{end}_TOKEN", ""), parsed.path.strip("/")
    if not (token and bucket):
        raise ConfigurationError(
            f"{name}: write http://host:8086/bucket?org=name, its token in POISE_{end}_TOKEN"
        )
    org = parse_qs(parsed.query).get("org", ["-"])[0]
    return InfluxSettings(url=f"{parsed.scheme}://{parsed.netloc}", token=token, org=org, bucket=bucket)


def _only_database(data: Path) -> Path:
    count = count_in(data)
    if count > 1:
        files = ", ".join(shard.file(data).name for shard in shards(count))
        raise ConfigurationError(f"{data} has {count} databases, one a worker: name each in turn ({files})")
    return WHOLE.file(data)


def _name(place: Path | InfluxSettings) -> str:
    return str(place.absolute()) if isinstance(place, Path) else f"{place.url.rstrip('/')}/{place.bucket}"


def _check_outbox(source: str, settings: Settings) -> None:
    """Refuse to copy a server that does not have everything yet."""
    path = parts.database_path(settings)
    if source != "influxdb" or not path.exists():
        return
    with reading(path) as connection:
        lines = outbox.waiting(connection).lines
    if lines:
        raise ConfigurationError(
            f"{lines} lines still wait in the outbox for InfluxDB: let `poise ingest` run until all are there"
        )


@contextmanager
def _opened(place: Path | InfluxSettings, settings: Settings, *, write: bool) -> Iterator[Copyable]:
    if isinstance(place, Path):
        with closing(SqliteCopy(place, settings.zone)) as store:
            yield store
        return
    server = InfluxServer(place)
    with closing(InfluxCopy(server)) as influx:
        if write:
            for sentence in create(server, change=False):
                out.print(sentence, soft_wrap=True, markup=False)
        yield influx


def _tell(copied: Copied, expired: int, source: str, target: str) -> int:
    rows = f"{copied.seconds} seconds, {copied.episodes} episodes, {copied.exposures} exposures"
    rows += f", {copied.quarters} quarters in full"
    what = f"{rows} on {copied.days} wearer-days ({copied.copied} copied now)"
    if not copied.days:
        out.print(f"There is nothing to copy: {source} holds no results.", soft_wrap=True, markup=False)
        return OK
    if not copied.wrong:
        out.print(
            f"Compared, nothing is missing: {what}, from {source} to {target}.", soft_wrap=True, markup=False
        )
        return OK
    for day in copied.wrong[:_SHOWN]:
        err.print(_difference(day), soft_wrap=True, markup=False)
    old = f" The target let {expired} points fall that are older than it keeps." if expired else ""
    err.print(
        f"poise: {len(copied.wrong)} of {copied.days} wearer-days are not whole in {target}.{old} The same "
        "command copies these again.",
        soft_wrap=True,
        markup=False,
    )
    return FAILED


def _difference(day: Compared) -> str:
    counts = [
        f"{s.seconds}/{s.episodes}/{s.exposures}/{s.quarters} {s.checksum[:12]}"
        for s in (day.source, day.target)
    ]
    day_said = f"{datetime.fromtimestamp(day.day_s, UTC):%Y-%m-%d}"
    return (
        f"{key(day.wearer)}, {day_said}: {day.missing} rows missing or different; seconds/episodes/"
        f"exposures/quarters and checksum: {counts[0]} in the source, {counts[1]} in the target"
    )
