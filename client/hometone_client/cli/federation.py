"""`hometone join CODE` and `hometone node`: this computer at a coordinator, and its part in rounds."""

import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from hometone_client.cli.session import Session
from hometone_client.cli.sweep import upkeep
from hometone_client.cli.terminal import Terminal
from hometone_client.models import model_folder
from hometone_keys import Vault
from hometone_shared.errors import BudgetExhausted, ConsentError, FederationError, HometoneError, UsageError

if TYPE_CHECKING:
    from hometone_client.federation.membership import Membership
    from hometone_client.federation.policy import DevicePolicy

JOIN_EPILOG = """\b
Examples:
  hometone join HT1-4K7QX-...                      the code comes from whoever runs the coordinator, and is good once
  hometone join HT1-4K7QX-... --minimum-cohort 8
  hometone join --minimum-cohort 8                 change the limit later

Joining sends this computer's public keys and the code, nothing about a person. Nobody contributes before: hometone contribute NAME"""

NODE_EPILOG = """\b
Examples:
  hometone node                       until Ctrl+C
  hometone node --once                until one round has ended
  hometone node --for 3600            for an hour
  hometone node --status

A round takes a few minutes of work, less when it is not the first. This computer checks every plan against its own limits and refuses what
goes beyond them; what leaves it is noised and masked. Stopping in the middle of a round is no harm: nothing is sent, or it was sent
already."""

_PROGRESS_S: Final = 10.0
_ROUNDS_SHOWN: Final = 20
_ERRORS: Final[dict[str, type[HometoneError]]] = {"budget": BudgetExhausted, "nobody": ConsentError, "consent": ConsentError}


class Narrator:
    """Says in plain words what a node does."""

    def __init__(self, terminal: Terminal) -> None:
        """Say it at this terminal."""
        self._terminal = terminal
        self._last_s = 0.0

    def connection(self, word: str) -> None:
        """What happens to the connection."""
        self._terminal.say(f"node-{word}")

    def event(self, event: str, values: dict[str, Any]) -> None:
        """What happens in a round."""
        terminal = self._terminal
        if event == "accepted":
            plan = values["plan"]
            self._last_s = time.monotonic()
            terminal.say(
                "node-accepted",
                purpose=terminal.words(f"purpose-{plan.purpose.value}"),
                round=plan.round_number,
                attempt=plan.attempt,
                dimension=plan.dimension,
                cohort=plan.minimum_cohort,
            )
        elif event == "contributed":
            terminal.say("node-contributed", names=terminal.who(values["speakers"]))
        elif event == "refused":
            terminal.say("node-refused", code=values["code"], why=values["message"])
            terminal.hint(str(values["hint"]))
        else:
            if "speaker" in values:
                values = {**values, "speaker": terminal.who([values["speaker"]])}
            terminal.say(event if event == "contact-failed" else f"node-{event}", **values)

    def progress(self, fraction: float) -> None:
        """How far the preparation is, every ten seconds."""
        now_s = time.monotonic()
        if now_s - self._last_s >= _PROGRESS_S:
            self._last_s = now_s
            self._terminal.say("node-progress", percent=f"{min(1.0, max(0.0, fraction)):.0%}")


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command(name="join", epilog=JOIN_EPILOG)
    def join(
        context: typer.Context,
        code: Annotated[str, typer.Argument(help="The code of the invitation; leave it out to change the limit only.")] = "",
        minimum_cohort: Annotated[
            int | None, typer.Option(help="Least number of laptops in a round that this one takes part in; 5 at first.", min=2, max=100_000)
        ] = None,
    ) -> None:
        """Join a coordinator with a one-time code."""
        from hometone_client.federation import membership as memberships
        from hometone_client.federation.node import joined
        from hometone_client.federation.policy import DevicePolicy

        session: Session = context.obj
        terminal = session.terminal
        folder = session.home / memberships.FOLDER
        if not code and minimum_cohort is None:
            raise UsageError("joining takes the code of an invitation", hint="hometone join CODE")
        if not code:
            membership = joined(session.home)
        else:
            with session.vault(create=True) as vault:
                membership = memberships.join(code, home=session.home, identity=vault.device)
        if minimum_cohort is not None:
            chosen = _limits_or_usual(folder).with_minimum_cohort(minimum_cohort)
            chosen.save(folder)
        policy = DevicePolicy.load(folder)
        values = {**_coordinator(membership), "log_size": membership.log().head.size, "limits": policy.to_document()}
        lines = [terminal.words("joined", name=membership.descriptor.name, cohort=policy.minimum_cohort)]
        terminal.answer("join", values, lines=lines)
        terminal.hint(terminal.words("joined-hint"))

    @app.command(name="node", epilog=NODE_EPILOG)
    def node(
        context: typer.Context,
        once: Annotated[bool, typer.Option("--once", help="End when one round has ended.")] = False,
        longest_s: Annotated[float | None, typer.Option("--for", help="End after so many seconds.", min=0)] = None,
        status: Annotated[bool, typer.Option("--status", help="Say what is known, and end; opens no connection.")] = False,
    ) -> None:
        """Take part in the rounds of the coordinator that this computer has joined."""
        session: Session = context.obj
        with session.vault() as vault:
            if status:
                _show_status(session, vault)
                return
            with upkeep(session):
                _take_part(session, vault, once=once, longest_s=longest_s)


