"""Listening panels of a coordinator: drafts become signed panels, the newest is offered, mistakes are told."""

import json

import pytest

from hometone_server.cli.entrance import run
from hometone_server.records.panels import Panels, panel_of_draft
from hometone_shared.errors import UsageError
from hometone_shared.records.panel import Panel, Scale
from hometone_shared.records.signing import Envelope

DRAFT = {
    "title": "Spring",
    "sentences": {"zh": ["一二三。"], "mixed": ["去 shop 吧。"]},
    "scales": ["similarity", "naturalness", "preference"],
    "trials": 20,
    "traps": 2,
    "baseline": "zf_xiaobei",
}


@pytest.fixture
def answer(capsys):
    def ask(*arguments):
        code = run([*map(str, arguments), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return ask


def test_a_draft_becomes_a_signed_panel_and_the_newest_counts(home, answer, tmp_path):
    code, said = answer("panel", "--home", home.root)
    assert (code, said["panels"]) == (0, [])
    draft, out = tmp_path / "draft.json", tmp_path / "panel.json"
    draft.write_text(json.dumps(DRAFT), encoding="utf-8")
    code, said = answer("panel", "new", draft, "--out", out, "--home", home.root)
    assert code == 0
    key = Envelope.from_bytes(home.descriptor.read_bytes()).key
    panel = Panel.from_envelope(Envelope.from_bytes(out.read_bytes()), key=key)
    assert panel.scales == {Scale.NATURALNESS, Scale.SIMILARITY, Scale.PREFERENCE}
    assert said["panels"] == [panel.to_document()]
    later = panel_of_draft({**DRAFT, "title": "Later"}, made=panel.made + 5)
    panels = Panels(home)
    panels.sign(later)
    (home.panels / "broken.json").write_bytes(b"{}")
    assert [each.title for each, _ in panels.all()] == ["Later", "Spring"]
    assert Panel.from_envelope(panels.newest(), key=key).number == later.number


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": ""}, "title"),
        ({"scales": "all"}, "not a list"),
        ({"scales": [1]}, "sorted list"),
        ({"traps": 0}, "traps"),
        ({"more": 1}, "not complete"),
    ],
)
def test_a_mistake_in_a_draft_is_told(changes, words):
    with pytest.raises(UsageError, match=words):
        panel_of_draft({**DRAFT, **changes}, made=1)


@pytest.mark.parametrize("data", [b"not json", b"\xff\xfe", b"[]", b'{"title": 1}', b" " * ((1 << 20) + 1)])
def test_a_file_that_is_no_draft_is_refused(home, answer, tmp_path, data):
    draft = tmp_path / "draft.json"
    draft.write_bytes(data)
    code, said = answer("panel", "new", draft, "--home", home.root)
    assert (code, said["error"]["kind"]) == (2, "UsageError")
    assert said["error"]["hint"]
    assert answer("panel", "new", tmp_path / "none.json", "--home", home.root)[0] == 2
    assert answer("panel", "new", "--home", home.root)[0] == 2
    assert answer("panel", "list", draft, "--home", home.root)[0] == 2


def test_without_a_panel_there_is_none(home):
    with pytest.raises(UsageError, match="no listening panel"):
        Panels(home).newest()
