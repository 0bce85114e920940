"""The command line: one file per command."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    from grounded.cli.app import run

    raise SystemExit(run())
