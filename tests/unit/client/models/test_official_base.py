"""The official base voice: a checkpoint of its structure becomes the same base, and a wrong file changes nothing.

The published file is not here. What stands in for it is made out of the packages' base voice, and its structure is compared with a listing
of the published one.
"""

import dataclasses
import hashlib
import io
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from tests.unit.client.models.checkpoints import State, checkpoint

from hometone_client.base.parameters import DECODER, PROSODY, base_hash, graph_parameters, load_parameters
from hometone_client.base.runtime import BaseRuntime
from hometone_client.base.styles import stock_style
from hometone_client.models import catalogue, convert_kokoro
from hometone_client.models.assembly import MANIFEST, PinnedFile, _locate_sources
from hometone_client.models.catalogue import BASE, CATALOGUE, ENTRIES, OFFICIAL_BASE
from hometone_client.models.convert_kokoro import read_checkpoint, refill
from hometone_client.models.kokoro import graphs, store
from hometone_client.speaking import Sessions, Synthesizer
from hometone_client.text import Frontend
from hometone_client.torchbase.loading import load_torch_base
from hometone_client.voices import stock_parameters
from hometone_shared.errors import ModelError

# SHA-256 over `name [shape]`, sorted, one a line, of the 548 tensors of the published kokoro-v1_0.pth, from a listing of that file:
# github.com/ayutaz/vokra, crates/vokra-models/src/kokoro/data/upstream_tensors_v1_0.tsv.
PUBLISHED_STRUCTURE = "d7c6828bd8d2f059c85f92ce2c574bafdcb2b0aa1288a2efd08cc913a3f04814"
VOICE = "af_heart"


