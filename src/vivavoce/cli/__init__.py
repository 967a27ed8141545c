"""The command line: parse arguments, call the app, print."""


def main() -> None:
    """Entry point of the `vivavoce` command."""
    raise SystemExit("not built yet")
