"""`hometone-coordinator replay`: repeat rounds without somebody who withdrew (docs/withdrawal.md, section 6).

1. A replay that was begun and not finished comes first: it is taken up again. One that is void, because the shared model went on without
   it, is given up.
2. Otherwise the scope is worked out and said: rounds, laptops, what it costs each speaker, how long it takes, which releases go.
3. Only then, and only after a yes, is it ordered like any campaign.
"""

from functools import partial
from typing import Annotated, Any, Final

import typer

from hometone_server.cli.rounds import attempt_record, follow, start
from hometone_server.cli.session import Session
from hometone_server.home import CoordinatorHome
from hometone_server.records.devices import Devices
from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_server.rounds.journal import CampaignState, Journal
from hometone_server.rounds.ordering import started
from hometone_server.rounds.replay_ordering import (
    order_replay,
    replay_scope,
    take_up_replay,
    unfinished_replay,
    withdraw_without_rounds,
)
from hometone_server.rounds.replay_scope import ReplayScope
from hometone_shared.errors import FederationError, UsageError

EPILOG = """\b
Examples:
  hometone-coordinator replay --dry-run     what would be repeated for those who asked for it, and what it costs
  hometone-coordinator replay               the same, and do it after a yes; again after an interruption to go on
  hometone-coordinator replay --pseudonym 0123...   for somebody who did not ask for it

The coordinator must be running (serve), and laptops must be there (hometone node). Until it has ended nothing changes for anybody; then the
old releases are withdrawn, and every laptop deletes them with its next contact."""
_MINUTE_S: Final = 60.0


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="replay", epilog=EPILOG)
    def replay(
        context: typer.Context,
        pseudonym: Annotated[list[str] | None, typer.Option(help="Who; default: all who wish it. May be given several times.")] = None,
        minimum: Annotated[
            int | None, typer.Option("--minimum-cohort", help="Least number of laptops; default: that of the rounds.", min=2)
        ] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would do and cost, and do nothing.")] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        wait: Annotated[bool, typer.Option(help="Stay and show what happens.")] = True,
    ) -> None:
        """Repeat rounds of the shared model without somebody who withdrew."""
        session: Session = context.obj
        terminal, home = session.terminal, session.home.require()
        journal = Journal(home.rounds_db)
        with LogStore.open(home) as log:
            unfinished = unfinished_replay(journal, Releases.open(home, log))
        if unfinished is not None:  # (1)
            order = unfinished.order.replay
            values: dict[str, Any] = {"run": unfinished.run, "resumes": True, "rounds": unfinished.order.rounds}
            lines = [terminal.words("replay-resumes", run=unfinished.run, rounds=unfinished.order.rounds)]
            if pseudonym and order is not None and set(pseudonym) != set(order.pseudonyms):
                raise UsageError("another replay has not ended", hint="hometone-coordinator replay goes on with it; then order this one")
            if dry_run:
                terminal.answer("replay", {**values, "dry_run": True}, lines=lines)
                return
            _ask(session, lines, yes=yes)
            take_up_replay(home, journal, unfinished, minimum_cohort=minimum)  # refused while it is at work
            _run(session, journal, unfinished.run, wait=wait)
            return
        with LogStore.open(home) as log:  # (2)
            scope = replay_scope(log, journal, pseudonyms=pseudonym or ())
            values = {**_plain(scope), "laptops": len(Devices(log).directory().active), "laptops_here": _laptops_here(home)}
            lines = _words(session, scope, values, minimum=minimum)
            if dry_run:
                terminal.answer("replay", {**values, "dry_run": True}, lines=lines)
                return
            _ask(session, lines, yes=yes)
            if not scope.rounds:
                told = withdraw_without_rounds(home, log, scope)
                terminal.answer("replay", {**values, "told": told}, lines=[told])
                return
        run = order_replay(home, journal, scope, minimum_cohort=minimum)  # (3)
        _run(session, journal, run, wait=wait, extra=values)


