"""`hometone-coordinator replay`: repeat rounds without somebody who withdrew (docs/withdrawal.md, section 6).

1. A replay that was begun and not finished comes first: it is taken up again. One that is void, because the shared model went on without
   it, is given up.
2. Otherwise the scope is worked out and said: rounds, laptops, what it costs each speaker, how long it takes, which releases go.
3. Only then, and only after a yes, is it ordered like any campaign.
"""

import secrets
from typing import Annotated, Any, Final

import typer

from hometone_server.cli.rounds import attempt_record, follow, start
from hometone_server.cli.session import Session
from hometone_server.home import CoordinatorHome
from hometone_server.records.devices import Devices
from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_server.rounds.campaign import only_campaign
from hometone_server.rounds.journal import Campaign, CampaignState, Journal
from hometone_server.rounds.replay import Replay, is_void
from hometone_server.rounds.replay_scope import LogReading, ReplayScope, scope_of
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.errors import FederationError, HometoneError, UsageError

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
        unfinished = _unfinished(home, journal)
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
            with only_campaign(home):  # refused while it is at work
                if minimum is not None:
                    journal.change_order(unfinished.run, unfinished.order.with_minimum_cohort(minimum))
                journal.set_state(unfinished.run, CampaignState.ORDERED)
            _run(session, journal, unfinished.run, wait=wait)
            return
        with LogStore.open(home) as log:  # (2)
            read = LogReading.of(log)
            scope = scope_of(read, journal=journal, pseudonyms=tuple(dict.fromkeys(pseudonym or read.waiting())))
            values = {**_plain(scope), "laptops": len(Devices(log).directory().active), "laptops_here": _laptops_here(home)}
            lines = _words(session, scope, values, minimum=minimum)
            if dry_run:
                terminal.answer("replay", {**values, "dry_run": True}, lines=lines)
                return
            _ask(session, lines, yes=yes)
            if not scope.rounds:
                with only_campaign(home):
                    acting = Replay(log=log, releases=Releases.open(home, log), withdrawals=Withdrawals.open(home, log))
                    told = acting.withdraw(scope.withdraws, replaced_by=scope.newest, tombstones=scope.tombstones)
                terminal.answer("replay", {**values, "told": told}, lines=[told])
                return
        run = secrets.token_hex(8)
        with only_campaign(home):
            journal.add_campaign(run, scope.order(minimum_cohort=minimum))  # (3)
        _run(session, journal, run, wait=wait, extra=values)


def _unfinished(home: CoordinatorHome, journal: Journal) -> Campaign | None:
    """(1) The replay that has to be finished first; those that are void are marked as stopped."""
    with LogStore.open(home) as log:
        chain = Releases.open(home, log).chain()
    for campaign in reversed(journal.campaigns()):
        if campaign.order.replay is None or campaign.state in {CampaignState.FINISHED, CampaignState.STOPPED}:
            continue
        if not is_void(chain, campaign.run, campaign.order.replay):
            return campaign
        journal.set_state(campaign.run, CampaignState.STOPPED, told="given up: the shared model went on without it")
    return None


def _run(session: Session, journal: Journal, run: str, *, wait: bool, extra: dict[str, Any] | None = None) -> None:
    """Let it be worked through, and follow it."""
    terminal = session.terminal
    try:
        flower_run = start(session.home, run)
    except HometoneError as not_started:
        journal.set_state(run, CampaignState.FAILED, told=not_started.message)
        raise
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
