"""The door of `poise`: also while the program is still being read from disk, Ctrl-C ends it quietly."""

import os


def main() -> None:
    """Run `poise`."""
    try:
        from poise.cli import commands

        commands.main()
    except KeyboardInterrupt:
        os._exit(130)  # half-read modules leave nothing to tidy up


if __name__ == "__main__":  # how a parent starts its workers
    main()
