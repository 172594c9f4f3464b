"""The vault of the speakers' tests."""

from tests.unit.client.speakers.conftest import home, room, vault

__all__ = ["home", "room", "vault"]
