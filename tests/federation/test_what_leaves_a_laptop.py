"""What leaves a laptop in whole rounds of every purpose, byte by byte, as its process hands it to TLS.

Two laptops run the real `hometone node` against a real coordinator, each in a process that is watched (`observed_laptop`): every byte that
goes to TLS is written down, and so is, beside it, what must not be among them. Then:

* No piece of a recording (FLAC, or its samples in any encoding), of an embedding, a style, a text, a name, or of an update before its masks
  is in what was sent, plain, in base64 or in hexadecimal. The search is shown to find such pieces where they are.
* The bodies of answers are what docs/protocol.md says and nothing beside it.
* Two laptops with other people and other recordings send bodies of the same lengths in the same order: those of `push-messages` and
  `push-object`, in which a laptop's answers are. Flower's number for a laptop stands in them as a varint, whose length is the number's and
  is taken out before; the number of questions for messages, and the headers with the laptop's key and signature (whose DER form is a byte
  longer or shorter by chance), may differ.
"""

import base64
import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord
from flwr.proto.fleet_pb2 import PushMessagesRequest
from flwr.proto.message_pb2 import ObjectTree, PushObjectRequest
from tests.federation.leak_search import Sent, encodings_of, telling_piece
from tests.village import PIN, Laptop, Village, free_port, together, write_name_of_base

from hometone_client.audio import Origin, RawTake, decode
from hometone_client.federation.willing import EVALUATION, TRAINING
from hometone_client.jobs.making import enrolment
from hometone_client.models import model_folder
from hometone_client.speakers.room import SpeakerRoom
from hometone_server.home import CoordinatorHome
from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_shared.privacy.cells import CELLS, HISTOGRAM_CLIP_NORM
from hometone_shared.records.canonical import parse

pytestmark = pytest.mark.federation

HERE = Path(__file__).parent
SAMPLE = HERE.parents[1] / "sample"
STAGES = ("offer", "roster", "mask", "survivors", "unmask")
PUSHES = ("/v1/fleet/push-messages", "/v1/fleet/push-object")
CALLS = {f"/v1/fleet/{name}" for name in ("activate-node", "deactivate-node", "get-run", "pull-messages", "pull-object")} | set(PUSHES)
TWO = ("--speakers", 2, "--laptops", 2, "--minimum-cohort", 2, "--prepare-s", 300, "--stage-s", 60)
ADVERTISEMENT = {"commitment", "device", "mask_key", "seal_key", "signature", "speakers"}


@dataclass(frozen=True)
class Request:
    """One HTTP request."""

    method: str
    path: str
    body: bytes


@dataclass
class Answer:
    """One message of a laptop: its body, and the lengths of the HTTP bodies that carried it."""

    kind: str
    document: dict[str, Any]
    vector: bytes
    lengths: list[tuple[str, int]]


