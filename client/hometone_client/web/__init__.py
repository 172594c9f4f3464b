"""The local speech API on loopback, with the shape of OpenAI's `POST /v1/audio/speech` (docs/api.md)."""

from hometone_client.web.app import create_app
from hometone_client.web.server import LocalServer, serve
from hometone_client.web.state import ApiState, Limits
from hometone_client.web.token import new_token, write_token

__all__ = ["ApiState", "Limits", "LocalServer", "create_app", "new_token", "serve", "write_token"]
