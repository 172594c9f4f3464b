"""`hometone evaluate VOICE`: how near, how clear, how natural, beside the real takes."""

import typer

EPILOG = ""


def register(app: typer.Typer) -> None:
    """Add the command."""
