"""What passes to the SuperLink, in what order, and when a question is held. The SuperLink is an ASGI function here."""

import asyncio

import pytest

from hometone_server.flower.gates import CONTROL_CALLS, FLEET_CALLS, RUNTIME_CALLS, LoopbackGate, Order, PublicGate

SECRET = b"s" * 64


class SuperLink:
    """Answers with what is in `box`, notes who is inside at the same time."""

    def __init__(self) -> None:
        self.box = [b"full"]
        self.paths = []
        self.inside = 0
        self.most_inside = 0

    async def __call__(self, scope, receive, send):
        self.paths.append(scope["path"])
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        await receive()
        await asyncio.sleep(0.005)
        body = self.box.pop(0) if self.box else b""
        self.inside -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


async def ask(gate, path, *, method="POST", headers=(), body=b"", hang_up_after_s=None):
    """Status and body; None when nothing was answered."""
    parts = []
    given = False

    async def receive():
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        await asyncio.sleep(60 if hang_up_after_s is None else hang_up_after_s)
        return {"type": "http.disconnect"}

    async def send(part):
        parts.append(part)

    await gate({"type": "http", "method": method, "path": path, "headers": list(headers)}, receive, send)
    return (parts[0]["status"], b"".join(part.get("body", b"") for part in parts)) if parts else None


def gates(superlink, mounted=None):
    order = Order()
    return PublicGate(superlink, order=order, mounted=mounted), LoopbackGate(superlink, order=order, control_secret=SECRET)


def test_each_gate_passes_its_own_calls_only():
    async def go():
        superlink = SuperLink()
        public, private = gates(superlink)
        for path in FLEET_CALLS | RUNTIME_CALLS | CONTROL_CALLS | {"/v1/fleet/get-fab", "/"}:
            superlink.box = [b"full"]
            assert (await ask(public, path))[0] == (200 if path in FLEET_CALLS else 404), path
            assert (await ask(public, path, headers=[(b"hometone-control", SECRET)]))[0] == (200 if path in FLEET_CALLS else 404)
            assert (await ask(private, path))[0] == (200 if path in RUNTIME_CALLS else 404), path
            expected = 200 if path in RUNTIME_CALLS | CONTROL_CALLS else 404
            assert (await ask(private, path, headers=[(b"hometone-control", SECRET)]))[0] == expected
            assert (await ask(public, path, method="GET"))[0] == 404
        twice = [(b"hometone-control", SECRET)] * 2
        assert (await ask(private, "/v1/control/list-runs", headers=twice))[0] == 404
        for gate in (public, private):
            assert (await ask(gate, "/health", method="GET"))[0] == 200
            assert (await ask(gate, "/health"))[0] == 404

    asyncio.run(go())


def test_the_mounted_application_sees_its_own_paths_only():
    async def go():
        superlink, mounted = SuperLink(), SuperLink()
        public, private = gates(superlink, mounted)
        for path in ("/hometone/v1/ca", "/hometone/../v1/control/start-run"):
            assert (await ask(public, path, method="GET"))[0] == 200
        for path in ("/hometone", "/hometonex", "/v1/control/start-run"):
            assert (await ask(public, path, method="GET"))[0] == 404
        assert (await ask(private, "/hometone/v1/ca", method="GET"))[0] == 404
        assert mounted.paths == ["/hometone/v1/ca", "/hometone/../v1/control/start-run"]
        assert superlink.paths == []

    asyncio.run(go())


def test_one_call_at_a_time():
    async def go():
        superlink = SuperLink()
        superlink.box = [b"full"] * 20
        public, private = gates(superlink)
        calls = [ask(public, "/v1/fleet/get-run") for _ in range(10)] + [ask(private, "/v1/runtime/get-nodes") for _ in range(10)]
        assert {status for status, _ in await asyncio.gather(*calls)} == {200}
        assert superlink.most_inside == 1

    asyncio.run(go())


def test_an_empty_answer_is_held_until_the_other_side_uploads():
    async def go():
        superlink = SuperLink()
        public, private = gates(superlink)
        loop = asyncio.get_running_loop()
        superlink.box = []
        began = loop.time()
        waiting = asyncio.create_task(ask(public, "/v1/fleet/pull-messages", headers=[(b"hometone-wait", b"20")]))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await ask(public, "/v1/fleet/push-object")
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await ask(private, "/v1/runtime/push-object")
        superlink.box = [b"message"]
        assert await asyncio.wait_for(waiting, 1) == (200, b"message")
        assert loop.time() - began < 1

        answers = asyncio.create_task(ask(private, "/v1/runtime/pull-messages", headers=[(b"hometone-wait", b"5")]))
        await asyncio.sleep(0.05)
        await ask(public, "/v1/fleet/push-object")
        superlink.box = [b"answer"]
        assert await asyncio.wait_for(answers, 1) == (200, b"answer")

    asyncio.run(go())


@pytest.mark.parametrize("wait", [None, b"0", b"-1", b"nan", b"x", b"0.05"])
def test_an_empty_answer_comes_when_the_time_is_up(wait):
    async def go():
        superlink = SuperLink()
        superlink.box = []
        public, _ = gates(superlink)
        headers = [] if wait is None else [(b"hometone-wait", wait)]
        assert await asyncio.wait_for(ask(public, "/v1/fleet/pull-messages", headers=headers), 1) == (200, b"")
        assert await asyncio.wait_for(ask(public, "/v1/fleet/get-run", headers=[(b"hometone-wait", b"20")]), 1) == (200, b"")

    asyncio.run(go())


def test_nobody_waits_for_who_hung_up_or_when_the_process_ends():
    async def go():
        superlink = SuperLink()
        superlink.box = []
        order = Order()
        public = PublicGate(superlink, order=order)
        headers = [(b"hometone-wait", b"20")]
        assert await asyncio.wait_for(ask(public, "/v1/fleet/pull-messages", headers=headers, hang_up_after_s=0.05), 1) is None
        waiting = asyncio.create_task(ask(public, "/v1/fleet/pull-messages", headers=headers))
        await asyncio.sleep(0.05)
        order.laptops.close()
        assert await asyncio.wait_for(waiting, 1) == (200, b"")
        assert await asyncio.wait_for(ask(public, "/v1/fleet/pull-messages", headers=headers), 1) == (200, b"")

    asyncio.run(go())


def test_long_bodies_are_refused_announced_or_not():
    async def go():
        superlink = SuperLink()
        public, _ = gates(superlink)
        announced = [(b"content-length", str(2 << 20).encode())]
        assert (await ask(public, "/v1/fleet/get-run", headers=announced))[0] == 413
        assert (await ask(public, "/v1/fleet/get-run", headers=[(b"content-length", b"-1")]))[0] == 413
        assert (await ask(public, "/v1/fleet/get-run", body=bytes(2 << 20)))[0] == 413
        assert superlink.paths == []
        assert (await ask(public, "/v1/fleet/push-object", body=bytes(2 << 20)))[0] == 200

    asyncio.run(go())
