"""`hometone-coordinator withdrawals` and `witnesses`: how withdrawals stand, and whose word on the log counts."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from hometone_server.cli.session import Session
from hometone_server.cli.terminal import Terminal, when
from hometone_server.records.cosignatures import Cosignatures
from hometone_server.records.store import LogStore
from hometone_server.withdrawal.bundle import Filings
from hometone_server.withdrawal.states import WithdrawalState, withdrawal_states
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.errors import UsageError
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import PendingItem
from hometone_shared.withdrawal.recovery import PSEUDONYM_CHARACTERS

WITHDRAWALS_EPILOG = """\b
Examples:
  hometone-coordinator withdrawals
  hometone-coordinator withdrawals show 3f9c...     all that is known of one: who has answered, what is waited for until when

People withdraw on their laptop, or with their recovery code on this coordinator's page /hometone/withdraw. Nothing has to be done here
but, if somebody wishes it: hometone-coordinator replay."""
WITNESSES_EPILOG = """\b
Examples:
  hometone-coordinator witnesses
  hometone-coordinator witnesses --trust NAME+KEYID+KEY     as `hometone witness key` shows it on the witness's machine

As long as no witness is named, whatever looks like a cosignature is served below the head, and laptops check it. With witnesses named,
theirs alone are taken, and checked here."""


class Action(StrEnum):
    """What is shown."""

    LIST = "list"
    SHOW = "show"


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command(name="withdrawals", epilog=WITHDRAWALS_EPILOG)
    def withdrawals(
        context: typer.Context,
        action: Annotated[Action, typer.Argument(help="list or show.")] = Action.LIST,
        pseudonym: Annotated[str | None, typer.Argument(help="Whose withdrawals to show: 32 hexadecimal digits.")] = None,
    ) -> None:
        """Show who has withdrawn, who has answered, and what is still to come."""
        session: Session = context.obj
        terminal = session.terminal
        if (action is Action.SHOW) != (pseudonym is not None):
            raise UsageError("show needs a pseudonym, and list none", hint="hometone-coordinator withdrawals show PSEUDONYM")
        home = session.home.require()
        with LogStore.open(home) as log:
            service = Withdrawals.open(home, log)
            is_clean = service.scrub()
            states = withdrawal_states(service.tables, Filings.open(home, log), pseudonym=pseudonym)
        values = {"withdrawals": [state.to_document() for state in states], "files_emptied": is_clean}
        if not states:
            terminal.answer("withdrawals", values, lines=[terminal.words("withdrawals-none")])
        elif action is Action.LIST:
            terminal.answer("withdrawals", values, table=_overview(terminal, states))
        else:
            terminal.answer("withdrawals", values, lines=[line for state in states for line in _details(terminal, state)])

    @app.command(name="witnesses", epilog=WITNESSES_EPILOG)
    def witnesses(
        context: typer.Context,
        trust: Annotated[str | None, typer.Option(metavar="NAME+KEYID+KEY", help="Take the cosignatures of this witness.")] = None,
        forget: Annotated[str | None, typer.Option(metavar="NAME", help="Take them no more.")] = None,
    ) -> None:
        """Show the witnesses of the log, or say which are to be believed."""
        session: Session = context.obj
        terminal = session.terminal
        with LogStore.open(session.home.require()) as log:
            kept = Cosignatures(log)
            if trust is not None:
                kept.trust(trust)
            if forget is not None:
                kept.forget(forget)
            named, seen, size = kept.witnesses(), kept.seen(), log.checkpoint().size
        table = _table(terminal, "column-witness", "column-named", "column-seen")
        heads = dict(seen)
        for name in sorted({witness.name for witness in named} | set(heads)):
            is_named = any(witness.name == name for witness in named)
            table.add_row(name, terminal.words("yes" if is_named else "no"), f"{heads.get(name, 0)} / {size}")
        values = {
            "named": [witness.text() for witness in named],
            "seen": [{"name": name, "size": head} for name, head in seen],
            "size": size,
        }
        terminal.answer("witnesses", values, table=table)


def _table(terminal: Terminal, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for key in columns:
        table.add_column(terminal.words(key))
    return table


def _overview(terminal: Terminal, states: Sequence[WithdrawalState]) -> Table:
    table = _table(terminal, "column-pseudonym", "column-received", "column-answered", "column-pending", "column-shared-model")
    table.columns[0].no_wrap, table.columns[0].min_width = True, PSEUDONYM_CHARACTERS  # whole, because `show` asks for it
    for state in states:
        pending = terminal.words("list-comma").join(_waiting(terminal, item) for item in state.pending)
        treatment = "" if state.treatment is None else terminal.words(f"treatment-{state.treatment.treatment.value}")
        table.add_row(state.filed.pseudonym, when(state.withdrawal.received), str(len(state.answers)), pending or "-", treatment)
    return table


def _details(terminal: Terminal, state: WithdrawalState) -> list[str]:
    content = state.withdrawal.content
    comma = terminal.words("list-comma")
    ending = [Purpose.OWN_VOICE] if content.ends(Purpose.OWN_VOICE) else sorted(content.scope)
    lines = [
        terminal.words("withdrawal-head", pseudonym=content.pseudonym, sequence=content.sequence, received=when(state.withdrawal.received)),
        terminal.words("withdrawal-scope", scope=comma.join(terminal.words(f"purpose-{purpose.value}") for purpose in ending)),
    ]
    if (model := state.treatment) is not None:
        figures = {"rounds": model.rounds, "epsilon": f"{model.epsilon:g}", "delta": f"{model.delta:g}"}
        lines.append(terminal.words("withdrawal-model", treatment=terminal.words(f"treatment-{model.treatment.value}"), **figures))
    for each in state.answers:
        removed = comma.join(f"{terminal.words(f'removed-{kind.value}')} {count}" for kind, count in each.content.removed.items())
        role = terminal.words(f"role-{each.content.role.value}")
        lines.append(terminal.words("withdrawal-answer", role=role, device=each.device, at=when(each.content.at), removed=removed or "-"))
    waiting = [terminal.words("withdrawal-waits", what=_waiting(terminal, item)) for item in state.pending]
    return [*lines, *(waiting or [terminal.words("withdrawal-done")])]


def _waiting(terminal: Terminal, item: PendingItem) -> str:
    what = terminal.words(f"pending-{item.what.value}")
    return what if item.until is None else terminal.words("until", what=what, until=when(item.until))
