"""`poise sensors …`: options and help texts; the work is in `poise.cli.person`."""

from typing import Annotated, Final

import typer

from poise.cli.options import Data, Hci, Patient, Simulated, Worn, origin, worn
from poise.cli.running import leave, run
from poise.cli.settings import load

sensors: Final = typer.Typer(help="Find sensors and say where each is worn.", no_args_is_help=True)


@sensors.command()
def scan(
    hci: Hci = "",
    seconds: Annotated[float | None, typer.Option(help="How long; until Ctrl-C by default.", min=0.1)] = None,
) -> None:
    """Show which sensors are around and how well they are heard."""
    from poise.cli.person import scanning

    leave(run(scanning.scan(load(), hci, seconds)))


@sensors.command()
def assign(
    places: Annotated[
        list[str] | None,
        typer.Argument(
            help="Where sensors are worn: head c7 t4 …; as so far, or the usual places, by default."
        ),
    ] = None,
    sensor: Annotated[list[str] | None, typer.Option(help="The address of one to choose from.")] = None,
    hci: Hci = "",
    seconds: Annotated[float, typer.Option(help="How long to listen for sensors.", min=0.1)] = 6.0,
    order: Annotated[bool, typer.Option("--order", help="By address, without asking.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Lose earlier entries without asking.")] = False,
) -> None:
    """Shake the sensor for each place in turn; poise.toml keeps which one it was."""
    from poise.cli.person import assigning

    wanted = assigning.Wanted(places or (), sensor or (), seconds, order, replace)
    leave(run(assigning.assign(load(), hci, wanted)))


@sensors.command("record")
def record_on_sensors(
    sensor: Worn = None,
    patient: Patient = None,
    data: Data = None,
    hci: Hci = "",
    simulated: Simulated = False,
    erase: Annotated[
        bool, typer.Option("--erase", help="Delete first what is in their memories and has come home.")
    ] = False,
) -> None:
    """Let Movella DOTs record into their own memories, to be worn away from the computer."""
    from poise.cli.person import recalling

    settings = load(patient=patient, data=data, sensors=worn(sensor))
    leave(run(recalling.record(settings, hci, origin(simulated), erase=erase)))


@sensors.command()
def fetch(
    patient: Patient = None,
    data: Data = None,
    hci: Hci = "",
    simulated: Simulated = False,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Do not wait for sensors that recorded at the same time.")
    ] = False,
) -> None:
    """End what `poise sensors record` began, bring it home and store it."""
    from poise.cli.person import recalling

    settings = load(patient=patient, data=data)
    leave(run(recalling.fetch(settings, hci, origin(simulated), incomplete=incomplete)))
