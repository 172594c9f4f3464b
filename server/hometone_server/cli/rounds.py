"""`hometone-coordinator round` and `status`."""

import time
from functools import partial
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from hometone_server.cli.session import Session
from hometone_server.cli.terminal import when
from hometone_server.home import CoordinatorHome
from hometone_server.records.devices import Devices
from hometone_server.records.invitations import Invitations
from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_server.rounds.journal import Attempt, Campaign, CampaignState, Journal
from hometone_server.rounds.ordering import Wishes, place, stop_all, take_up
from hometone_shared.errors import FederationError
from hometone_shared.records.plan import RoundPurpose

EPILOG = """\b
Examples:
  hometone-coordinator round --speakers 127 --rounds 10 --epsilon 4         improve the shared voice
  hometone-coordinator round --purpose balance --speakers 127 --epsilon 0.5   who takes part, as noised totals
  hometone-coordinator round --purpose evaluation --speakers 127 --epsilon 1 --roll-back   did it help, and whom
  hometone-coordinator round --purpose listening --speakers 127 --epsilon 1   what listeners say of the voices, by group
  hometone-coordinator round --resume RUN       go on after an interruption
  hometone-coordinator round --stop             stop after the attempt that is under way

The coordinator must be running (serve), and laptops must be there (hometone node). Laptops refuse what their people did not allow."""

STATUS_EPILOG = """\b
Examples:
  hometone-coordinator status
  hometone-coordinator status --json

Nothing here is about a person: laptops are counted, groups are noised and small ones are left out."""

_POLL_S: Final = 0.1
_LOST_S: Final = 20.0


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command(name="round", epilog=EPILOG)
    def round_(
        context: typer.Context,
        purpose: Annotated[RoundPurpose, typer.Option(help="What is summed.")] = RoundPurpose.MODEL,
        speakers: Annotated[int, typer.Option(help="How many people are expected; decides the dimension.", min=2)] = 20,
        rounds: Annotated[int, typer.Option(help="How many rounds.", min=1)] = 1,
        epsilon: Annotated[float, typer.Option(help="What a person may lose in all these rounds together.")] = 2.0,
        delta: Annotated[float | None, typer.Option(help="Default: 1e-5, or less for more than ten thousand people.")] = None,
        laptops: Annotated[int | None, typer.Option(help="Laptops they share; default: one each.")] = None,
        minimum: Annotated[int, typer.Option("--minimum-cohort", help="Least number of laptops.", min=2)] = 5,
        dimension: Annotated[int | None, typer.Option(help="Coordinates to learn; default: as many as are useful.", min=1)] = None,
        clip_norm: Annotated[float, typer.Option(help="Largest norm of one person's change.")] = 1.0,
        step: Annotated[float, typer.Option(help="Share of the mean that is added to the shared model.")] = 1.0,
        colluders: Annotated[int, typer.Option(help="Laptops that may be in league with the coordinator.", min=0)] = 0,
        replays: Annotated[int, typer.Option(help="How often all may be repeated without somebody who withdrew.", min=0)] = 0,
        weights: Annotated[bool, typer.Option("--weights", help="Weigh groups by the newest balance, so that none dominates.")] = False,
        roll_back: Annotated[bool, typer.Option("--roll-back", help="With evaluation: if the newest release is worse, go back.")] = False,
        prepare_s: Annotated[float, typer.Option(help="Seconds that laptops may take to make their part.")] = 1800.0,
        stage_s: Annotated[float, typer.Option(help="Seconds for every later answer.")] = 60.0,
        gather_s: Annotated[float, typer.Option(help="Seconds to wait for enough laptops.")] = 600.0,
        slot_ms: Annotated[int, typer.Option(help="Grid of time for answers that depend on private work.", min=0)] = 250,
        attempts: Annotated[int, typer.Option(help="How often a round is tried.", min=1)] = 3,
        resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a campaign that was interrupted.")] = None,
        stop: Annotated[bool, typer.Option("--stop", help="Stop the campaign that is running.")] = False,
        wait: Annotated[bool, typer.Option(help="Stay and show what happens.")] = True,
    ) -> None:
        """Order a campaign of rounds, and follow it."""
        session: Session = context.obj
        terminal = session.terminal
        home = session.home.require()
        journal = Journal(home.rounds_db)
        if stop:
            stopped = stop_all(journal)
            terminal.answer("round", {"stopped": stopped}, lines=[terminal.words("stopped", count=len(stopped))])
            return
        begin = partial(start, home)
        if resume is not None:
            placed = take_up(journal, resume, start=begin)
        else:
            wishes = Wishes(
                purpose=purpose,
                speakers=speakers,
                rounds=rounds,
                epsilon=epsilon,
                delta=delta,
                laptops=laptops,
                minimum_cohort=minimum,
                dimension=dimension,
                clip_norm=clip_norm,
                step=step,
                colluders=colluders,
                replays=replays,
                weights=weights,
                roll_back=roll_back,
                prepare_s=prepare_s,
                stage_s=stage_s,
                gather_s=gather_s,
                reply_slot_ms=slot_ms,
                attempts=attempts,
            )
            placed = place(journal, wishes.order(journal), start=begin)
        run = placed.run
        if not wait:
            terminal.answer("round", {"run": run}, lines=[terminal.words("ordered", run=run)])
            return
        terminal.say("ordered", run=run)
        try:
            campaign = follow(session, journal, run, placed.flower_run)
        except KeyboardInterrupt:
            terminal.hint(terminal.words("goes-on", run=run))
            raise
        values = {
            "run": run,
            "state": campaign.state.value,
            "told": campaign.told,
            "attempts": [attempt_record(each) for each in journal.attempts(run)],
        }
        if campaign.state is not CampaignState.FINISHED:
            error = FederationError(
                campaign.told or "the campaign was stopped", hint=f"go on with: hometone-coordinator round --resume {run}"
            )
            raise typer.Exit(terminal.fail("round", error, values=values))
        terminal.answer("round", values, lines=[terminal.words("finished", run=run, told=campaign.told)])

    @app.command(name="status", epilog=STATUS_EPILOG)
    def status(context: typer.Context) -> None:
        """Show laptops, rounds, the newest release, balance and quality by group."""
        session: Session = context.obj
        terminal = session.terminal
        home = session.home.require()
        journal = Journal(home.rounds_db)
        with LogStore.open(home) as log:
            directory = Devices(log).directory()
            newest = Releases.open(home, log).newest()
            head = log.checkpoint()
            invitations = Invitations(log).open()
        attempts = journal.attempts()
        campaigns = journal.campaigns()
        values = {
            "name": home.settings()["name"],
            "address": home.address,
            "laptops": len(directory.active),
            "revoked": len(directory.entries) - len(directory.active),
            "open_invitations": invitations,
            "release": newest.number,
            "log_size": head.size,
            "campaigns": [
                {"run": each.run, "purpose": each.order.purpose.value, "state": each.state.value, "told": each.told} for each in campaigns
            ],
            "attempts": [attempt_record(each) for each in attempts],
            "balance": _last(journal, RoundPurpose.BALANCE),
            "evaluation": _last(journal, RoundPurpose.EVALUATION),
            "listening": _last(journal, RoundPurpose.LISTENING),
        }
        lines = [
            terminal.words("status-laptops", laptops=len(directory.active), invitations=invitations),
            terminal.words("status-release", release=newest.number, size=head.size),
        ]
        table = Table(box=None, pad_edge=False)
        for key in ("column-when", "column-run", "column-purpose", "column-round", "column-state", "column-laptops", "column-told"):
            table.add_column(terminal.words(key))
        orders = {each.run: each for each in campaigns}
        for attempt in attempts:
            table.add_row(*_row(attempt, orders[attempt.run]))
        terminal.answer("status", values, lines=lines, table=table if attempts else None)


