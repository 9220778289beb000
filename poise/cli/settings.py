"""Settings: `poise.toml`, then the environment (`POISE_…`), then the command line; the later wins."""

import os
import time
import tomllib
import zoneinfo
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from analytics.cues.cue import CueMode
from analytics.cues.plan import DEFAULT_CUE_PLAN, CuePlan
from ingest.mqtt.enrolment import enrolment_in, only_ours, read_enrolment, read_secret
from ingest.mqtt.settings import BrokerSettings
from ingest.results.influxdb.outbox import DEFAULT_MOST_BYTES
from poise.cli import logs, mistakes
from poise.cli.configuration import CONFIG, file_in_force, spot_of
from poise.errors import ConfigurationError, WireError
from poise.skeleton import place
from poise.topics import LONGEST_S, Wearer, valid_name

if TYPE_CHECKING:
    from ingest.results.influxdb.server import InfluxSettings


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BrokerPart(_Part):
    """Where the MQTT broker is, and who this program is there.

    Attributes:
        password_file: holds the password and nothing else; only its owner may read it.
        enrolment: what `poise broker init` and `poise gateway enrol` write: a file, or a folder with one for
            each name. It stands for all the others, of which those that are set all the same come before it.
        plain_text: speak to another machine without TLS all the same.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    embedded: bool = False
    username: str = ""
    password: SecretStr = SecretStr("")
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    enrolment: Path | None = None
    plain_text: bool = False

    def settings(self, name: str = "") -> BrokerSettings:
        """Return them as ingest wants them; `name` is who wants to be let in, where there is a choice.

        Raises:
            ConfigurationError: if a secret cannot be read or others may read it, or another machine would be
                spoken to in plain text.
        """
        wanted = {} if self.enrolment is None else _enrolled(self.enrolment, name)
        wanted |= self.model_dump(include=self.model_fields_set - {"password", "password_file", "enrolment"})
        if self.ca_file is not None:
            wanted["authority"] = ""
        if self.password.get_secret_value():
            wanted["password"] = self.password.get_secret_value()
        elif self.password_file is not None:
            wanted["password"] = read_secret(self.password_file).decode(errors="replace").strip()
        return BrokerSettings(**wanted)


def _enrolled(where: Path, name: str) -> dict[str, Any]:
    file = enrolment_in(where, name) if where.is_dir() else where
    if not file.exists():
        raise ConfigurationError(
            f"there is no enrolment {file}: `poise join` sets [broker] enrolment, to a file of `poise "
            "gateway enrol` or to the folder of enrolments that `poise broker init` names"
        )
    known = read_enrolment(file)
    return {
        "host": known.host, "port": known.port, "tls": True, "authority": known.authority,
        "username": known.username, "password": known.password,
    }  # fmt: skip


class StorePart(_Part):
    """Where results go: SQLite beside the raw samples, or InfluxDB."""

    kind: Literal["sqlite", "influxdb"] = "sqlite"
    url: str = "http://127.0.0.1:8086"
    token: str = ""
    org: str = "poise"
    bucket: str = "poise"
    keep_1s_days: int = Field(default=0, ge=0)
    keep_1m_days: int = Field(default=0, ge=0)
    keep_1h_days: int = Field(default=0, ge=0)
    outbox_mb: int = Field(default=DEFAULT_MOST_BYTES // 1_000_000, ge=1)

    def influx(self) -> "InfluxSettings":
        """Return the server's settings."""
        from ingest.results.influxdb.server import InfluxSettings  # a quarter of a second to read

        return InfluxSettings(**self.model_dump(exclude={"kind", "outbox_mb"}))


class IngestPart(_Part):
    """How ingest is watched.

    Attributes:
        metrics_port: of `/metrics`, `/healthz` and `/readyz` on 127.0.0.1; 0 for none.
    """

    metrics_port: int = Field(default=9464, ge=0, le=65535)


class GatewayPart(_Part):
    """How a gateway sends; docs/gateway.md, *Longer messages*."""

    message_s: float = Field(default=1.0, ge=1, le=LONGEST_S)


class ArchivePart(_Part):
    """When raw samples move from the database into Parquet files, and how long those are kept.

    Attributes:
        hourly: ingest does it by itself.
        after_hours: all of an hour was received so long ago.
        keep_days: after that the files are deleted; 0 for never.
    """

    hourly: bool = True
    after_hours: float = Field(default=24.0, ge=1)
    keep_days: int = Field(default=0, ge=0)


class RecordPart(_Part):
    """Where the clinical record is; docs/record.md.

    Attributes:
        url: of a PostgreSQL database, postgresql://…, with its password; "" for SQLite in the data folder.
    """

    url: SecretStr = SecretStr("")


