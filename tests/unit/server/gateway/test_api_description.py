"""`data/openapi.json` is true: every route is in it, and whatever is asked, the answer is one that it lists."""

import contextlib
import json
from pathlib import Path

import jsonschema_rs
import numpy as np
import pytest
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response as Answer
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.routing import Mount

from hometone_server.gateway import app as gateway_app
from hometone_server.gateway.app import PREFIX, build
from hometone_server.gateway.limits import Attempts
from hometone_server.records.devices import DeviceEntry
from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import canonical
from hometone_shared.records.registration import RegistrationRequest
from hometone_shared.withdrawal.recovery import RecoverySecret

DESCRIPTION = json.loads(Path(gateway_app.__file__).with_name("data").joinpath("openapi.json").read_text(encoding="utf-8"))
OPERATIONS = [(path, method) for path, methods in DESCRIPTION["paths"].items() for method in methods]
EXAMPLES = 60
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
"""All that compare an answer with the description. Not whether whatever has the right shape is accepted: a signature has no shape."""


def test_it_is_served_as_it_is(gateway):
    answer = gateway.ask("GET", "/openapi.json")
    assert answer.json() == DESCRIPTION
    assert answer.headers["content-type"] == "application/json"


def test_every_route_is_described_and_no_other(gateway):
    (mount,) = [route for route in gateway.app.routes if isinstance(route, Mount) and route.path == PREFIX]
    served = {(route.path, method.lower()) for route in mount.routes for method in route.methods - {"HEAD"}}
    assert served == set(OPERATIONS)


def test_its_schemas_are_schemas():
    for schema in DESCRIPTION["components"]["schemas"].values():
        jsonschema_rs.validator_for({**schema, "components": DESCRIPTION["components"]})


@pytest.fixture
def lived_in(home, log: LogStore):
    """A coordinator with a few entries, a release, somebody registered; and no limit of attempts."""
    Releases.open(home, log).publish(np.ones(3), base_sha256="ab" * 32, basis_sha256="cd" * 32)
    laptop = Ed25519PrivateKey.generate()
    raw = laptop.public_key().public_bytes_raw()
    log.append(DeviceEntry(signing_key=raw, node_key_sha256=raw.hex()).signed(home.signing_key({})))
    request = RegistrationRequest.make(coordinator_key=log.key, secret=RecoverySecret.generate(), device_key=laptop)
    Withdrawals.open(home, log).register(request)
    no_limit = {"peer_per_minute": 1_000_000, "all_per_minute": 1_000_000}
    return build(home.root, register_node=lambda _key: None, attempts=Attempts(**no_limit), deliveries=Attempts(**no_limit))


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=[f"{method} {path}" for path, method in OPERATIONS])
def test_no_answer_is_outside_the_description(lived_in, path, method):
    schema = schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", lived_in)
    asked: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=schema[path][method.upper()].as_strategy())
    def ask(case: schemathesis.Case) -> None:
        more = {}
        with contextlib.suppress(ProtocolError, TypeError):  # otherwise it goes as schemathesis writes it, and is not canonical
            if isinstance(case.body, dict):
                more = {"data": canonical(case.body)}
        answer: Answer = case.call(**more)
        asked.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    ask()
    assert asked <= {int(code) for code in DESCRIPTION["paths"][path][method]["responses"]}
