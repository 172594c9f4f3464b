"""Messages between a coordinator and laptops: real processes, TLS on loopback."""

import json
import os
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import httpx
import pytest

from hometone_server.certificates import Certificates
from hometone_server.flower.bundle import bundle_sha256
from hometone_server.flower.runs import list_runs, register_node, start_run, stop_run, unregister_node
from hometone_shared.errors import FederationError, ProtocolError, UsageError

HERE = Path(__file__).parent
BUNDLE = HERE / "bundle"
STAGES = ("offer", "roster", "mask", "survivors", "unmask")


def test_three_laptops_answer_five_stages(coordinator):
    laptops = [coordinator.laptop(trace=True) for _ in range(3)]
    for laptop in laptops:
        laptop.wait_for("told", value="connected")
    result = coordinator.run(
        [{"kind": kind, "document": {"answer": {"stage": kind}}, "vector_bytes": 4096 if kind == "mask" else 0} for kind in STAGES], nodes=3
    )
    for kind, stage in zip(STAGES, result["stages"], strict=True):
        assert len(stage["answers"]) == 3
        for answer in stage["answers"].values():
            assert answer["kind"] == kind
            assert answer["length"] == (4096 if kind == "mask" else 0)
            assert answer["document"] == {
                "answer": {"stage": kind},
                "config": ["script"],
                "fab": bundle_sha256(BUNDLE),
                "task": "flwr-serverapp",
            }
    assert set(result["keys"].values()) == {laptop.identity.public_node_key().decode() for laptop in laptops}
    coordinator.send_home(*laptops)
    for laptop in laptops:
        ending = laptop.wait_for("stopped")
        assert ending["loaded"] == []
        paths = {request["path"] for request in ending["sent"]}
        assert "/v1/fleet/get-fab" not in paths
        assert "/v1/fleet/confirm-message-received" not in paths
        assert not (laptop.folder / "bundle-was-executed").exists()
        assert (laptop.folder / "errors").read_text() == ""


def test_answers_of_one_length_are_one_length_on_the_wire(coordinator):
    laptops = [coordinator.laptop(trace=True)]
    for laptop in laptops:
        laptop.wait_for("told", value="connected")
    documents = [{"answer": {"secret": letter * 40}} for letter in ("a", "z")]
    result = coordinator.run([{"kind": "offer", "document": document, "vector_bytes": 400} for document in documents], nodes=1)
    assert all(len(stage["answers"]) == 1 for stage in result["stages"])
    coordinator.send_home(*laptops)
    for laptop in laptops:
        sent = laptop.wait_for("stopped")["sent"]
        pushed = [request["up"] for request in sent if request["path"] in {"/v1/fleet/push-object", "/v1/fleet/push-messages"}]
        assert len(pushed) == 4
        assert pushed[:2] == pushed[2:]
        pulled = [request["down"] for request in sent if request["path"] == "/v1/fleet/pull-object"]
        assert len(pulled) == 2
        assert pulled[0] == pulled[1]


def test_refusals_and_failures_come_back_without_anything_private(coordinator):
    laptops = [coordinator.laptop(does=does) for does in ("refuse", "fail", "echo")]
    for laptop in laptops:
        laptop.wait_for("told", value="connected")
    result = coordinator.run([{"kind": "offer", "document": {}}, {"kind": "roster", "document": {}}], nodes=3)
    for kind, stage in zip(("offer", "roster"), result["stages"], strict=True):
        answers = {(answer["kind"], answer["document"].get("message", "")) for answer in stage["answers"].values()}
        assert answers == {(kind, ""), ("refusal", "not today"), ("refusal", "the laptop could not answer")}
    coordinator.send_home(*laptops)


def test_the_round_does_not_wait_for_a_laptop_that_sleeps(coordinator):
    laptops = [coordinator.laptop(), coordinator.laptop(does="sleep", sleep_s=3)]
    for laptop in laptops:
        laptop.wait_for("told", value="connected")
    late, enough = coordinator.run(
        [{"kind": "offer", "document": {}, "timeout_s": 1.5}, {"kind": "roster", "document": {}, "timeout_s": 20, "enough": 1}], nodes=2
    )["stages"]
    assert len(late["answers"]) == len(enough["answers"]) == 1
    assert 1.4 < late["seconds"] < 2.5
    assert enough["seconds"] < 2.5
    coordinator.send_home(*laptops)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"registered": False}, "the coordinator does not know this laptop, or has revoked it"),
        ({"clock_offset_s": 60.0}, "this laptop's clock is 60 seconds ahead of the coordinator's"),
        ({"clock_offset_s": -1000.0}, "this laptop's clock is 1000 seconds behind the coordinator's"),
        ({"address": "127.0.0.1:1"}, "the coordinator cannot be reached"),
    ],
)
def test_why_a_laptop_cannot_connect_is_said_in_words(coordinator, options, message):
    laptop = coordinator.laptop(**options)
    told = laptop.wait_for("error")
    assert told["kind"] == "FederationError"
    words = message.split()
    number = next((int(word) for word in words if word.isdigit()), None)
    said = told["error"].split()
    if number is not None:
        seconds = next(int(word) for word in said if word.isdigit())
        assert abs(seconds - number) <= 2
        said = [word if not word.isdigit() else str(number) for word in said]
    assert said == words
    assert laptop.process.wait(10) == 15
    laptop.end()
    coordinator.laptops.remove(laptop)


