"""The written schema: what is kept where in InfluxDB and for how long, and making it (`docs/storage.md`).

2.x has a bucket for each table, 1.8 a retention policy in one database; their names differ in a suffix only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ingest.results.influxdb.server import InfluxServer, InfluxSettings
from poise.errors import ConfigurationError

_DAY_S: Final = 86_400
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Table:
    """A place with a lifetime of its own.

    Attributes:
        suffix: what its bucket or policy adds to the name in the settings.
        measurement: the one that is kept there, "" for all others.
        step_s: length of a point, s; 0 for what is no series.
        shard_days: how much time the server keeps in one file, d, where it keeps it for ever: the rarer the
            points, the longer, or a year would be spread over many files. Project decision.
    """

    suffix: str
    measurement: str
    step_s: int
    shard_days: int

    def kept(self, settings: InfluxSettings) -> "Kept":
        """Return how long it is to be kept."""
        by_step = {1: settings.keep_1s_days, 60: settings.keep_1m_days, 3600: settings.keep_1h_days}
        days = by_step.get(self.step_s, 0)
        return Kept(days, _shard_s(days, self.shard_days))


@dataclass(frozen=True, slots=True)
class Kept:
    """How long something is kept.

    Attributes:
        days: 0 for ever.
        shard_s: time in one file, s.
    """

    days: int
    shard_s: int

    def __str__(self) -> str:
        lifetime = f"kept for {self.days} days" if self.days else "kept for ever"
        return f"{lifetime}, {self.shard_s // _HOUR_S} h in a file"


CONCLUSIONS: Final = Table("", "", 0, 364)
"""Episodes and exposure: small, and never deleted."""
TABLES: Final = {
    1: Table("_1s", "posture_second", 1, 7),
    60: Table("_1m", "posture_minute", 60, 28),
    3600: Table("_1h", "posture_hour", 3600, 364),
}
"""Series by their step, s."""


def create(server: InfluxServer, *, change: bool = True) -> Iterator[str]:
    """Make what is missing, set how long each is kept, and yield a sentence about each.

    Args:
        server: where.
        change: also how long those are kept that are there already.

    Raises:
        ConfigurationError: if the settings do not fit the server.
        StoreUnavailableError: if it is not there, or refuses the token.
    """
    major = server.major()
    if major >= 3:
        names = ", ".join(server.settings.bucket + table.suffix for table in (CONCLUSIONS, *TABLES.values()))
        raise ConfigurationError(
            f"InfluxDB {major} makes its databases itself or by `influxdb3 create database`: make {names}"
        )
    for table in (CONCLUSIONS, *TABLES.values()):
        make = _policy if major == 1 else _bucket
        yield make(server, server.settings.bucket + table.suffix, table, change=change)


def _bucket(server: InfluxServer, name: str, table: Table, *, change: bool) -> str:
    org, wanted = _org_id(server), table.kept(server.settings)
    rule = {
        "type": "expire",
        "everySeconds": wanted.days * _DAY_S,
        "shardGroupDurationSeconds": wanted.shard_s,
    }
    found = server.find("buckets", name=name, orgID=org)
    if not found:
        bucket = server.call(
            "POST", "/api/v2/buckets", {"orgID": org, "name": name, "retentionRules": [rule]}
        )
        _mapping(server, org, name, bucket["id"])
        return f"made: bucket {name}, {wanted}"
    _mapping(server, org, name, found[0]["id"])
    (known,) = found[0]["retentionRules"] or [{}]
    before = Kept(known.get("everySeconds", 0) // _DAY_S, known.get("shardGroupDurationSeconds", 0))
    if _is_fine(table, before, wanted, change=change):
        return f"there: bucket {name}, {before}"
    server.call("PATCH", f"/api/v2/buckets/{found[0]['id']}", {"retentionRules": [rule]})
    return f"changed: bucket {name}, {wanted} (before: {before})"


def _is_fine(table: Table, before: Kept, wanted: Kept, *, change: bool) -> bool:
    # Nobody has said how long conclusions are kept: one who gave them an end meant it.
    return before == wanted or not change or (table is CONCLUSIONS and before.days > 0)


def _org_id(server: InfluxServer) -> str:
    name = server.settings.org
    found = server.find("orgs", org=name)
    if not found:
        raise ConfigurationError(f"InfluxDB knows no organisation {name!r}: set store.org")
    return str(found[0]["id"])


def _mapping(server: InfluxServer, org: str, bucket: str, bucket_id: str) -> None:
    """Let InfluxQL find the bucket where the server has not done so by itself."""
    database, policy = server.database_of(bucket)
    if not server.find("dbrps", orgID=org, bucketID=bucket_id):
        mapping = {"database": database, "retention_policy": policy or "autogen", "default": True}
        server.call("POST", "/api/v2/dbrps", {"orgID": org, "bucketID": bucket_id, **mapping})


def _policy(server: InfluxServer, name: str, table: Table, *, change: bool) -> str:
    database, policy = server.database_of(name)
    if not policy:
        raise ConfigurationError(f"write store.bucket as database/policy for InfluxDB 1.8, not {name!r}")
    wanted = table.kept(server.settings)
    server.order(f"CREATE DATABASE {_quoted(database)}")  # one that is there stays as it is
    found = {
        row[0]: Kept(_hours(row[1]) // 24, _hours(row[2]) * _HOUR_S)
        for row in server.order(f"SHOW RETENTION POLICIES ON {_quoted(database)}")
    }
    lifetime = f"{wanted.days}d" if wanted.days else "INF"
    what = f"{_quoted(policy)} ON {_quoted(database)} DURATION {lifetime} REPLICATION 1 "
    what += f"SHARD DURATION {wanted.shard_s // _HOUR_S}h"
    if policy not in found:
        server.order(f"CREATE RETENTION POLICY {what}")
        return f"made: retention policy {name}, {wanted}"
    if _is_fine(table, found[policy], wanted, change=change):
        return f"there: retention policy {name}, {found[policy]}"
    server.order(f"ALTER RETENTION POLICY {what}")
    return f"changed: retention policy {name}, {wanted} (before: {found[policy]})"


def _shard_s(days: int, for_ever_days: int) -> int:
    """Return the length of a file's time, s: for what ends the server's own choice, which has to be told.

    https://docs.influxdata.com/influxdb/v2/reference/internals/shards/
    """
    if days == 0:
        return for_ever_days * _DAY_S
    if days > 180:
        return 7 * _DAY_S
    return _DAY_S if days >= 2 else _HOUR_S


def _hours(duration: str) -> int:
    """Return the hours of a duration as 1.8 writes it: "168h0m0s", "0s" for ever."""
    return int(duration.partition("h")[0]) if "h" in duration else 0


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
