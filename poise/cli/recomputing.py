"""A wearer's results once more, with today's program, into a folder of their own."""

from contextlib import closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from analytics.pipeline import Pipeline
from ingest.archive import files
from ingest.archive.compare import Tally, compare
from ingest.archive.past import Past, past_from_files, past_in
from ingest.archive.recompute import Chosen, choose
from ingest.archive.recompute import recompute as compute
from ingest.database.journal import Journal
from ingest.database.shards import count_in, shard_of, shards
from ingest.database.sqlite import Connection, Database, reading
from ingest.reader import StoreReader
from ingest.results.store import SqliteResults, key
from poise import __version__
from poise.cli import parts
from poise.cli.running import FAILED, OK, err, out
from poise.cli.settings import Settings
from poise.errors import ConfigurationError

_ALWAYS_US: Final = 2**62
_UNITS: Final = {"seconds": "rad", "episodes": "of their unit", "exposures": "s"}


def recompute(settings: Settings, begin: datetime | None, end: datetime | None, into: Path | None) -> int:
    """Compute what has samples between two times, say what became of it, and return the exit code.

    Raises:
        ConfigurationError: if there is nothing to compute from, or the folder is not new.
    """
    wearer, count = settings.wearer, count_in(settings.data)
    path = shards(count)[shard_of(wearer, count)].file(settings.data) if count else None
    alone = nullcontext((past_from_files(settings.data / files.FOLDER, wearer), None))
    with past_in(path, wearer) if path else alone as (past, stored):
        chosen = choose(past, _us(begin, 0), _us(end, _ALWAYS_US))
        if not chosen.runs and not chosen.lost:
            raise ConfigurationError(
                f"Nothing is stored of {wearer.patient} in {settings.data} from that time. Look at --site, "
                "--data, --from and --to."
            )
        folder = _fresh(into or _usual(settings))
        with closing(Database(folder / "poise.db")) as fresh:
            _introduce(settings, path, fresh)
            with err.status(f"computing {len(chosen.runs)} runs again"):
                for _ in compute(past, chosen, fresh, Pipeline):
                    pass
        return _account(settings, past, chosen, stored, folder)


def _account(settings: Settings, past: Past, chosen: Chosen, stored: Connection | None, folder: Path) -> int:
    patient = settings.patient
    number = f"{len(chosen.runs)} run{'s' * (len(chosen.runs) != 1)}"
    out.print(f"{number} of {patient} computed again with Poise {__version__}: {folder}", soft_wrap=True)
    for file, why in sorted({(lost.entry.file, lost.why) for lost in chosen.lost.values()}):
        out.print(f"{file} {why}", soft_wrap=True, markup=False)
    if chosen.lost:
        out.print(f"Without that, {len(chosen.lost)} more cannot be computed again.")
    if stored is None or settings.store.kind != "sqlite":
        out.print("There are no stored results here to compare them with.")
        return OK
    with reading(folder / "poise.db") as computed:
        found = compare(stored, computed, key(past.wearer), {run.from_us for run in chosen.runs})
    for kind, tally in found.items():
        out.print(f"{kind}: {_words(tally, _UNITS[kind])}", soft_wrap=True, markup=False)
    same = all(tally.is_same for tally in found.values())
    out.print("All are the same bits." if same else "Not all are what was stored.")
    return OK if same else FAILED


def _words(tally: Tally, unit: str) -> str:
    parts_ = [f"{tally.same} the same"]
    if tally.differ:
        parts_.append(f"{tally.differ} differ, by at most {tally.greatest:.3g} {unit}")
    if tally.stored_only:
        parts_.append(f"{tally.stored_only} only stored")
    if tally.computed_only:
        parts_.append(f"{tally.computed_only} only computed now")
    return ", ".join(parts_) + (f" ({', '.join(sorted(tally.names))})" if tally.names else "")


def _introduce(settings: Settings, path: Path | None, fresh: Database) -> None:
    """Enter the wearer, so that the pages can show the new results."""
    journal, wearer = Journal(fresh, settings.zone), settings.wearer
    known = None if path is None else StoreReader(path, SqliteResults(path)).person(wearer)
    if known is None:
        journal.put_person(wearer)
    else:
        zone, origin, days = known.timezone, known.origin, known.injections
        journal.put_person(wearer, timezone=zone, origin=origin, injections=days)


def _usual(settings: Settings) -> Path:
    moment = datetime.fromtimestamp(parts.now_us() // 1_000_000, UTC)
    return settings.data / "recomputed" / f"{settings.site}-{settings.patient}-{moment:%Y%m%dT%H%M%S}"


def _fresh(folder: Path) -> Path:
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not empty: name a new folder with --into")
    return parts.folder(folder)


def _us(moment: datetime | None, otherwise: int) -> int:
    if moment is None:
        return otherwise
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp()) * 1_000_000