def test_another_authority_is_not_trusted(coordinator, tmp_path):
    other = Certificates(tmp_path)
    other.create("127.0.0.1")
    laptop = coordinator.laptop(authority=other.authority.read_bytes())
    assert "the certificate is not the pinned one" in laptop.wait_for("error")["error"]
    laptop.end()
    coordinator.laptops.remove(laptop)


def test_a_revoked_key_never_comes_back(coordinator):
    laptop = coordinator.laptop()
    laptop.wait_for("told", value="connected")
    key = laptop.identity.public_node_key()
    again = register_node(coordinator.home, key)
    assert register_node(coordinator.home, key) == again
    unregister_node(coordinator.home, key)
    unregister_node(coordinator.home, key)
    assert laptop.wait_for("error", timeout_s=5)["error"] == "the coordinator does not know this laptop, or has revoked it"
    with pytest.raises(FederationError, match="revoked"):
        register_node(coordinator.home, key)
    with pytest.raises(ProtocolError):
        register_node(coordinator.home, b"ssh-ed25519 AAAA")
    laptop.end()
    coordinator.laptops.remove(laptop)


def test_the_public_port_answers_nothing_but_fleet_calls(coordinator):
    authority = str(coordinator.folder.certificates.authority)
    paths = [
        "/",
        "/docs",
        "/openapi.json",
        "/v1/control/start-run",
        "/v1/control/list-nodes",
        "/v1/control/register-node",
        "/v1/runtime/acquire-task",
        "/v1/runtime/push-messages",
        "/v1/fleet/register-node",
        "/v1/fleet/unregister-node",
        "/v1/fleet/get-fab",
        "/v1/fleet/confirm-message-received",
        "/v1/fleet/pull-messages/",
        "/v1/fleet/../control/start-run",
        "/v1/fleet/%2e%2e/control/start-run",
        "/V1/fleet/pull-messages",
        "//v1/control/start-run",
        "/hometone/v1/log/checkpoint",
    ]
    import ssl

    with httpx.Client(verify=ssl.create_default_context(cafile=authority), trust_env=False) as client:
        assert client.get(f"{coordinator.url}/health").status_code == 200
        for path in paths:
            for method in ("GET", "POST"):
                assert client.request(method, coordinator.url + path, content=b"").status_code == 404, path
        assert client.get(f"{coordinator.url}/v1/fleet/pull-messages").status_code == 404
        unsigned = client.post(f"{coordinator.url}/v1/fleet/pull-messages", content=b"", headers={"content-type": "application/protobuf"})
        assert unsigned.status_code == 401
        large = client.post(f"{coordinator.url}/v1/fleet/pull-messages", content=bytes(2 << 20))
        assert large.status_code == 413
        loopback = f"https://127.0.0.1:{coordinator.folder.listeners().loopback_port}"
        for headers in ({}, {"hometone-control": "0" * 64}):
            assert client.post(f"{loopback}/v1/control/list-nodes", content=b"", headers=headers).status_code == 404
        assert client.post(f"{loopback}/v1/fleet/pull-messages", content=b"").status_code == 404
        acquire = client.post(f"{loopback}/v1/runtime/acquire-task", content=b"", headers={"content-type": "application/protobuf"})
        assert acquire.status_code in {401, 403, 428, 400, 412}, acquire.text


def test_a_run_of_another_bundle_is_not_run(coordinator, tmp_path):
    other = tmp_path / "bundle"
    shutil.copytree(BUNDLE, other, ignore=shutil.ignore_patterns("__pycache__"))
    (other / "exchange_trial" / "extra.py").write_text("# reads all recordings\n")
    run_id, out = coordinator.begin([], nodes=0, bundle=other)
    state = coordinator.finish(run_id)
    assert (state.ending, state.details) == ("failed", "the run was started with another bundle")
    assert not out.exists()
    assert list_runs(coordinator.home)[0] == state
    with pytest.raises(UsageError):
        start_run(coordinator.home, {"unheard-of": "1"}, bundle=BUNDLE)


