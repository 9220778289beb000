"""The command line: the only place where all rooms meet. `poise.cli.commands` has the commands."""