def _take_part(session: Session, vault: Vault, *, once: bool, longest_s: float | None) -> None:
    from hometone_client.federation.flower_node import NUMBER_FILE, NodeConnection
    from hometone_client.federation.node import joined, node_of, only_one, serve_rounds
    from hometone_client.federation.willing import willing_speakers

    terminal = session.terminal
    membership = joined(session.home)
    narrator = Narrator(terminal)
    with only_one(session.home):
        node = node_of(membership, vault, models=model_folder(), told=narrator.event, progress=narrator.progress)
        willing = [entry.name for entry in willing_speakers(vault)]
        terminal.say("node-begins", coordinator=membership.descriptor.name)
        terminal.say("node-speakers" if willing else "node-nobody", names=terminal.who(willing))
        connection = NodeConnection(
            address=membership.descriptor.address,
            authority_pem=membership.authority_pem,
            node_key=vault.device.node_key,
            number_file=membership.folder / NUMBER_FILE,
        )
        interrupted = False
        try:
            serve_rounds(node, connection, stop=threading.Event(), once=once, longest_s=longest_s, told=narrator.connection)
        except KeyboardInterrupt:  # how a node is meant to be stopped; what was in flight was dropped
            interrupted = True
    if once and interrupted:
        raise KeyboardInterrupt
    values = {"rounds": [asdict(ended) for ended in node.ended]}
    last = node.ended[-1] if node.ended else None
    if once and last is not None and last.outcome != "finished":
        error = _ERRORS.get(last.outcome, FederationError)(
            last.message or "the round did not come to its end", hint="the lines above say more"
        )
        raise typer.Exit(terminal.fail("node", error, values=values))
    finished = sum(ended.outcome == "finished" for ended in node.ended)
    terminal.answer("node", values, lines=[terminal.words("node-ended", finished=finished, others=len(node.ended) - finished)])


def _show_status(session: Session, vault: Vault) -> None:
    from hometone_client.federation.ledger import PrivacyLedger
    from hometone_client.federation.membership import FOLDER
    from hometone_client.federation.node import joined
    from hometone_client.federation.policy import DevicePolicy
    from hometone_client.federation.seen_rounds import SeenRounds
    from hometone_client.federation.willing import opened_for_round, willing_speakers

    terminal = session.terminal
    membership = joined(session.home)
    log = membership.log()
    speakers = []
    for entry in willing_speakers(vault):
        with opened_for_round(vault, entry.speaker_id) as room:
            ledger = PrivacyLedger(room.vault)
        speakers.append(
            {
                "speaker": entry.name,
                "spent_epsilon": ledger.spent_epsilon(),
                "budget_epsilon": ledger.budget.epsilon if ledger.budget else None,
            }
        )
    rounds = SeenRounds(session.home / FOLDER).rounds
    values = {
        **_coordinator(membership),
        "log_size": log.head.size,
        "log_evidence": len(log.evidence()),
        "releases": len(log.releases().releases),
        "limits": DevicePolicy.load(session.home / FOLDER).to_document(),
        "speakers": speakers,
        "rounds": [asdict(seen) for seen in rounds],
    }
    table = Table(box=None, pad_edge=False)
    for key in ("column-purpose", "column-round", "column-outcome"):
        table.add_column(terminal.words(key))
    for seen in rounds[-_ROUNDS_SHOWN:]:
        table.add_row(terminal.words(f"purpose-{seen.purpose}"), f"{seen.run} {seen.round}.{seen.attempt}", seen.outcome)
    lines = [terminal.words("node-status", coordinator=membership.descriptor.name, device=membership.device, size=log.head.size)]
    lines += [
        terminal.words(
            "node-status-speaker", name=row["speaker"], spent=f"{row['spent_epsilon']:.2f}", bound=f"{row['budget_epsilon'] or 0:g}"
        )
        for row in speakers
    ]
    if log.evidence():
        lines.append(terminal.words("log-evidence"))
    terminal.answer("node", values, lines=lines, table=table if rounds else None)


def _coordinator(membership: "Membership") -> dict[str, object]:
    """The documented keys about a coordinator."""
    return {
        "coordinator": membership.descriptor.name,
        "address": membership.descriptor.address,
        "coordinator_key": membership.coordinator_key.hex(),
        "device": membership.device,
    }


def _limits_or_usual(folder: Path) -> "DevicePolicy":
    """The limits of this laptop; the usual ones in the place of damaged ones, because they are being chosen anew."""
    from hometone_client.federation.policy import DevicePolicy

    try:
        return DevicePolicy.load(folder)
    except FederationError:
        return DevicePolicy()