@dataclass
class Watched:
    """A laptop and what its process was seen to do."""

    laptop: Laptop
    folder: Path
    takes: list[Path] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.laptop.start(program=(str(HERE / "observed_laptop.py"), str(self.folder)))

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "sent.jsonl").read_text(encoding="ascii").splitlines()]

    def streams(self) -> list[bytes]:
        """What went into each connection, in order."""
        streams: dict[int, bytearray] = {}
        for line in self.lines():
            assert line["tls"], "something left without TLS"
            assert line["to"] == self.laptop.village.address
            streams.setdefault(line["connection"], bytearray()).extend(base64.b64decode(line["data"]))
        return [bytes(stream) for stream in streams.values()]

    def requests(self) -> list[Request]:
        return [request for stream in self.streams() for request in _requests(stream)]

    def answers(self) -> dict[int, list[Answer]]:
        """Flower's number of a run -> this laptop's answers in it."""
        found: dict[int, list[Answer]] = {}
        announced: tuple[int, ObjectTree] | None = None
        contents: dict[str, bytes] = {}
        lengths: list[tuple[str, int]] = []
        for request in self.requests():
            if request.path == PUSHES[0]:
                pushed = PushMessagesRequest.FromString(request.body)
                (proto,), (tree,) = pushed.messages_list, pushed.message_object_trees
                announced, contents, lengths = (proto.metadata.run_id, tree), {}, []
            elif request.path == PUSHES[1]:
                upload = PushObjectRequest.FromString(request.body)
                contents[upload.object_id] = upload.object_content
            else:
                continue
            lengths.append((request.path, _length(request)))
            if announced is not None and contents:
                ((leaf, content),) = contents.items()
                assert leaf == announced[1].children[0].children[0].object_id
                record = ConfigRecord.inflate(content)
                answer = Answer(record["kind"], parse(record["document"]), record["vector"], lengths)
                found.setdefault(announced[0], []).append(answer)
                announced = None
        assert announced is None, "a message was announced and not sent"
        return found

    def updates(self) -> list[dict[str, np.ndarray]]:
        paths = sorted(self.folder.glob("secret-*.npz"), key=lambda path: int(path.stem.partition("-")[2]))
        found = []
        for path in paths:
            with np.load(path) as arrays:
                found.append(dict(arrays))
        return found

    def noisy(self, plan_sha256: str) -> dict[str, np.ndarray]:
        (one,) = [each for each in self.updates() if "plan" in each and str(each["plan"]) == plan_sha256]
        return one

    def secrets(self) -> dict[str, bytes]:
        """What must not leave, in every encoding: name of it -> bytes."""
        found: dict[str, bytes] = {}

        def add(name: str, numbers: np.ndarray) -> None:
            found.update({f"{name} {encoding}": data for encoding, data in encodings_of(numbers).items()})

        for number, each in enumerate(self.updates()):
            for name, numbers in each.items():
                if name != "plan":
                    add(f"{name} {number}", numbers)
        for number, path in enumerate(self.takes):
            found[f"file {number}"] = path.read_bytes()
        for number, text in enumerate(self.texts):
            found[f"text {number}"] = text.encode()
            found[f"text {number} utf-16"] = text.encode("utf-16-le")
        with self.laptop.vault() as vault, SpeakerRoom(vault.unlock(self.laptop.ids[0], PIN)) as room:
            found["name"] = room.name.encode()
            found["declaration"] = room.declaration().region.encode()
            for record, take in room.recordings():
                found[f"{record.name} flac"] = room.vault.read("take", record.name)
                add(f"{record.name} samples", take.samples)
            for held_out, name in ((False, TRAINING), (True, EVALUATION)):
                checkpoint = room.checkpoint(name)
                if checkpoint.load() is not None:
                    from hometone_client.sharedmodel.preparation import prepare

                    prepared = prepare(
                        enrolment(room, held_out=held_out), models=model_folder(), checkpoint=checkpoint, told=lambda _: None
                    )
                    add(f"{name} centroid", prepared.centroid)
                    add(f"{name} style", prepared.style)
                    for number, reading in enumerate(prepared.readings):
                        add(f"{name} reading {number} pitch", reading.octaves)
                        add(f"{name} reading {number} durations", np.asarray(reading.durations))
        return found

    def words(self) -> list[str]:
        name = self.laptop.speakers[0]
        return [name, *name.split(), *self.laptop.ids, *self.texts]


def _requests(stream: bytes) -> Iterator[Request]:
    while stream:
        head, end, rest = stream.partition(b"\r\n\r\n")
        assert end, "a request without an end"
        first, *lines = head.decode("ascii").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        assert not {"transfer-encoding", "content-encoding"} & set(headers)
        length = int(headers.get("content-length", "0"))
        assert len(rest) >= length
        yield Request(method, path, rest[:length])
        stream = rest[length:]


def _length(request: Request) -> int:
    """Length of a body without the bytes of Flower's number for the laptop: in the request, and in the message."""
    kind = PushMessagesRequest if request.path == PUSHES[0] else PushObjectRequest
    pushed = kind.FromString(request.body)
    assert pushed.SerializeToString(deterministic=True) == request.body, "there are fields that nobody knows"
    pushed.node.Clear()
    for message in getattr(pushed, "messages_list", ()):
        message.metadata.src_node_id = 0
    return pushed.ByteSize()


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """A coordinator without laptops."""
    folder = tmp_path_factory.mktemp("village")
    with Village(folder, port=free_port(), models=write_name_of_base(folder / "models")) as founded:
        founded.found()
        yield founded


@pytest.fixture
def watched(village: Village) -> Iterator[Callable[..., Watched]]:
    """Makes laptops that are watched; they are sent home afterwards."""
    made: list[Watched] = []

    def watch(name: str, speaker: str, *, takes: Callable[[SpeakerRoom], None], **declared: str) -> Watched:
        laptop = village.laptop(name)
        one = Watched(laptop, village.folder / f"seen-{name}")
        one.folder.mkdir()
        laptop.enrol(speaker, takes=takes, **declared)
        made.append(one)
        return one

    yield watch
    for one in made:
        one.laptop.stop()


