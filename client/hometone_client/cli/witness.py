"""`hometone witness run|key|trust|distrust`: somebody outside the coordinator who sees that its log only grows."""

import time
from typing import Annotated, Final

import typer

from hometone_client.cli.session import Session
from hometone_client.cli.withdraw import At, Fingerprint, coordinator_of
from hometone_client.federation.membership import FOLDER
from hometone_client.federation.witnesses import TrustedWitnesses
from hometone_client.federation.witnessing import ForkedLogError, Witness
from hometone_shared.errors import HometoneError
from hometone_shared.log.cosignature import WitnessKey

RUN_EPILOG = """\b
Examples:
  hometone witness run --home w --at voices.example.org:443 --fingerprint 4f...
  hometone witness run --home w --at voices.example.org:443 --fingerprint 4f... --once

Needs no speaker and no vault, and is of use on any computer that does not belong to the coordinator. It ends with exit code 14 when the log
does not follow from what it has seen."""
KEY_EPILOG = """\b
Examples:
  hometone witness key --home w

Made on the first call. Give the line to those who are to trust this witness."""
TRUST_EPILOG = """\b
Examples:
  hometone witness trust hometone-witness-...+1a2b3c4d+BA...

From then on this computer takes a head of the log only with a cosignature of this witness that is at most a day old."""
_EVERY_S: Final = 10.0
Name = Annotated[str | None, typer.Option("--name", help="What the witness is called, when it is made; without spaces and plus signs.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    witnesses = typer.Typer(name="witness", help="Witnesses of the coordinator's log.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(witnesses)

    @witnesses.command(name="run", epilog=RUN_EPILOG)
    def run(
        context: typer.Context,
        at: At = None,
        fingerprint: Fingerprint = None,
        once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
        every_s: Annotated[float, typer.Option("--every", help="Seconds between two looks.", min=1, max=3600)] = _EVERY_S,
        name: Name = None,
    ) -> None:
        """Watch a coordinator's log, and cosign it as long as it only grows."""
        session: Session = context.obj
        terminal = session.terminal
        witness = Witness.open(session.home, name=name)
        size, looks = 0, 0
        coordinator = coordinator_of(session, at, fingerprint)
        terminal.say("witness-begins", line=witness.public_key.text())
        try:
            while True:
                try:
                    with coordinator.records() as records:
                        size = witness.observe(records, coordinator_key=coordinator.key).size
                    looks += 1
                except ForkedLogError:
                    raise
                except HometoneError as error:
                    if once:
                        raise
                    terminal.say("witness-waits", why=error.message)
                if once:
                    break
                time.sleep(every_s)
        except KeyboardInterrupt:  # how it is meant to be stopped
            pass
        values = {"key": witness.public_key.text(), "log_size": size, "looks": looks}
        terminal.answer("witness run", values, lines=[terminal.words("witness-seen", size=size)])

    @witnesses.command(name="key", epilog=KEY_EPILOG)
    def key(context: typer.Context, name: Name = None) -> None:
        """Show this witness's public key."""
        session: Session = context.obj
        text = Witness.open(session.home, name=name).public_key.text()
        session.terminal.answer("witness key", {"key": text}, lines=[text])

    @witnesses.command(name="trust", epilog=TRUST_EPILOG)
    def trust(
        context: typer.Context,
        key: Annotated[str, typer.Argument(metavar="NAME+KEYID+KEY", help="The line that the witness shows.")],
    ) -> None:
        """Demand this witness's cosignature on every head of the log."""
        session: Session = context.obj
        folder = session.home / FOLDER
        trusted = TrustedWitnesses.load(folder).trusting(WitnessKey.parse(key.strip()))
        _keep(session, "witness trust", trusted)

    @witnesses.command(name="distrust")
    def distrust(
        context: typer.Context,
        key: Annotated[str, typer.Argument(metavar="NAME+KEYID+KEY", help="The line that the witness shows.")],
    ) -> None:
        """Demand it no longer."""
        session: Session = context.obj
        trusted = TrustedWitnesses.load(session.home / FOLDER).without(WitnessKey.parse(key.strip()))
        _keep(session, "witness distrust", trusted)


def _keep(session: Session, command: str, trusted: TrustedWitnesses) -> None:
    trusted.save(session.home / FOLDER)
    names = [witness.text() for witness in trusted.witnesses]
    lines = [session.terminal.words("witnesses-trusted", count=len(names)), *names]
    session.terminal.answer(command, {"witnesses": names}, lines=lines)
