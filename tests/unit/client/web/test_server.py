"""The server on real loopback: streaming, leaving clients, many clients, and that it cannot be reached from elsewhere."""

import socket
import stat
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import uvicorn
from desk_speaker import TOKEN, ToneSpeaker, state

from hometone_client.web import ApiState, LocalServer, create_app, new_token, write_token
from hometone_client.web.server import loopback_address, serve
from hometone_shared.errors import ResourceError, StorageError, UsageError

AUTH = {"Authorization": f"Bearer {TOKEN}"}


def request(text: str, **fields: object) -> dict[str, object]:
    return {"model": "hometone", "input": text, "voice": "anna", "response_format": "wav"} | fields


def client(server: LocalServer) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers=AUTH, timeout=20, trust_env=False)


def wait_until(condition: object, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def test_the_first_sentence_is_heard_while_the_second_is_computed() -> None:
    speaker = ToneSpeaker(sentence_s=0.5)
    with LocalServer(create_app(state(speaker))) as server, client(server) as http:
        started = time.monotonic()
        with http.stream("POST", "/v1/audio/speech", json=request("a. b. c. d.")) as response:
            pieces = response.iter_bytes()
            first = next(pieces)
            first_after = time.monotonic() - started
            heard_before = len(speaker.spoken)
            rest = b"".join(pieces)
        total = time.monotonic() - started
    assert heard_before < 4
    assert first_after < 0.6 * total
    assert len(first + rest) > 4 * 24_000


def test_a_client_that_leaves_stops_the_work() -> None:
    speaker = ToneSpeaker(sentence_s=0.2)
    api = state(speaker, places=1)
    with LocalServer(create_app(api)) as server, client(server) as http:
        with http.stream("POST", "/v1/audio/speech", json=request("word. " * 50)) as response:
            next(response.iter_bytes())
        assert wait_until(lambda: speaker.closed == 1)
        assert len(speaker.spoken) < 10
        assert wait_until(lambda: http.post("/v1/audio/speech", json=request("again.")).status_code == 200)


def test_one_sentence_at_a_time_and_no_more_than_the_places() -> None:
    speaker = ToneSpeaker(sentence_s=0.15)
    api = state(speaker, places=3)
    results: list[int] = []
    with LocalServer(create_app(api)) as server:

        def ask() -> None:
            with client(server) as http:
                answer = http.post("/v1/audio/speech", json=request("a. b. c."))
                results.append(answer.status_code)
                if answer.status_code == 429:
                    assert answer.headers["retry-after"]
                    assert answer.json()["error"]["type"] == "rate_limit_error"

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == [200, 200, 200, 429, 429, 429]
    assert speaker.most_at_once == 1
    assert len(speaker.spoken) == 9


def test_who_waits_too_long_is_told_so() -> None:
    speaker = ToneSpeaker(sentence_s=1.0)
    with LocalServer(create_app(state(speaker, patience_s=0.2))) as server:
        results: list[int] = []

        def ask() -> None:
            with client(server) as http:
                results.append(http.post("/v1/audio/speech", json=request("a.")).status_code)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == [200, 503]


@pytest.mark.filterwarnings("ignore")
def test_an_answer_that_breaks_off_does_not_look_complete() -> None:
    with LocalServer(create_app(state())) as server, client(server) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            http.post("/v1/audio/speech", json=request("one. !bad. three."))
        assert http.post("/v1/audio/speech", json=request("one.")).status_code == 200


def test_health_and_refusal_over_a_real_socket() -> None:
    with LocalServer(create_app(state())) as server:
        assert httpx.get(f"{server.url}/health", trust_env=False).json() == {"status": "ok"}
        assert httpx.get(f"{server.url}/v1/voices", trust_env=False).status_code == 401
        port = int(server.url.rpartition(":")[2])
        assert httpx.get(f"http://localhost:{port}/health", trust_env=False).status_code == 200
        rebound = httpx.get(f"{server.url}/health", headers={"Host": f"evil.example:{port}"}, trust_env=False)
        assert rebound.status_code == 403
        assert "uvicorn" not in rebound.headers.get("server", "")


def test_it_listens_on_loopback_only() -> None:
    with LocalServer(create_app(state())) as server:
        assert server._listener.getsockname()[0] == "127.0.0.1"
        assert server.url.startswith("http://127.0.0.1:")


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 on this machine")
def test_it_listens_on_ipv6_loopback() -> None:
    try:
        server = LocalServer(create_app(state()), host="::1")
    except ResourceError:
        pytest.skip("IPv6 is switched off on this machine")
    with server, client(server) as http:
        assert http.get("/v1/models").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", "", "localhost.evil.example", "8.8.8.8", "fe80::1"])
def test_other_hosts_are_refused_at_the_start(host: str) -> None:
    app = create_app(state())
    for start in (lambda: LocalServer(app, host=host), lambda: serve(app, host=host)):
        with pytest.raises(UsageError):
            start()


@pytest.mark.parametrize(("host", "address"), [("localhost", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("[::1]", "::1")])
def test_names_of_loopback(host: str, address: str) -> None:
    assert loopback_address(host) == address


@pytest.mark.parametrize("port", [70_000, -1])
def test_impossible_ports(port: int) -> None:
    with pytest.raises(ResourceError):
        LocalServer(create_app(state()), port=port)


def test_a_port_that_is_taken_is_told() -> None:
    with LocalServer(create_app(state())) as server, pytest.raises(ResourceError):
        LocalServer(create_app(state()), port=int(server.url.rpartition(":")[2]))


def test_a_voice_that_is_revoked_while_the_server_runs_is_refused() -> None:
    unlocked = {voice.id: voice for voice in state().registry.voices() if voice.kind == "own"}
    from hometone_client.voices.registry import VoiceRegistry

    api = ApiState(token=TOKEN, registry=VoiceRegistry(base_sha256="ab" * 32, own=lambda: tuple(unlocked.values())), speaker=ToneSpeaker())
    with LocalServer(create_app(api)) as server, client(server) as http:
        assert http.post("/v1/audio/speech", json=request("one.")).status_code == 200
        del unlocked["anna"]
        assert http.post("/v1/audio/speech", json=request("one.")).status_code == 400


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 43


def test_the_token_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    path.chmod(0o644)
    write_token(path, "new-token")
    assert path.read_text() == "new-token\n"
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["token"]


def test_a_link_in_place_of_the_token_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / "token").symlink_to(victim)
    write_token(tmp_path / "token", "new")
    assert victim.read_text() == "untouched"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        write_token(tmp_path / "no" / "token", "x")


def test_ctrl_c_is_how_serving_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvicorn raises the signal once more when it has ended."""

    def ended(_server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        assert sockets
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", ended)
    serve(create_app(state(ToneSpeaker())), port=0)