def pinned(path: Path) -> PinnedFile:
    """The pins of a file that stands in for the published one."""
    content = path.read_bytes()
    return dataclasses.replace(OFFICIAL_BASE.files[0], sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


def listing(folder: Path) -> dict[str, int]:
    """Every file of a model folder but locks, with its time."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.suffix != ".lock"}


def test_the_pin_is_that_of_the_published_file() -> None:
    """As the hub shows it on the page of the file, huggingface.co/hexgrad/Kokoro-82M/blob/main/kokoro-v1_0.pth."""
    (file,) = OFFICIAL_BASE.files
    assert file.sha256 == "496dba118d1a58f5f3db2efc88dbdc216e0483fc89fe6e47ee1f2c53f18ad1e4"
    assert file.size_bytes == 327_212_226
    assert OFFICIAL_BASE not in ENTRIES


def test_entries_do_not_clear_up_each_others_scratch_folders() -> None:
    names = [entry.name for entry in (*ENTRIES, OFFICIAL_BASE)]
    assert not [(a, b) for a in names for b in names if b.startswith(f"{a}-")]


def test_files_count_in_the_fingerprint_and_packages_entries_kept_theirs() -> None:
    other = dataclasses.replace(OFFICIAL_BASE, files=(dataclasses.replace(OFFICIAL_BASE.files[0], sha256="0" * 64),))
    assert other.fingerprint != OFFICIAL_BASE.fingerprint
    entry = CATALOGUE[BASE]
    parts = [entry.name, entry.recipe, "1", *(source.sha256 for source in entry.sources)]
    assert entry.fingerprint == hashlib.sha256("\n".join(parts).encode()).hexdigest()


# --- with the real graphs


@pytest.fixture(scope="module")
def packages() -> Path:
    return catalogue.packages_base()


@pytest.fixture(scope="module")
def state(packages: Path) -> State:
    return checkpoint(load_parameters(packages))


@pytest.fixture(scope="module")
def file(state: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("download") / "any name.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def models(packages: Path, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A model folder with both bases; the stand-in's pins take the place of the published file's."""
    folder = tmp_path_factory.mktemp("models")
    (folder / BASE).symlink_to(packages, target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "OFFICIAL_BASE", dataclasses.replace(OFFICIAL_BASE, files=(pinned(file),)))
        told: list[str] = []
        path = catalogue.install_official_base(file, folder=folder, progress=told.append)
        assert path == folder / OFFICIAL_BASE.name
        assert told
        yield folder


@pytest.fixture(scope="module")
def tokens() -> tuple[int, ...]:
    return next(iter(Frontend().utterances("The weather is very good.", language="en"))).tokens


@pytest.mark.models
def test_the_stand_in_has_the_structure_of_the_published_file(state: State) -> None:
    lines = sorted(f"{part}.{name} {list(tensor.shape)}" for part, tensors in state.items() for name, tensor in tensors.items())
    assert len(lines) == 548
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == PUBLISHED_STRUCTURE


@pytest.mark.models
@pytest.mark.slow
def test_the_converted_base_is_the_base_it_was_made_from(models: Path, packages: Path, tokens: tuple[int, ...]) -> None:
    official = models / OFFICIAL_BASE.name
    expected, made = load_parameters(packages), load_parameters(official)
    assert made.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(made[name], array, rtol=1e-6, atol=1e-30, err_msg=name)
    for graph in (PROSODY, DECODER):
        assert graph_parameters(official, graph) == graph_parameters(packages, graph)
        constants = [
            {t.name: numpy_helper.to_array(t) for t in onnx.load(str(folder / graph), load_external_data=False).graph.initializer
             if t.data_location != onnx.TensorProto.EXTERNAL}
            for folder in (packages, official)
        ]  # fmt: skip
        assert constants[0].keys() == constants[1].keys()
        for name, array in constants[0].items():
            np.testing.assert_allclose(constants[1][name], array, rtol=1e-6, err_msg=name)
    style = stock_style(VOICE, len(tokens))
    before, after = BaseRuntime(packages, threads=1), BaseRuntime(official, threads=1)
    spoken, again = before.prosody(tokens, style), after.prosody(tokens, style)
    np.testing.assert_array_equal(again.durations, spoken.durations)
    np.testing.assert_allclose(again.f0_hz, spoken.f0_hz, atol=0.05)
    np.testing.assert_allclose(again.energy, spoken.energy, atol=1e-3)
    np.testing.assert_allclose(again.content, spoken.content, atol=1e-4)
    sounds = [runtime.decode(spoken, style, seed=1) for runtime in (before, after)]
    assert np.sqrt(np.mean((sounds[1] - sounds[0]) ** 2)) < 1e-2 * np.sqrt(np.mean(sounds[0] ** 2))


@pytest.mark.models
@pytest.mark.slow
def test_both_bases_stand_side_by_side_and_older_voices_speak_on(models: Path, packages: Path) -> None:
    official = models / OFFICIAL_BASE.name
    assert catalogue.ensure(BASE, folder=models) == official
    assert catalogue.packages_base(folder=models) == models / BASE
    assert catalogue.official_base_is_ready(folder=models)
    assert {v.name: v.state for v in catalogue.verify_all(folder=models)}[OFFICIAL_BASE.name] == "ready"
    assert base_hash(official) != base_hash(packages)
    sessions = Sessions(models, threads=1)
    assert sessions.base_sha256 == base_hash(official)
    for base in (official, packages):
        voice = stock_parameters(VOICE, base_sha256=base_hash(base))
        assert next(iter(Synthesizer(models, voice, sessions=sessions).speak("Good.", language="en"))).samples.size
    voices = [sessions.runtime(stock_parameters(VOICE, base_sha256=base_hash(base))) for base in (official, packages)]
    assert voices[0] is not voices[1]
    with pytest.raises(ModelError, match="another base voice") as caught:
        sessions.runtime(stock_parameters(VOICE, base_sha256="00" * 32))
    assert "train the voice again" in caught.value.hint


@pytest.mark.models
@pytest.mark.slow
def test_other_numbers_reach_every_place_where_they_count(packages: Path, tmp_path: Path, tokens: tuple[int, ...]) -> None:
    """With every number changed, the graphs still compute what the torch modules compute: no constant of the old ones is left in them."""
    rng = np.random.default_rng(0)
    changed = {}
    for name, array in load_parameters(packages).items():
        spread = 0.5 if ".alpha" in name else 0.02
        changed[name] = (array * rng.uniform(1 - spread, 1 + spread, array.shape)).astype(np.float32)
    torch.save(checkpoint(changed, seed=1, data_parallel=False, parametrized=True), tmp_path / "x.pth")
    prosody, decoder = graphs(_locate_sources(CATALOGUE[BASE], ()), lambda _step: None)
    refill([prosody, decoder], read_checkpoint(tmp_path / "x.pth"))
    store(prosody, decoder, tmp_path, source_sha256="")
    stored = load_parameters(tmp_path)
    for name, array in changed.items():
        if "stft." not in name:
            np.testing.assert_allclose(stored[name], array, rtol=1e-6, atol=1e-30, err_msg=name)
    style = stock_style(VOICE, len(tokens))
    runtime, modules = BaseRuntime(tmp_path, threads=1), load_torch_base(tmp_path)
    spoken = runtime.prosody(tokens, style)
    with torch.no_grad():
        read = modules.language.read(torch.tensor([[0, *tokens, 0]]))
        encoded = modules.language.encode(read, torch.from_numpy(style)[None, 128:])
        durations = modules.language.predictor.durations(encoded)[0].round().clamp(min=1).long()
        made = modules.decoder(
            torch.from_numpy(spoken.content),
            torch.from_numpy(spoken.f0_hz)[None],
            torch.from_numpy(spoken.energy)[None],
            torch.from_numpy(style)[None, :128],
        )[0].numpy()
    np.testing.assert_array_equal(durations.numpy(), spoken.durations)
    sound = runtime.decode(spoken, style, noise_scale=0)
    assert np.corrcoef(made, sound)[0, 1] > 0.99
    plain = BaseRuntime(packages, threads=1).decode(spoken, style, noise_scale=0)
    assert np.corrcoef(plain, sound)[0, 1] < 0.9


# --- hostile files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with a packages' base of which only the presence counts."""
    made = tmp_path / "models"
    (made / BASE).mkdir(parents=True)
    (made / BASE / MANIFEST).write_text("{}", encoding="utf-8")
    return made


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x" * 1000, "was checked"),
        (b"y" * 999, "only a part"),
        (b"", "only a part"),
        (b"y" * 1001, "was checked"),
        (None, "cannot be read"),
    ],
    ids=["other", "cut short", "empty", "longer", "not there"],
)
def test_a_wrong_file_changes_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, words: str
) -> None:
    right = PinnedFile(name="kokoro-v1_0.pth", sha256=hashlib.sha256(b"y" * 1000).hexdigest(), size_bytes=1000, hint="")
    monkeypatch.setattr(catalogue, "OFFICIAL_BASE", dataclasses.replace(OFFICIAL_BASE, files=(right,)))
    if content is not None:
        (tmp_path / "x.pth").write_bytes(content)
    before = listing(folder)
    with pytest.raises(ModelError, match=words) as caught:
        catalogue.install_official_base(tmp_path / "x.pth", folder=folder)
    assert caught.value.hint
    assert str(tmp_path) not in caught.value.message + caught.value.hint
    assert listing(folder) == before
    assert catalogue.entries_here(folder=folder) == ENTRIES


