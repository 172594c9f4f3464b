"""`hometone contribute SPEAKER` and `hometone ledger SPEAKER`: her part in a shared model, and what it has cost."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from hometone_client.cli.session import PinFile, Session, Yes
from hometone_client.federation.ledger import DEFAULT_EPSILON, LARGEST_EPSILON, PrivacyLedger
from hometone_client.federation.willing import stop_contributing
from hometone_client.speakers.consent import Locale, Purpose, consent_text, give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.withdrawal.delivery import ensure_registered
from hometone_client.withdrawal.reconciliation import require_not_ended
from hometone_keys import Vault
from hometone_shared.errors import ConsentError, FederationError, ProtocolError

CONTRIBUTE_EPILOG = """\b
Examples:
  hometone contribute mei
  hometone contribute mei --budget 4 --pin-file pin.txt --yes
  hometone contribute mei --stop

Contributing means: while `hometone node` runs, this computer may open her recordings without her PIN, learn from them, and send a short
list of noised numbers of which only the sum of many people can be read. Stopping needs no PIN."""

LEDGER_EPILOG = """\b
Examples:
  hometone ledger mei
  hometone ledger mei --pin-file pin.txt --json

Epsilon bounds how much anybody could ever learn about her from all rounds together; it does not add up round by round, so what is left is
the distance to her bound and not a number of rounds."""


def contribute_with(
    room: SpeakerRoom, vault: Vault, *, locale: Locale, budget: float | None, now: dt.datetime
) -> tuple[dt.datetime, PrivacyLedger]:
    """Write down consent and budget, then let this device work for her; in this order, so that a killed process leaves her out.

    Args:
        room: Her things, unlocked.
        vault: The vault.
        locale: Language of the text that was shown.
        budget: Bound on epsilon; None keeps hers, or takes the usual one.
        now: The time, with a time zone.

    Returns:
        When the consent ends, and her ledger.

    Raises:
        UsageError: The bound makes no sense; nothing was stored.
        StorageError: The disk refuses.
    """
    ledger = PrivacyLedger(room.vault)
    if budget is not None or ledger.budget is None:
        ledger.set_budget(DEFAULT_EPSILON if budget is None else budget)
    consent = give_consent(locale=locale, now=now, purpose=Purpose.FEDERATED)
    room.keep_consent(consent)
    vault.allow_work(room.vault)
    return consent.expires, ledger


@contextmanager
def opened_for_stopping(session: Session, vault: Vault, speaker: str, *, pin_file: PinFile) -> Iterator[SpeakerRoom]:
    """Open her things without the PIN if this device may still do that; with it otherwise."""
    entry = vault.find(speaker)
    if not entry.work_allowed or entry.is_guest:
        with session.unlocked(vault, entry, pin_file=pin_file) as room:
            yield room
        return
    with SpeakerRoom(vault.unlock_for_work(entry.speaker_id)) as room:
        yield room


def _registered(session: Session, vault: Vault, speaker_id: str) -> tuple[bool, str]:
    """Whether the coordinator's log knows her now, and why not; the node tries again before every round, and leaves her out until then."""
    try:
        return ensure_registered(session.home, vault, speaker_id, purpose=Purpose.FEDERATED), ""
    except (FederationError, ProtocolError) as error:
        return False, error.message


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command(name="contribute", epilog=CONTRIBUTE_EPILOG)
    def contribute(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Who contributes.")],
        budget: Annotated[
            float | None, typer.Option(help=f"Bound on epsilon over all rounds, at most {LARGEST_EPSILON:g}; {DEFAULT_EPSILON:g} at first.")
        ] = None,
        stop: Annotated[bool, typer.Option("--stop", help="Contribute to no more rounds; needs no PIN.")] = False,
        pin_file: PinFile = None,
        yes: Yes = False,
    ) -> None:
        """Let a speaker contribute to the shared model, or stop it.

        The text of the consent is shown; --yes says that it was read out to her, or that she read it, and that she agreed.
        """
        session: Session = context.obj
        terminal = session.terminal
        if stop:
            with session.vault() as vault:
                with opened_for_stopping(session, vault, speaker, pin_file=pin_file) as room:
                    name, had_consent = room.name, stop_contributing(room)
                    still_needed = room.needs_unattended_work
                if not still_needed:
                    vault.end_work(room.speaker_id)
            line = terminal.words("contribution-stopped" if had_consent else "contribution-was-not", name=name)
            terminal.answer("contribute", {"speaker": name, "contributes": False, "had_consent": had_consent}, lines=[line])
            return
        locale: Locale = terminal.language
        terminal.text(consent_text(Purpose.FEDERATED, locale))
        if not yes and not terminal.confirm(terminal.words("ask-consent"), expected=terminal.words("yes-word"), option="--yes"):
            raise ConsentError("there was no consent, so nothing was stored", hint="nothing more is needed")
        with session.vault() as vault:
            entry = vault.find(speaker)
            with session.unlocked(vault, entry, pin_file=pin_file) as room:
                require_not_ended(session.home, vault, entry.speaker_id, purpose=Purpose.FEDERATED)
                expires, ledger = contribute_with(room, vault, locale=locale, budget=budget, now=dt.datetime.now(dt.UTC))
                values = {
                    "speaker": room.name,
                    "contributes": True,
                    "expires": expires.isoformat(),
                    "takes": len(room.take_names()),
                    **_account(ledger),
                }
            values["registered"], why_not = _registered(session, vault, entry.speaker_id)
        bound = ledger.budget.epsilon if ledger.budget else 0.0
        lines = [terminal.words("contributes", name=values["speaker"], bound=f"{bound:g}", date=expires.date().isoformat())]
        if why_not:
            lines.append(terminal.words("not-registered-yet", why=why_not))
        terminal.answer("contribute", values, lines=lines)
        terminal.hint(terminal.words("contributes-hint"))

    @app.command(name="ledger", epilog=LEDGER_EPILOG)
    def ledger(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Whose account.")],
        pin_file: PinFile = None,
    ) -> None:
        """Show what rounds have cost a speaker, and what is left of her privacy budget."""
        session: Session = context.obj
        terminal = session.terminal
        with session.speaker(speaker, pin_file=pin_file) as room:
            name, account = room.name, PrivacyLedger(room.vault)
        values = {"speaker": name, **_account(account)}
        table = Table(box=None, pad_edge=False)
        for key in ("column-time", "column-purpose", "column-round", "column-noise", "column-state"):
            table.add_column(terminal.words(key))
        for entry in account.entries:
            time = dt.datetime.fromtimestamp(entry.at, dt.UTC).isoformat(sep=" ", timespec="minutes").removesuffix("+00:00")
            table.add_row(
                time,
                terminal.words(f"purpose-{entry.purpose.value}"),
                f"{entry.run} {entry.round}.{entry.attempt}",
                f"{entry.noise_multiplier:.3g}",
                terminal.words(f"ledger-{entry.state.value}"),
            )
        if account.budget is None:
            lines = [terminal.words("no-budget", name=name)]
        else:
            spent, bound = f"{values['spent_epsilon']:.2f}", f"{account.budget.epsilon:g}"
            lines = [terminal.words("budget-spent", spent=spent, bound=bound, left=f"{values['left_epsilon']:.2f}")]
        terminal.answer("ledger", values, lines=lines, table=table if account.entries else None)


def _account(ledger: PrivacyLedger) -> dict[str, object]:
    """The documented keys about a ledger."""
    committed = ledger.committed_epsilon()
    budget = ledger.budget
    return {
        "budget": {"epsilon": budget.epsilon, "delta": budget.delta} if budget else None,
        "spent_epsilon": ledger.spent_epsilon(),
        "committed_epsilon": committed,
        "left_epsilon": max(0.0, budget.epsilon - committed) if budget else None,
        "entries": [asdict(entry) for entry in ledger.entries],
    }
