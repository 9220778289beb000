"""A small clinic behind its API for tests: accounts of every role, two patients, a clock that is a number."""

import atexit
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, cast
from uuid import UUID

from dashboards_fakes import FakeStore
from fastapi import FastAPI
from starlette.testclient import TestClient

from dashboards.api.application import create_api
from dashboards.api.limits import Limits
from dashboards.api.service import Service
from ingest.care.clinic import Clinic, open_clinic
from ingest.care.collecting import Collecting
from ingest.record.accounts import everybody
from ingest.record.identity import BY_HAND, Role
from ingest.record.passwords import Passwords
from ingest.record.patients import Patient, find
from poise.topics import Wearer

PASSWORD = "seven quiet herons"  # noqa: S105 - of nobody
NOW = datetime(2026, 9, 7, 9, 0, tzinfo=UTC)
OWN, OTHER = Wearer("P-0142", "north"), Wearer("P-0143", "north")
CHEAP = Passwords(1, 8, 1)


@dataclass
class ApiHouse:
    """A clinic, its application, and somebody of each role who looks after the first patient only."""

    clinic: Clinic
    app: FastAPI
    clock: list[int]
    folder: Path
    opened: ExitStack
    ids: dict[Role, UUID]

    def client(self, role: Role | None) -> TestClient:
        """Return a browser in which somebody of a role has signed in, or nobody."""
        client = self.opened.enter_context(TestClient(self.app))
        if role is not None:
            answer = client.post("/session", json={"name": role.value, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            # The cookie's path is that under which the API is mounted.
            client.headers["cookie"] = f"poise_session={answer.cookies['poise_session']}"
        return client

    def patient(self, wearer: Wearer = OWN) -> Patient:
        with self.clinic.database.reading() as session:
            return find(session, wearer)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock[0] / 1e6, UTC)

    def later(self, **more: float) -> None:
        self.clock[0] += round(timedelta(**more) / timedelta(microseconds=1))


@cache
def _app() -> FastAPI:
    """Return the application, made once; what it works with is exchanged for each test."""
    return create_api(cast("Service", None))


@cache
def _filled() -> Path:
    """Return a folder with a clinic on SQLite, made once and copied for each test."""
    folder = Path(mkdtemp(prefix="poise-api-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    clinic = open_clinic(folder, "", CHEAP)
    ids = _fill(clinic, round(NOW.timestamp() * 1e6))
    clinic.close()
    (folder / "ids.json").write_text(json.dumps({role.value: str(one) for role, one in ids.items()}))
    return folder


@contextmanager
def api_house(folder: Path, url: str = "") -> Iterator[ApiHouse]:
    clock = [round(NOW.timestamp() * 1e6)]
    if not url and not (folder / "record.db").exists():
        shutil.copytree(_filled(), folder, dirs_exist_ok=True)
    clinic = open_clinic(folder, url, CHEAP)
    with closing(clinic), ExitStack() as opened:
        if url:
            ids = _fill(clinic, clock[0])
        else:
            kept = json.loads((folder / "ids.json").read_text())
            ids = {Role(role): UUID(one) for role, one in kept.items()}
        app = _app()
        app.state.service = Service(
            clinic,
            lambda: clock[0],
            Collecting(clinic, folder, lambda: clock[0]),
            FakeStore(),
            limits=Limits(100_000),
            strangers=Limits(100_000),
        )
        yield ApiHouse(clinic, app, clock, folder, opened, ids)


def _fill(clinic: Clinic, now_us: int) -> dict[Role, UUID]:
    """Two patients; everybody's account is called like the role."""
    with clinic.database.writing() as session:
        own, other = (
            clinic.patients.add(session, BY_HAND, wearer, "Europe/Berlin", now_us) for wearer in (OWN, OTHER)
        )
    ids: dict[Role, UUID] = {}
    for role in Role:
        with clinic.database.writing() as session:
            whose = own if role is Role.PATIENT else None
            _, secret = clinic.invitations.invite(session, BY_HAND, role, whose, now_us)
        ids[role] = clinic.invitations.accept(secret, role.value, PASSWORD, "", now_us).account_id
    with clinic.database.writing() as session:
        for role in (Role.CLINICIAN, Role.THERAPIST, Role.RESEARCHER):
            clinic.patients.join(session, BY_HAND, own, ids[role], now_us)
        clinic.invitations.invite(session, BY_HAND, Role.PATIENT, other, now_us)
        assert len(everybody(session)) == len(Role)
    return ids


def path_of(wearer: Wearer, rest: str = "") -> str:
    return f"/patients/{wearer.site}/{wearer.patient}{rest}"


def injection(at: datetime = NOW, **more: Any) -> dict[str, Any]:
    site = {
        "muscle": "upper_trapezius",
        "side": "left",
        "points": 2,
        "components": [{"substance": "lidocaine", "concentration_percent": 1, "volume_ml": 1.0}],
        "twitch": True,
    }
    return {
        "at": at.isoformat(),
        "operator": "Dr. A",
        "position": "prone",
        "guidance": "palpation",
        "sites": [site],
        "pain_before": 7,
        "pain_after": 4,
    } | more


def check_in(injection_id: str, at: datetime, **more: Any) -> dict[str, Any]:
    return {"at": at.isoformat(), "injection": injection_id, "soreness": 3, "pain": 4, "signs": []} | more


def consent(at: datetime, *scopes: str, given: bool = True) -> dict[str, Any]:
    return {"at": at.isoformat(), "scopes": list(scopes), "given": given, "text_version": "1"}
