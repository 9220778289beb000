"""The command line: the only place where all rooms meet."""


def main() -> None:
    """Run `poise`."""
