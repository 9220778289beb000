"""The command line: the only place where all rooms meet. `poise.cli.app` has the commands."""
