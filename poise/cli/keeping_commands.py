"""The commands of who keeps an ingest running: their options and help texts."""

from pathlib import Path
from typing import Annotated

import typer

from poise.cli.running import leave, out, say
from poise.cli.settings import load

Data = Annotated[Path | None, typer.Option(help="Folder for the database, spools and calibrations.")]


def status(data: Data = None) -> None:
    """Say how ingest does, what is stored of whom, and what was put aside."""
    from poise.cli import status as standing

    leave(say(lambda: standing.show(load(data=data))))


def backup(
    file: Annotated[Path, typer.Argument(help="The archive to write; it must not be there yet.")],
    data: Data = None,
) -> None:
    """Write all databases of the data folder into one file, while ingest goes on."""
    from ingest.care.restoring import packed_key
    from ingest.database.backup import back_up
    from ingest.erasing.restoring import packed
    from poise.cli import parts

    def work() -> None:
        folder = load(data=data).data
        contents = back_up(folder, file, parts.now_us(), packed(folder) | packed_key(folder))
        size = file.stat().st_size / 1e6
        out.print(f"Written: {file}, {size:.1f} MB: {', '.join(contents.sums)}.", soft_wrap=True)

    leave(say(work))


def restore(
    file: Annotated[Path, typer.Argument(help="An archive of `poise backup`.")],
    data: Data = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Move what is in the data folder aside.")
    ] = False,
) -> None:
    """Put the databases of a backup into the data folder, in which nothing may be at work."""
    from ingest.care.restoring import place_key, take_out_erased
    from ingest.database.backup import restore as put_back
    from ingest.erasing.restoring import Applied
    from poise.cli import parts
    from poise.cli.alone import nobody_in

    def work() -> None:
        folder = parts.folder(load(data=data).data)
        applied = Applied(folder, parts.now_us)

        def before(unpacked: Path) -> None:
            applied(unpacked)
            take_out_erased(unpacked, folder, parts.now_us())
            place_key(unpacked, folder)

        with nobody_in(folder):
            contents = put_back(file, folder, replace=replace, before=before)
        there = [name for name in contents.sums if (folder / name).exists()]
        out.print(f"{folder} holds {', '.join(there)} of {file} now.", soft_wrap=True)
        for sentence in applied.sentences:
            out.print(sentence, soft_wrap=True, markup=False)

    leave(say(work))