def start(home: CoordinatorHome, run: str) -> int:
    """Let the coordinator work through a campaign of the journal; Flower's number of the run."""
    from hometone_server.flower.runs import start_run

    return start_run(home, {"campaign": run})


def follow(session: Session, journal: Journal, run: str, flower_run: int) -> Campaign:
    """Show what happens until the campaign has ended, also when what runs it dies."""
    from hometone_server.flower.runs import run_state

    terminal = session.terminal
    shown: tuple[int, int, str] | None = None
    looked = time.monotonic()
    while True:
        campaign = journal.campaign(run)
        attempts = journal.attempts(run)
        if attempts:
            newest = attempts[-1]
            now = (newest.round_number, newest.attempt, newest.stage)
            if now != shown and newest.state == "open":
                shown = now
                terminal.say(
                    "stage", round=newest.round_number, rounds=campaign.order.rounds, attempt=newest.attempt, stage=newest.stage or "offer"
                )
        if campaign.state in {CampaignState.FINISHED, CampaignState.FAILED, CampaignState.STOPPED}:
            return campaign
        if time.monotonic() - looked > _LOST_S / 10:
            looked = time.monotonic()
            state = run_state(session.home, flower_run)
            if state.finished and journal.campaign(run).state in {CampaignState.ORDERED, CampaignState.RUNNING}:
                raise FederationError(
                    state.details or "what runs the rounds has died", hint=f"go on with: hometone-coordinator round --resume {run}"
                )
        time.sleep(_POLL_S)


def _last(journal: Journal, purpose: RoundPurpose) -> dict[str, Any] | None:
    found = journal.results(purpose.value)
    return found[-1] if found else None


def attempt_record(attempt: Attempt) -> dict[str, Any]:
    """Plain JSON of an attempt."""
    return {
        "run": attempt.run,
        "round": attempt.round_number,
        "attempt": attempt.attempt,
        "plan_sha256": attempt.plan_sha256,
        "state": attempt.state,
        "stage": attempt.stage,
        "began": attempt.began,
        "ended": attempt.ended,
        "figures": attempt.figures,
    }


def _row(attempt: Attempt, campaign: Campaign) -> tuple[str, ...]:
    devices = attempt.figures.get("devices", {})
    seen = " ".join(str(devices[stage]) for stage in ("offer", "roster", "mask", "survivors", "unmask") if stage in devices)
    told = attempt.figures.get("reason") or (f"release {attempt.figures['release']}" if "release" in attempt.figures else "")
    refused = attempt.figures.get("refusals") or {}
    why = ", ".join(f"{code} {count}" for code, count in sorted(refused.items()))
    return (
        when(attempt.began),
        attempt.run[:8],
        campaign.order.purpose.value,
        f"{attempt.round_number}/{campaign.order.rounds} ({attempt.attempt})",
        attempt.state,
        seen,
        "; ".join(part for part in (told, why) if part),
    )
