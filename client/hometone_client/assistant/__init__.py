"""Voices for voice assistants on the same computer: the Wyoming protocol, as Home Assistant speaks it (docs/assistant.md)."""

from hometone_client.assistant.assistant import DEFAULT_PORT, Assistant, AssistantState

__all__ = ["DEFAULT_PORT", "Assistant", "AssistantState"]
