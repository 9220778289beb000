"""The commands of `poise`: their options and help texts; the work is in the modules beside this one.

Each command loads what it needs when it is called: all rooms together take seconds to read from disk, which
`poise --help` and the rest need not wait for.
"""

from pathlib import Path
from typing import Annotated, Final

import typer

from poise import __version__
from poise.cli import (
    archive_commands,
    clinic_commands,
    keeping_commands,
    person_commands,
    record_commands,
    sensor_commands,
    store_commands,
)
from poise.cli.options import Data, Hci, PagesPort, Patient, Script, Seed, Simulated, Worn, origin, worn
from poise.cli.running import leave, out, run, say
from poise.cli.settings import load

app: Final = typer.Typer(
    help="Posture and load of the upper back after trigger point injections, from small worn motion sensors. "
    "Research and education software: it measures and reminds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(sensor_commands.sensors, name="sensors")
app.add_typer(store_commands.store, name="store")
app.add_typer(clinic_commands.broker, name="broker")
app.add_typer(clinic_commands.gateway, name="gateway")
app.add_typer(archive_commands.archive, name="archive")
app.add_typer(person_commands.person, name="person")
app.add_typer(record_commands.admin, name="admin")
app.command("recompute")(archive_commands.recompute)
app.command("join")(clinic_commands.join)
app.command("ask")(clinic_commands.ask)
for _command in (keeping_commands.status, keeping_commands.backup, keeping_commands.restore):
    app.command()(_command)


@app.command()
def demo(
    port: PagesPort = 8080,
    headless: Annotated[
        bool, typer.Option("--headless", help="No pages; print an account at the end.")
    ] = False,
    seconds: Annotated[float | None, typer.Option(help="How long a headless run takes.", min=1)] = None,
    data: Data = None,
    script: Script = "desk",
    seed: Seed = 1,
) -> None:
    """Show everything with a simulated wearer; nothing else has to be installed or running."""
    from poise.cli import demo as demonstration

    options = demonstration.Options(data, port, script, seed, headless, seconds)
    leave(run(demonstration.demonstrate(options, load())))


@app.command()
def init(
    here: Annotated[bool, typer.Option("--here", help="In this folder, not in your own settings.")] = False,
) -> None:
    """Write a commented poise.toml to begin with."""
    from poise.cli import configuration

    file = Path(configuration.NAME) if here else configuration.new_file()

    def begin() -> None:
        configuration.begin_file(file)
        out.print(f"Written: {file}. Next: `poise sensors assign`.", soft_wrap=True)

    leave(say(begin))


@app.command()
def calibrate(
    sensor: Worn = None,
    patient: Patient = None,
    data: Data = None,
    hci: Hci = "",
    simulated: Simulated = False,
) -> None:
    """Be guided through a calibration: sit tall, bow once, and see how good it was."""
    from poise.cli.person import wear

    settings = load(patient=patient, data=data, sensors=worn(sensor))
    leave(run(wear.calibrate(settings, hci, origin(simulated))))


@app.command("wear")
def wear_(
    sensor: Worn = None,
    patient: Patient = None,
    data: Data = None,
    hci: Hci = "",
    simulated: Simulated = False,
) -> None:
    """Read the worn sensors and show what they do, what is stored where, and what to do next."""
    from poise.cli.person import wear

    settings = load(patient=patient, data=data, sensors=worn(sensor))
    leave(run(wear.wear(settings, hci, origin(simulated))))


@clinic_commands.gateway.callback()
def gateway(
    context: typer.Context,
    sensor: Worn = None,
    patient: Patient = None,
    data: Data = None,
    hci: Hci = "",
    simulated: Simulated = False,
) -> None:
    """Do what `poise wear` does as a service, without showing it; or admit gateways at a clinic's broker."""
    if context.invoked_subcommand:
        return
    from poise.cli import services

    settings = load(patient=patient, data=data, sensors=worn(sensor))
    leave(run(services.gateway(settings, hci, origin(simulated))))


@app.command("service")
def service_(
    part: Annotated[str, typer.Argument(help="Which one: gateway, ingest or pages.")] = "gateway",
) -> None:
    """Print a systemd unit that keeps the gateway, ingest or the pages running."""
    from poise.cli import service

    leave(say(lambda: out.print(service.unit(part), markup=False, soft_wrap=True, end="")))


@app.command()
def ingest(
    data: Data = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes, each with a database of its own.", min=1, max=32)
    ] = None,
    part: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Store and judge what arrives at the broker."""
    from poise.cli import services

    leave(run(services.ingest(load(data=data), workers, part)))


@app.command()
def pages(port: PagesPort = 8080, data: Data = None) -> None:
    """Serve the pages on this machine."""
    from poise.cli import services

    leave(run(services.pages(load(data=data), port)))


@clinic_commands.broker.callback()
def broker(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)] = 1883,
) -> None:
    """Run a small MQTT broker for trying out; or set up a clinic's."""
    if context.invoked_subcommand:
        return
    from poise.cli import services

    leave(run(services.broker(port)))


@app.command()
def room(
    hci: Annotated[
        str, typer.Option(help="Where a gateway finds the controller.")
    ] = "tcp-server:127.0.0.1:9100",
    control: Annotated[
        int, typer.Option(help="Port for orders such as drop and vanish; 0 for any.", min=0, max=65535)
    ] = 0,
    script: Script = "desk",
    seed: Seed = 1,
) -> None:
    """Offer virtual sensors to a gateway: poise gateway --hci tcp-client:127.0.0.1:9100 --simulated."""
    from poise.cli import services

    leave(run(services.room(hci, control, script, seed)))


@app.command()
def simulate(
    file: Annotated[Path, typer.Argument(help="The recording to write, for example day.poise.")],
    script: Script = "desk",
    seed: Seed = 1,
    seconds: Annotated[
        float | None, typer.Option(help="How long; the script's length by default.", min=1)
    ] = None,
    patient: Patient = None,
) -> None:
    """Write a recording of a simulated wearer, and the truth about it."""
    from poise.cli import data as recordings

    leave(say(lambda: recordings.simulate(file, script, seed, seconds, patient or "P-SIM")))


@app.command()
def record(
    file: Annotated[Path, typer.Argument(help="The recording to write.")], patient: Patient = None
) -> None:
    """Write what a wearer's sensors send into a recording."""
    from poise.cli import data as recordings

    leave(run(recordings.record(file, load(patient=patient))))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="The recording to play.")],
    speed: Annotated[
        float, typer.Option(help="Times as fast as it was; 0 as fast as possible.", min=0)
    ] = 1.0,
    now: Annotated[
        bool, typer.Option("--now", help="As if it happened now; else times stay as they were.")
    ] = False,
    patient: Patient = None,
    data: Data = None,
) -> None:
    """Publish a recording along the same path as worn sensors."""
    from poise.cli import data as recordings

    settings = load(data=data)
    leave(run(recordings.play(file, speed, settings, as_if_now=now, patient=patient or "")))


@app.command()
def doctor(port: PagesPort = 8080, data: Data = None) -> None:
    """Say what is there, what is missing, and what mends it."""
    from poise.cli import doctor as examination

    leave(run(examination.examine(load(data=data), port)))


@app.command()
def version() -> None:
    """Print the version."""
    out.print(__version__)


def main() -> None:
    """Run `poise`; a known error ends it with its sentence."""
    leave(say(lambda: app(standalone_mode=True)))