def test_a_folder_is_no_file(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        catalogue.install_official_base(tmp_path, folder=folder)
    assert caught.value.hint


def test_a_damaged_official_base_is_said_and_not_silently_replaced(folder: Path) -> None:
    (folder / OFFICIAL_BASE.name).mkdir()
    with pytest.raises(ModelError, match="missing, damaged") as caught:
        catalogue.ensure(BASE, folder=folder)
    assert "--base-from" in caught.value.hint
    states = {found.name: found for found in catalogue.verify_all(folder=folder)}
    assert states[OFFICIAL_BASE.name].state == "no source"


class _Runs:
    """Unpickled by a careless reader, this would leave a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (Path.touch, (self.mark,))


def _without(state: State, part: str, name: str) -> State:
    return {p: {n: t for n, t in tensors.items() if (p, n) != (part, name)} for p, tensors in state.items()}


def _with(state: State, part: str, name: str, value: object) -> dict[str, Any]:
    return {p: ({**tensors, name: value} if p == part else tensors) for p, tensors in state.items()}


HOSTILE: dict[str, tuple[Callable[[State], object], str]] = {
    "a part missing": (lambda s: {part: tensors for part, tensors in s.items() if part != "bert"}, "not a checkpoint"),
    "a part too many": (lambda s: {**s, "optimizer": {}}, "not a checkpoint"),
    "a list": (lambda s: list(s.values()), "not a checkpoint"),
    "a part that is no dictionary": (lambda s: {**s, "bert": torch.zeros(1)}, "not a checkpoint"),
    "a name that is a number": (lambda s: _with(s, "bert", 3, torch.zeros(1)), "something else than tensors"),  # type: ignore[arg-type]
    "a value that is a text": (lambda s: _with(s, "bert", "module.x", "text"), "something else than tensors"),
    "a sparse tensor": (lambda s: _with(s, "bert", "module.x", torch.zeros(2, 2).to_sparse()), "something else than tensors"),
    "a name twice": (lambda s: _with(s, "bert_encoder", "bias", torch.zeros(512)), "twice"),
    "a tensor missing": (lambda s: _without(s, "decoder", "module.generator.ups.0.weight_v"), "lacks the tensor decoder.generator.ups.0"),
    "half an LSTM": (lambda s: _without(s, "predictor", "module.shared.bias_hh_l0_reverse"), "lacks the tensor predictor.shared"),
    "a tensor too many": (lambda s: _with(s, "decoder", "module.more", torch.zeros(1)), "unknown tensors, such as decoder.more"),
    "another shape": (lambda s: _with(s, "text_encoder", "module.embedding.weight", torch.zeros(179, 512)), "another shape"),
    "a matrix the wrong way round": (lambda s: _with(s, "bert_encoder", "module.weight", torch.zeros(768, 512)), "another shape"),
    "not a number": (lambda s: _with(s, "bert_encoder", "module.bias", torch.full((512,), torch.nan)), "not made of numbers"),
}


def small(state: State) -> State:
    """The same structure without the weight on disk: every tensor of ones, of one stored number."""
    return {part: {name: torch.ones(()).expand(tensor.shape) for name, tensor in tensors.items()} for part, tensors in state.items()}


def refused(path: Path, packages: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> ModelError:
    """Install a file with the right SHA-256 and the wrong content: the second wall behind the first."""

    def without_numbers(_sources: list[Path], _tell: object) -> tuple[onnx.ModelProto, onnx.ModelProto]:
        prosody, decoder = (onnx.load(str(packages / graph), load_external_data=False) for graph in (PROSODY, DECODER))
        return prosody, decoder

    monkeypatch.setattr(convert_kokoro, "graphs", without_numbers)
    monkeypatch.setattr(catalogue, "OFFICIAL_BASE", dataclasses.replace(OFFICIAL_BASE, files=(pinned(path),)))
    before = listing(folder)
    with pytest.raises(ModelError, match=words) as caught:
        catalogue.install_official_base(path, folder=folder)
    assert "kokoro-v1_0.pth" in caught.value.hint
    assert listing(folder) == before
    assert catalogue.entries_here(folder=folder) == ENTRIES
    return caught.value


@pytest.mark.models
@pytest.mark.parametrize("case", HOSTILE)
def test_a_checkpoint_of_another_structure_changes_nothing(
    case: str, state: State, packages: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, words = HOSTILE[case]
    torch.save(spoil(small(state)), tmp_path / "x.pth")
    refused(tmp_path / "x.pth", packages, folder, monkeypatch, words)


@pytest.mark.models
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_code_in_a_checkpoint_is_not_run(
    legacy: bool, state: State, packages: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "ran"
    content = _with(small(state), "bert", "module.x", _Runs(mark))
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=not legacy)
    refused(tmp_path / "x.pth", packages, folder, monkeypatch, "cannot be read")
    (tmp_path / "y.pth").write_bytes(pickle.dumps({"bert": _Runs(mark)}))
    refused(tmp_path / "y.pth", packages, folder, monkeypatch, "cannot be read")
    assert not mark.exists()


@pytest.mark.models
@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, -1], ids=str)
def test_a_cut_checkpoint_is_not_read(
    keep: float, state: State, packages: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    torch.save(small(state), buffer)
    content = buffer.getvalue()
    (tmp_path / "x.pth").write_bytes(content[: int(len(content) * keep) if keep == 0.5 else int(keep)])
    refused(tmp_path / "x.pth", packages, folder, monkeypatch, "cannot be read")


def test_without_torch_the_hint_says_what_to_install(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.pth").write_bytes(b"x")
    changed = dataclasses.replace(OFFICIAL_BASE, files=(pinned(tmp_path / "x.pth"),), sources=(), recipe="no_such_module:assemble")
    monkeypatch.setattr(catalogue, "OFFICIAL_BASE", changed)
    with pytest.raises(ModelError, match="needs no_such_module") as caught:
        catalogue.install_official_base(tmp_path / "x.pth", folder=folder)
    assert "run.py setup" in caught.value.hint


def test_the_catalogue_loads_neither_torch_nor_the_hub() -> None:
    code = "import sys, hometone_client.models, hometone_client.cli.doctor; print({'torch', 'huggingface_hub'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