def random_take(seed: int, *, seconds: float) -> Callable[[SpeakerRoom], None]:
    def add(room: SpeakerRoom) -> None:
        samples = np.random.default_rng(seed).uniform(-0.3, 0.3, round(16_000 * seconds)).astype(np.float32)
        room.add_take(RawTake(samples, 16_000, Origin.FILE), text="", language="en", speech_s=seconds, quality={})

    return add


def check(village: Village, pair: list[Watched], *, purposes: tuple[str, ...]) -> None:
    """Everything that the module's first lines say, for what two laptops sent in some rounds."""
    attempts = village.status()["attempts"]
    attempts = [each for each in attempts if each["plan_sha256"] in pair[0].laptop.sent()]
    assert [each["state"] for each in attempts] == ["finished"] * len(purposes)
    secrets = {f"{one.laptop.name} {name}": data for one in pair for name, data in one.secrets().items()}
    words = [word for one in pair for word in one.words()]
    for one in pair:
        check_protocol(one, attempts)
        check_masks(one, attempts)
        check_secrets(one, secrets, words)
    check_search(secrets)
    first, second = ([answer for answers in one.answers().values() for answer in answers] for one in pair)
    assert [answer.lengths for answer in first] == [answer.lengths for answer in second]


def check_protocol(one: Watched, attempts: list[dict[str, Any]]) -> None:
    """Only known calls, and answers with the protocol's fields."""
    requests = one.requests()
    assert {request.path for request in requests if request.method == "POST"} <= CALLS | {
        "/v1/fleet/send-node-heartbeat",
        "/hometone/v1/speakers",
    }
    assert all(request.path.startswith("/hometone/v1/") and not request.body for request in requests if request.method == "GET")
    assert {request.method for request in requests} == {"GET", "POST"}
    runs = list(one.answers().values())
    assert len(runs) == len(attempts)
    for answers in runs:
        assert tuple(answer.kind for answer in answers) == STAGES
        offer, roster, mask, survivors, unmask = (answer.document for answer in answers)
        assert set(offer) == {"advertisement"}
        assert set(offer["advertisement"]) == ADVERTISEMENT
        assert (offer["advertisement"]["device"], offer["advertisement"]["speakers"]) == (one.laptop.device, 1)
        assert set(roster) == {"shares"}
        assert [len(base64.b64decode(share)) for share in roster["shares"].values()] == [114]
        assert mask == {}
        assert set(survivors) == {"signature"}
        assert set(unmask) == {"mask_key_shares", "self_mask_shares"}
        assert (len(unmask["mask_key_shares"]), len(unmask["self_mask_shares"])) == (0, 2)
        assert [bool(answer.vector) for answer in answers] == [False, False, True, False, False]


def check_masks(one: Watched, attempts: list[dict[str, Any]]) -> None:
    """Read as numbers, what was sent has nothing of the update, before or after the noise, at any place."""
    for answers, attempt in zip(one.answers().values(), attempts, strict=True):
        noisy = one.noisy(attempt["plan_sha256"])
        sent = np.frombuffer(answers[2].vector, dtype="<u4")
        assert sent.shape == noisy["noisy"].shape == noisy["clipped"].shape
        for secret in (noisy["noisy"], (noisy["clipped"] & 0xFFFFFFFF).astype(np.uint32)):
            assert not np.any(sent == secret)
            apart = (sent - secret).view(np.int32).astype(np.float64)
            # Uniform over 32 bits: the mean distance is 2^30, and with 32 numbers or more never below an eighth of it.
            assert np.mean(np.abs(apart)) > 2**27
            assert len(np.unique(apart)) == len(apart)


def check_secrets(one: Watched, secrets: dict[str, bytes], words: list[str]) -> None:
    """No piece of anything, of this laptop's or the other's."""
    streams = one.streams()
    assert sum(map(len, streams)) > 10_000
    sent = Sent(streams)
    found = {name: pieces for name, data in secrets.items() if (pieces := sent.pieces_of(data))}
    assert not found
    for word in words:
        assert not sent.holds_word(word), word


WRAPPINGS: tuple[Callable[[bytes], bytes], ...] = (
    lambda piece: piece,
    base64.b64encode,
    base64.urlsafe_b64encode,
    lambda piece: piece.hex().encode(),
    lambda piece: piece.hex().upper().encode(),
    lambda piece: base64.b64encode(json.dumps({"payload": base64.b64encode(b"x" + piece).decode()}).encode()),
)


