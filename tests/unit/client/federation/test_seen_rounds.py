"""No plan is answered twice, also after a crash, and the journal says what became of each."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests import plans

from hometone_client.federation.seen_rounds import FILE, SeenRounds
from hometone_shared.errors import FederationError
from hometone_shared.records.plan import RoundPlan
from hometone_shared.secagg.refusal import Refusal

DIGEST = "ab" * 32


def a_plan(**changes: Any) -> RoundPlan:
    return plans.a_plan(**{"round_number": 2, "attempt": 3, **changes})


def refused(seen: SeenRounds, plan: RoundPlan, digest: str) -> bool:
    try:
        seen.check_new(plan, digest=digest)
    except Refusal as refusal:
        return refusal.code == "replayed"
    return False


def test_a_digest_and_equal_or_later_attempts_of_a_round_are_replays(tmp_path: Path) -> None:
    seen = SeenRounds(tmp_path / "federation", clock=lambda: 42.7)
    assert not refused(seen, a_plan(), DIGEST)
    seen.record(a_plan(), digest=DIGEST)
    for journal in (seen, SeenRounds(tmp_path / "federation")):
        assert refused(journal, a_plan(attempt=9), DIGEST)
        assert refused(journal, a_plan(), "cd" * 32)
        assert refused(journal, a_plan(attempt=2), "cd" * 32)
        assert not refused(journal, a_plan(attempt=4), "cd" * 32)
        assert not refused(journal, a_plan(round_number=1, attempt=1), "cd" * 32)
        assert not refused(journal, a_plan(run="f" * 16, attempt=1), "cd" * 32)


def test_what_became_of_a_round_is_kept(tmp_path: Path) -> None:
    seen = SeenRounds(tmp_path, clock=lambda: 42.7)
    seen.record(a_plan(), digest=DIGEST)
    seen.note_outcome(DIGEST, "contributed")
    seen.record(a_plan(attempt=4), digest="cd" * 32)
    seen.note_outcome("cd" * 32, "budget")
    rounds = SeenRounds(tmp_path).rounds
    assert [(each.plan, each.attempt, each.outcome, each.at) for each in rounds] == [
        (DIGEST, 3, "contributed", 42),
        ("cd" * 32, 4, "budget", 42),
    ]


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_half_a_last_line_is_cut_off_and_the_rest_goes_on(tmp_path: Path, cut: int) -> None:
    seen = SeenRounds(tmp_path)
    seen.record(a_plan(), digest=DIGEST)
    whole = (tmp_path / FILE).read_bytes()
    seen.record(a_plan(attempt=4), digest="cd" * 32)
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:-cut])
    again = SeenRounds(tmp_path)
    assert refused(again, a_plan(), DIGEST)
    assert not refused(again, a_plan(attempt=4), "cd" * 32)
    again.record(a_plan(attempt=5), digest="ef" * 32)
    lines = path.read_bytes().splitlines(keepends=True)
    assert lines[0] == whole
    assert json.loads(lines[1])["plan"] == "ef" * 32
    assert len(SeenRounds(tmp_path).rounds) == 2


@pytest.mark.parametrize("line", [b"nonsense", b"{}", b'{"a":1}', b"", b"\xff"])
def test_a_damaged_line_stops_rounds(tmp_path: Path, line: bytes) -> None:
    seen = SeenRounds(tmp_path)
    seen.record(a_plan(), digest=DIGEST)
    path = tmp_path / FILE
    path.write_bytes(line + b"\n" + path.read_bytes())
    with pytest.raises(FederationError, match="journal"):
        SeenRounds(tmp_path)