def test_a_changed_bundle_shows_in_what_laptops_are_told(coordinator, tmp_path):
    other = tmp_path / "bundle"
    shutil.copytree(BUNDLE, other, ignore=shutil.ignore_patterns("__pycache__"))
    (other / "exchange_trial" / "extra.py").write_text("# reads all recordings\n")
    laptop = coordinator.laptop()
    laptop.wait_for("told", value="connected")
    coordinator.programs["executor"].end()
    coordinator.start_executor(other)
    try:
        stage = coordinator.run([{"kind": "offer", "document": {}}], nodes=1, bundle=other)["stages"][0]
    finally:
        coordinator.programs["executor"].end()
        coordinator.start_executor()
    (answer,) = stage["answers"].values()
    assert answer["document"]["fab"] == bundle_sha256(other) != bundle_sha256(BUNDLE)
    coordinator.send_home(laptop)


def test_a_run_can_be_stopped(coordinator, tmp_path):
    laptop = coordinator.laptop(does="sleep", sleep_s=1.5)
    laptop.wait_for("told", value="connected")
    note = tmp_path / "sent"
    run_id, _ = coordinator.begin([{"kind": "offer", "document": {}, "timeout_s": 60, "note": str(note)}], nodes=1)
    until = time.monotonic() + 20
    while not note.exists() and time.monotonic() < until:
        time.sleep(0.02)
    stop_run(coordinator.home, run_id)
    stop_run(coordinator.home, run_id)
    assert coordinator.finish(run_id).ending == "stopped"
    # The executor is free again, and the laptop, whose answer nobody wants, goes on.
    answers = coordinator.run([{"kind": "offer", "document": {}}], nodes=1)["stages"][0]["answers"]
    assert len(answers) == 1
    coordinator.send_home(laptop)


def test_killed_superlink_comes_back_and_so_do_laptops_and_the_run(coordinator, tmp_path):
    laptops = [coordinator.laptop(does="sleep", sleep_s=1.5) for _ in range(2)]
    for laptop in laptops:
        laptop.wait_for("told", value="connected")
    note = tmp_path / "sent"
    run_id, out = coordinator.begin([{"kind": "offer", "document": {"answer": {}}, "note": str(note), "timeout_s": 40}], nodes=2)
    until = time.monotonic() + 20
    while not note.exists() and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.6)
    os.kill(coordinator.programs["superlink"].process.pid, signal.SIGKILL)
    coordinator.programs["superlink"].end()
    coordinator.start_superlink()
    # Flower fails a run whose process it loses sight of; this one's is still there, asks on, and gets its answers.
    assert coordinator.finish(run_id).ending == "completed"
    assert len(json.loads(out.read_text())["stages"][0]["answers"]) == 2
    assert len(coordinator.run([{"kind": "roster", "document": {}}], nodes=2)["stages"][0]["answers"]) == 2
    coordinator.send_home(*laptops)


def test_killed_executor_comes_back(coordinator):
    laptop = coordinator.laptop()
    laptop.wait_for("told", value="connected")
    os.kill(coordinator.programs["executor"].process.pid, signal.SIGKILL)
    coordinator.programs["executor"].end()
    run_id, _ = coordinator.begin([{"kind": "offer", "document": {}}], nodes=1)
    coordinator.start_executor()
    assert coordinator.finish(run_id).ending == "completed"
    coordinator.send_home(laptop)


def test_a_large_vector_arrives_whole_and_leaves_the_database(coordinator):
    laptop = coordinator.laptop()
    laptop.wait_for("told", value="connected")
    size = 4 * 300_000
    stage = coordinator.run([{"kind": "mask", "document": {}, "vector_bytes": size}], nodes=1)["stages"][0]
    assert [answer["length"] for answer in stage["answers"].values()] == [size]
    list_runs(coordinator.home)
    with sqlite3.connect(f"file:{coordinator.folder.database}?mode=ro", uri=True) as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        held = [
            database.execute(f"select count(*) from {name}").fetchone()[0] for name in tables if "object" in name and "lock" not in name
        ]
    database.close()
    assert not any(held), dict(zip(tables, held, strict=False))
    coordinator.send_home(laptop)


def test_logs_name_nobody(coordinator):
    texts = [path.read_text() for path in coordinator.home.logs.iterdir()]
    assert any("listening" in text for text in texts)
    for text in texts:
        assert "BEGIN" not in text
        assert "ecdsa" not in text
        assert "127.0.0.1" not in text
        assert str(coordinator.home.root) not in text
    for name in ("superlink.err", "executor.err"):
        assert (coordinator.work / name).read_text() == ""
