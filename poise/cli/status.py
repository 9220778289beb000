"""`poise status`: how ingest does, what is stored of whom, and what was put aside."""

import http.client
from collections.abc import Sequence
from typing import Final

import msgspec
from rich.markup import escape
from rich.table import Table

from ingest.database.shards import count_in, shards
from ingest.metrics import HOST
from ingest.overview import Kept, Overview, overview
from ingest.vitals import Vitals
from poise.cli import parts
from poise.cli.person.erasing import standings
from poise.cli.running import FAILED, OK, out
from poise.cli.settings import Settings
from poise.errors import ConfigurationError, StoreUnavailableError

_PATIENCE_S: Final = 3.0


def show(settings: Settings) -> int:
    """Print it; exit code 1 if something that runs cannot store now.

    Raises:
        ConfigurationError: if there is no database.
    """
    count = count_in(settings.data)
    if not count:
        raise ConfigurationError(f"There is no database in {settings.data} yet: start `poise ingest` first.")
    now_us, troubles = parts.now_us(), list[str]()
    kept = [_overview(settings, shard.file(settings.data).name, troubles) for shard in shards(count)]
    running = _workers(settings.ingest.metrics_port)
    out.print(_of_workers(running, now_us) if running else _silent(settings.ingest.metrics_port))
    out.print(_of_wearers([wearer for each in kept for wearer in each.wearers], now_us))
    _say_dead(kept)
    for sentence in standings(settings.data):
        out.print(sentence, soft_wrap=True, markup=False)
    troubles += [reason for vitals in running if (reason := vitals.unready(now_us))]
    for trouble in troubles:
        out.print(f"[red]{escape(trouble)}[/red]", soft_wrap=True)
    return FAILED if troubles else OK


def _overview(settings: Settings, name: str, troubles: list[str]) -> Overview:
    """Read one database; one whose worker has not begun yet holds nothing."""
    try:
        return overview(settings.data / name)
    except StoreUnavailableError as exc:
        troubles.append(str(exc))
        return Overview()


def _workers(port: int) -> list[Vitals]:
    """Ask a running ingest; nothing if none answers."""
    if not port:
        return []
    connection = http.client.HTTPConnection(HOST, port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/workers")
        return msgspec.json.decode(connection.getresponse().read(), type=list[Vitals])
    except (OSError, http.client.HTTPException, msgspec.MsgspecError):
        return []
    finally:
        connection.close()


def _silent(port: int) -> str:
    where = f"at port {port}" if port else "([ingest] metrics_port is 0)"
    return f"No ingest tells how it does {where}; what follows is what is on disk."


def _of_workers(running: Sequence[Vitals], now_us: int) -> Table:
    names = (
        "worker",
        "broker",
        "messages",
        "waiting",
        "late",
        "refused",
        "put aside",
        "newest sample",
        "outbox",
    )
    table = Table(*names, title="Ingest, since its start", title_justify="left")
    for v in running:
        aside, counts = sum(v.dead.values()), v.counts
        numbers = (counts.stored, v.waiting, counts.late, v.refused_in_all, aside)
        there = "there" if v.connected else "[red]away[/red]"
        ago = _ago(v.newest_us, now_us)
        table.add_row(v.worker, there, *(f"{n:,}" for n in numbers), ago, f"{v.outbox:,}")
    return table


def _of_wearers(wearers: Sequence[Kept], now_us: int) -> Table:
    names = ("wearer", "gateway", "newest sample", "samples", "missing", "waits there", "held off")
    table = Table(*names, title="Wearers, on disk", title_justify="left")
    for kept in sorted(wearers, key=lambda kept: (kept.wearer.patient, kept.wearer.site)):
        said = kept.presence
        site = "" if kept.wearer.site == "home" else f" ({kept.wearer.site})"
        origin = "" if kept.origin == "worn" else f", {kept.origin}"
        table.add_row(
            escape(f"{kept.wearer.patient}{site}{origin}"),
            escape(said.state) if said else "never heard of",
            _ago(kept.last_us, now_us),
            f"{kept.stored:,}",
            f"{kept.missing:,}",
            f"{said.waiting:,}" if said else "",
            escape(", ".join(f"{what}: {n:,}" for what, n in sorted(kept.held_off.items()))),
        )
    return table


def _say_dead(kept: Sequence[Overview]) -> None:
    reasons = sorted({reason for each in kept for reason in each.dead})
    for reason in reasons:
        out.print(f"Put aside ({reason}): {sum(each.dead.get(reason, 0) for each in kept):,}")
    for sentence in [sentence for each in kept for sentence in each.newest_dead]:
        out.print(f"  {escape(sentence)}", soft_wrap=True)


def _ago(t_us: int, now_us: int) -> str:
    """Return "12 s ago" and so on, "never" for 0."""
    seconds = (now_us - t_us) / 1e6
    if not t_us:
        return "never"
    for length, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"