def _run(session: Session, journal: Journal, run: str, *, wait: bool, extra: dict[str, Any] | None = None) -> None:
    """Let it be worked through, and follow it."""
    terminal = session.terminal
    flower_run = started(journal, run, start=partial(start, session.home))
    if not wait:
        terminal.answer("replay", {**(extra or {}), "run": run}, lines=[terminal.words("ordered", run=run)])
        return
    terminal.say("ordered", run=run)
    try:
        campaign = follow(session, journal, run, flower_run)
    except KeyboardInterrupt:
        terminal.hint(terminal.words("goes-on", run=run))
        raise
    attempts = [attempt_record(each) for each in journal.attempts(run)]
    values = {**(extra or {}), "run": run, "state": campaign.state.value, "told": campaign.told, "attempts": attempts}
    if campaign.state is not CampaignState.FINISHED:
        error = FederationError(campaign.told or "the replay was stopped", hint="go on with: hometone-coordinator replay")
        raise typer.Exit(terminal.fail("replay", error, values=values))
    terminal.answer("replay", values, lines=[terminal.words("finished", run=run, told=campaign.told)])


def _laptops_here(home: CoordinatorHome) -> int | None:
    """How many laptops are connected; None if the coordinator does not run."""
    from hometone_server.flower.runs import connected_nodes

    try:
        return connected_nodes(home)
    except FederationError:
        return None


def _plain(scope: ReplayScope) -> dict[str, Any]:
    return {
        "pseudonyms": list(scope.pseudonyms),
        "from_release": scope.restores,
        "newest_release": scope.newest,
        "rounds": [
            {
                "release": each.release,
                "plan_sha256": each.plan_sha256,
                "dimension": each.dimension,
                "noise_multiplier": each.noise_multiplier,
                "minimum_cohort": each.minimum_cohort,
                "reserved_replays": each.reserved_replays,
            }
            for each in scope.rounds
        ],
        "withdraws": list(scope.withdraws),
        "epsilon": scope.epsilon,
        "delta": scope.delta,
        "reserved": scope.is_reserved,
        "expected_seconds": None if scope.seconds is None else round(scope.seconds, 1),
        "survivors_before": scope.survivors,
    }


def _words(session: Session, scope: ReplayScope, values: dict[str, Any], *, minimum: int | None) -> list[str]:
    words = session.terminal.words
    releases = ", ".join(map(str, scope.withdraws)) or "-"
    if not scope.rounds:
        return [words("replay-no-rounds", people=len(scope.pseudonyms), releases=releases)]
    needed = max(each.minimum_cohort for each in scope.rounds) if minimum is None else minimum
    here = "?" if values["laptops_here"] is None else values["laptops_here"]
    noises = sorted({round(each.noise_multiplier, 2) for each in scope.rounds})
    minutes = "?" if scope.seconds is None else f"{scope.seconds / _MINUTE_S:.1f}"
    return [
        words("replay-scope", people=len(scope.pseudonyms), rounds=len(scope.rounds), release=scope.restores),
        words("replay-laptops", here=here, laptops=values["laptops"], needed=needed, before=scope.survivors or "?"),
        words(
            "replay-reserved" if scope.is_reserved else "replay-not-reserved",
            epsilon=f"{scope.epsilon:.2f}",
            delta=f"{scope.delta:g}",
            noise=", ".join(f"{each:g}" for each in noises),
        ),
        words("replay-time", minutes=minutes),
        words("replay-withdraws", releases=releases),
    ]


def _ask(session: Session, lines: list[str], *, yes: bool) -> None:
    """(3) Say what it means and wait for a yes.

    Raises:
        UsageError: Nobody can be asked, or the answer was no.
    """
    for text in lines:
        session.terminal.line(text)
    if yes:
        return
    if session.terminal.as_json:
        raise UsageError("a replay has to be agreed to", hint="look at it with --dry-run, then say --yes")
    if not typer.confirm(session.terminal.words("replay-ask"), err=True):
        raise UsageError("nothing was repeated")