class CuePart(_Part):
    """When the wearer is reminded; what each means stands in docs/methods.md, *Cues*."""

    mode: CueMode = CueMode.EXPOSURE
    delay_s: float = DEFAULT_CUE_PLAN.delay_s
    steady_s: float = DEFAULT_CUE_PLAN.steady_s
    varied_s: float = DEFAULT_CUE_PLAN.varied_s
    budget_per_day: int = DEFAULT_CUE_PLAN.budget_per_day
    quiet_hours: list[tuple[float, float]] = list(DEFAULT_CUE_PLAN.quiet_hours)
    first_day: date | None = None
    desktop: bool = True

    def plan(self) -> CuePlan:
        """Return them as the analytics want them.

        Raises:
            ConfigurationError: naming the field that cannot be.
        """
        first = None if self.first_day is None else (self.first_day - date(1970, 1, 1)).days
        try:
            return replace(
                DEFAULT_CUE_PLAN,
                mode=self.mode,
                delay_s=self.delay_s,
                steady_s=self.steady_s,
                varied_s=self.varied_s,
                budget_per_day=self.budget_per_day,
                quiet_hours=tuple(self.quiet_hours),
                first_day=first,
            )
        except ConfigurationError as exc:
            raise ConfigurationError(f"setting cues: {exc}") from exc


class Settings(BaseSettings):
    """All settings of a machine.

    Attributes:
        patient: pseudonym of this gateway's wearer.
        site: clinic or home.
        timezone: IANA zone of new wearers.
        data: folder for the database, spools and calibrations.
        sensors: segment by sensor address.
        cues: when the wearer is reminded.
        gateway: how the samples are sent.
        ingest: how ingest is watched.
        log_level: from which on the log says it; pseudonyms are in it only with "debug".
        archive: when raw samples are archived, and for how long.
        record: where the clinical record is.
    """

    model_config = SettingsConfigDict(
        env_prefix="POISE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    patient: str = "P-0001"
    site: str = "home"
    timezone: str = ""
    data: Path = Path(platformdirs.user_data_dir("poise", appauthor=False))
    broker: BrokerPart = BrokerPart()
    store: StorePart = StorePart()
    sensors: dict[str, str] = {}
    cues: CuePart = CuePart()
    gateway: GatewayPart = GatewayPart()
    ingest: IngestPart = IngestPart()
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    archive: ArchivePart = ArchivePart()
    record: RecordPart = RecordPart()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - given by pydantic
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line before environment before file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=file_in_force())

    @field_validator("patient", "site")
    @classmethod
    def _a_name(cls, name: str) -> str:
        try:
            return valid_name(name)
        except WireError as exc:
            raise ValueError(str(exc)) from exc

    @field_validator("sensors")
    @classmethod
    def _one_sensor_a_place(cls, sensors: dict[str, str]) -> dict[str, str]:
        for worn, number in Counter(sensors.values()).items():
            if number > 1:
                both = " and ".join(address for address, segment in sensors.items() if segment == worn)
                raise ValueError(f"{place(worn)} has {number} sensors, {both}: keep one")
        return sensors

    @property
    def wearer(self) -> Wearer:
        """The wearer of this gateway.

        Raises:
            ConfigurationError: if the names cannot stand in a topic.
        """
        try:
            return Wearer(self.patient, self.site)
        except WireError as exc:
            raise ConfigurationError(f"patient or site: {exc}") from exc

    @property
    def zone(self) -> str:
        """The time zone of new wearers: as set, else this machine's."""
        return self.timezone or local_zone()


def load(**given: Any) -> Settings:
    """Read all settings; `given` ones that are None are passed over.

    Raises:
        ConfigurationError: naming the setting and what is wrong with it.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    file = file_in_force()
    if CONFIG in os.environ and not file.is_file():
        raise ConfigurationError(
            f"{CONFIG} names {file}, which is no file: write it with `poise init`, or unset {CONFIG}"
        )
    try:
        settings = Settings(**chosen)
        if settings.broker.password.get_secret_value() and _is_in(file, "broker", "password"):
            only_ours(file)
    except ValidationError as exc:
        raise ConfigurationError(mistakes.of_setting(exc.errors()[0], Settings, file, list(chosen))) from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigurationError(mistakes.of_toml(file, exc)) from exc
    except UnicodeDecodeError as exc:
        raise ConfigurationError(mistakes.of_encoding(file, exc)) from exc
    except (OSError, SettingsError) as exc:
        raise ConfigurationError(f"the settings cannot be read: {exc} (in {file} or POISE_…)") from exc
    if settings.log_level != "warning":  # as it is without a word
        logs.set_level(settings.log_level)
    return settings


def _is_in(file: Path, *names: str) -> bool:
    return file.is_file() and spot_of(file.read_text("utf-8"), names) is not None


def local_zone() -> str:
    """Return this machine's IANA time zone, UTC if it does not say."""
    named = os.environ.get("TZ", "").lstrip(":")
    linked = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    known = zoneinfo.available_timezones()
    return next((zone for zone in (named, linked, *time.tzname) if zone in known), "UTC")
