"""The commands around a clinic's broker: their options and help texts; the work is in `poise.cli.clinic`."""

from pathlib import Path
from typing import Annotated, Final

import typer

from poise.cli.running import leave, run, say
from poise.cli.settings import load
from poise.notices import Verb

broker: Final = typer.Typer(invoke_without_command=True)
gateway: Final = typer.Typer(invoke_without_command=True)

Folder = Annotated[Path | None, typer.Option(help="The broker's folder; by default in the data folder.")]
Hosts = Annotated[
    list[str] | None,
    typer.Option("--host", help="A name or address of this machine; gateways use the first."),
]
Whose = Annotated[str, typer.Argument(help="The wearer's pseudonym, for example P-0142.")]
Site = Annotated[str | None, typer.Option(help="Clinic or home; the one in the settings by default.")]


@broker.command("init")
def init(
    folder: Folder = None,
    host: Hosts = None,
    port: Annotated[int, typer.Option(help="Port for TLS.", min=1, max=65535)] = 8883,
    plain: Annotated[
        int | None, typer.Option(help="Port for plain text on 127.0.0.1; none by default.", min=1, max=65535)
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Processes of `poise ingest --workers`; each gets a name.", min=1, max=32)
    ] = 1,
) -> None:
    """Write all that Mosquitto needs for a clinic: TLS, passwords, rights. What is there stays as it is."""
    from poise.cli import clinic

    leave(say(lambda: clinic.init(clinic.folder(folder), host, port, plain, workers)))


@broker.command()
def renew(folder: Folder = None, host: Hosts = None) -> None:
    """Give the broker a new certificate, for other names if any are given; enrolments stay good."""
    from poise.cli import clinic

    leave(say(lambda: clinic.renew(clinic.folder(folder), host)))


@gateway.command()
def enrol(
    patient: Whose,
    site: Site = None,
    folder: Folder = None,
    again: Annotated[bool, typer.Option("--again", help="A new password for one that is enrolled.")] = False,
) -> None:
    """Admit a wearer's gateway at the broker, and write the file for its computer."""
    from poise.cli import clinic

    leave(say(lambda: clinic.enrol(clinic.folder(folder), clinic.wearer(patient, site), again=again)))


@gateway.command()
def revoke(patient: Whose, site: Site = None, folder: Folder = None) -> None:
    """Admit a wearer's gateway no longer; its connection ends at once."""
    from poise.cli import clinic

    leave(run(clinic.revoke(clinic.folder(folder), clinic.wearer(patient, site))))


@gateway.command("list")
def list_(folder: Folder = None) -> None:
    """Show who is admitted at the broker."""
    from poise.cli import clinic

    leave(say(lambda: clinic.show(clinic.folder(folder))))


def join(
    where: Annotated[Path, typer.Argument(help="The file of an enrolment, or a folder of them.")],
    replace: Annotated[bool, typer.Option("--replace", help="Also if it is another wearer's.")] = False,
) -> None:
    """Take an enrolment: this computer speaks to that broker from now on."""
    from poise.cli import clinic

    leave(say(lambda: clinic.join(where, replace=replace)))


def ask(
    patient: Whose,
    verb: Annotated[Verb, typer.Argument(help="What the wearer's gateway should do.")],
    sensor: Annotated[str, typer.Option(help="Address of the sensor that is meant; all by default.")] = "",
    minutes: Annotated[
        float, typer.Option(help="How long a pause or a look lasts; 0 ends one.", min=0)
    ] = 30.0,
    site: Site = None,
) -> None:
    """Ask a wearer's gateway for something, within half a minute or not at all."""
    from poise.cli import clinic

    leave(run(clinic.ask(load(), clinic.wearer(patient, site), verb, sensor, minutes)))
