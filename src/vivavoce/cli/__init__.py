"""The command line: parse arguments, call the app, print."""


def main() -> None:
    """Entry point of the `vivavoce` command."""
    from vivavoce.cli.root import app

    app()