def check_search(secrets: dict[str, bytes]) -> None:
    """Planted in the middle of a body, a piece of every one of them is found, in every wrapping."""
    pieces = {name: telling_piece(data) for name, data in secrets.items()}
    for wrap in WRAPPINGS:
        bodies = [b'POST /v1/fleet/push-object HTTP/1.1\r\n\r\n\x0a\x12{"x":"' + wrap(piece) + b'"}\x1a\x00' for piece in pieces.values()]
        planted = Sent(bodies)
        for name, piece in pieces.items():
            assert planted.pieces_of(piece), name


def test_a_balance(village, watched):
    """Without models, and so without embeddings; other recordings, of another length, and other answers about oneself."""
    pair = [
        watched("otto", "Ottokar Zwiesel", takes=random_take(1, seconds=0.4), age_band="80+", gender="man", region="Hinterkaifeck im Moos"),
        watched("mei", "Meihua Lindqvist", takes=random_take(2, seconds=0.9), settlement="urban", gender="woman", region="四川省九寨沟县"),
    ]
    village.settle(*(one.laptop for one in pair), minimum_cohort=2)
    together(*(one.start for one in pair))
    answer = village.order("--purpose", "balance", *TWO, "--epsilon", 0.5).ok()
    for one in pair:
        one.laptop.stop()
    check(village, pair, purposes=("balance",))
    (attempt,) = answer["attempts"]
    for one in pair:
        clipped = one.noisy(attempt["plan_sha256"])["clipped"]
        assert clipped.shape == (len(CELLS),)
        assert np.count_nonzero(clipped) == HISTOGRAM_CLIP_NORM**2, "what was watched is her four cells"


def sample_takes(person: str, files: list[str], held_out: list[str]) -> tuple[Callable[[SpeakerRoom], None], list[Path], list[str]]:
    with (SAMPLE / person / "takes.csv").open(encoding="utf-8", newline="") as table:
        rows = {row["file"].removesuffix(".flac"): row for row in csv.DictReader(table)}
    chosen = [rows[name] for name in (*files, *held_out)]
    paths = [SAMPLE / person / row["file"] for row in chosen]

    def add(room: SpeakerRoom) -> None:
        for path, row in zip(paths, chosen, strict=True):
            take = decode(path)
            room.add_take(
                take,
                text=row["text"],
                language=row["language"],
                speech_s=float(row["seconds"]) * 0.8,
                quality={},
                passages=((0.0, take.duration_s, row["text"]),),
                held_out=row["split"] != "enrol",
            )

    return add, paths, [row["text"] for row in chosen]


@pytest.mark.models
@pytest.mark.slow
def test_the_model_and_its_evaluation(village, watched, monkeypatch):
    """Real recordings, a real update, embeddings: a round that trains, and one that judges what came out."""
    monkeypatch.setattr(village, "models", model_folder())
    pair = []
    for person, files, held_out in (
        ("carlo", ["enrol-02"], ["heldout-18"]),
        ("allison", ["enrol-05"], ["heldout-15"]),
    ):
        add, paths, texts = sample_takes(person, files, held_out)
        one = watched(person, f"{person.capitalize()} Rotkehlchen", takes=add, age_band="45-59", region="Unterammergau am Inn")
        one.takes, one.texts = paths, texts
        pair.append(one)
    village.settle(*(one.laptop for one in pair), minimum_cohort=2)
    together(*(one.start for one in pair))
    model = village.order("--purpose", "model", *TWO, "--epsilon", 3.9, "--dimension", 48).ok()
    village.order("--purpose", "evaluation", *TWO, "--epsilon", 1).ok()
    for one in pair:
        one.laptop.stop()
    check(village, pair, purposes=("model", "evaluation"))

    (attempt,) = model["attempts"]
    assert (attempt["figures"]["survivors"], attempt["figures"]["speakers"]) == (2, 2)
    residues = sum(one.noisy(attempt["plan_sha256"])["noisy"] for one in pair)
    mean = residues.astype(np.uint32).view(np.int32) / 2**14 / 2  # C is 1; of two speakers
    home = CoordinatorHome(village.root)
    with LogStore.open(home) as log:
        released = Releases.open(home, log).coordinates(attempt["figures"]["release"])
    np.testing.assert_allclose(
        released, mean, rtol=1e-6, atol=1e-9, err_msg="the noisy vectors that were watched are those that were summed"
    )
    names = {name for one in pair for name in one.secrets()}
    for kind in ("centroid", "style", "pitch", "flac", "samples", "update", "clipped", "noisy"):
        assert any(kind in name for name in names), kind
