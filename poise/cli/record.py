"""The clinical record on the command line: opened for the pages, its accounts mended on the machine."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from ingest.care.clinic import Clinic, open_clinic
from ingest.care.collecting import Collecting
from ingest.care.planning import Planning
from ingest.erasing.erasure import Place
from ingest.mqtt.mosquitto import accounts
from ingest.reading import Reader
from ingest.record.database import FILE
from ingest.record.identity import BY_HAND
from poise.cli.alone import alone
from poise.cli.parts import folder, now_us
from poise.cli.running import FAILED, OK, out
from poise.cli.settings import Settings
from poise.errors import PoiseError
from poise.topics import Wearer


@contextmanager
def clinic_of(settings: Settings) -> Iterator[Clinic]:
    """Open the record that the settings name; the first administrator is made, and told, if there is none."""
    data = folder(settings.data)
    with closing(open_clinic(data, settings.record.url.get_secret_value())) as clinic:
        handed = clinic.accounts.begin(now_us())
        if handed is not None:
            _say(f"The clinical record is new. Its administrator is {handed.name}, the password for the")
            _say(f"first sign-in is {handed.password} (shown this once; `poise admin reset` gives another).")
        yield clinic


@contextmanager
def api_of(settings: Settings, reader: Reader) -> Iterator[tuple[Callable[..., Any], Planning]]:
    """Open the record and give its API, after what a death left unsaid was said, and what tells gateways."""
    from dashboards.api.application import create_api  # most of a second to read and build
    from dashboards.api.service import Service

    with (
        alone(folder(settings.data) / "record.lock", "program with the clinical record"),
        clinic_of(settings) as clinic,
    ):
        collecting = Collecting(clinic, settings.data, now_us)
        collecting.reconcile()
        planning = Planning(clinic, settings.broker.settings(accounts.PAGES), now_us)
        yield create_api(Service(clinic, now_us, collecting, reader)), planning


def erased(settings: Settings, whose: Wearer) -> Iterator[Place]:
    """Erase a person from the record, if there is one; who was erased before is erased again."""
    if not settings.record.url.get_secret_value() and not (settings.data / FILE).exists():
        return
    try:
        with clinic_of(settings) as clinic:
            collecting = Collecting(clinic, settings.data, now_us)
            gone = collecting.erase_record(BY_HAND, whose)
    except PoiseError as exc:
        yield Place("clinical record", left=f"{exc}; run this again")
        return
    yield Place("clinical record", {"patients": 1} if gone else {})


def reset(settings: Settings, name: str) -> int:
    """Give an account a password to be handed out, and end all its sessions and tokens."""
    with clinic_of(settings) as clinic:
        handed = clinic.accounts.reset(BY_HAND, name, now_us())
    _say(f"{handed.name} signs in with {handed.password} once, and must change it then.")
    _say("It is shown this once. All sessions and tokens of the account have ended.")
    return OK


def verify(settings: Settings) -> int:
    """Look through the audit; exit code 1 if a row is not as it was written."""
    with clinic_of(settings) as clinic, clinic.database.reading() as session:
        verdict = clinic.audit.verify(session)
        number, digest = clinic.audit.head(session)
    if verdict.broken_at is not None:
        _say(f"The audit is not as it was written, from its row {verdict.broken_at} on.")
        return FAILED
    _say(f"The audit's {verdict.rows} rows are as they were written. The newest is {number}, its hash")
    _say(f"{digest}: note it elsewhere, and nobody can rewrite what came before it unseen.")
    return OK


def _say(sentence: str) -> None:
    out.print(sentence, soft_wrap=True, markup=False, highlight=False)
