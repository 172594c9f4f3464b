"""Stock and own voices are found by name; a voice that was revoked is gone at the next request."""

import numpy as np
import pytest

from hometone_client.base.styles import stock_names, stock_style
from hometone_client.voices.registry import Voice, VoiceRegistry, stock_parameters
from hometone_shared.errors import ConsentError, UsageError

BASE = "0a" * 32


def test_stock_voices_are_listed_with_their_languages() -> None:
    voices = {voice.id: voice for voice in VoiceRegistry(base_sha256=BASE).voices()}
    assert len(voices) == len(stock_names()) == 54
    assert voices["stock:zf_xiaobei"].languages == ("zh",)
    assert voices["stock:af_heart"].languages == ("en",)
    assert {voice.kind for voice in voices.values()} == {"stock"}


def test_every_stock_voice_can_be_loaded() -> None:
    for voice in VoiceRegistry(base_sha256=BASE).voices():
        parameters = voice.load()
        assert parameters.base_sha256 == BASE
        assert not parameters.weight_deltas
    np.testing.assert_array_equal(stock_parameters("af_heart", base_sha256=BASE).style, stock_style("af_heart", 80))


def test_a_stock_voice_is_found_with_and_without_prefix() -> None:
    registry = VoiceRegistry(base_sha256=BASE)
    assert registry.get("af_heart").id == registry.get("stock:af_heart").id == "stock:af_heart"


@pytest.mark.parametrize("name", ["", "stock:", "stock:nobody", "stock:stock:af_heart", "speaker-1", "../af_heart"])
def test_unknown_voices_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        VoiceRegistry(base_sha256=BASE).get(name)
    with pytest.raises(UsageError):
        stock_parameters(name, base_sha256=BASE)


def test_an_own_voice_is_loaded_anew_and_gone_when_it_is_revoked() -> None:
    unlocked: dict[str, Voice] = {}
    registry = VoiceRegistry(base_sha256=BASE, own=unlocked.values)
    loads = []

    def load() -> object:
        loads.append(1)
        if len(loads) > 1:
            raise ConsentError("this voice was withdrawn")
        return stock_parameters("zm_yunxi", base_sha256=BASE)

    unlocked["s1"] = Voice(id="s1", kind="own", languages=("zh",), load=load)  # type: ignore[arg-type]
    assert registry.voices()[0].id == "s1"
    assert registry.get("s1").load().recipe == "stock-1"
    with pytest.raises(ConsentError):
        registry.get("s1").load()
    del unlocked["s1"]
    with pytest.raises(UsageError):
        registry.get("s1")
