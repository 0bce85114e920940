"""The command line: one file per command."""

from grounded.cli.exits import INTERRUPTED


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        from grounded.cli.app import run

        code = run()
    except KeyboardInterrupt:  # also while the first modules are being imported
        code = INTERRUPTED
    raise SystemExit(code)
