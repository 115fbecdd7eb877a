"""Whatever way settings are made, what is wrong is a SettingsError."""

import pytest

import hyperfocal
from hyperfocal.errors import SettingsError
from hyperfocal.settings import Settings


def test_amounts_of_memory_may_be_texts():
    assert hyperfocal.Settings(memory="400MB", max_bytes="1k") == Settings(
        memory=400_000_000, max_bytes=1000
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"foo": 1}, "there is no setting 'foo'"),
        ({"memry": 1}, "did you mean 'memory'"),
        ({"memory": "lots"}, "amount of memory"),
        ({"memory": -1}, "setting 'memory'"),
        ({"threads": "many"}, "setting 'threads'"),
        ({"runtime": "torch"}, "setting 'runtime'"),
    ],
)
def test_what_is_wrong_is_told(given, said):
    for make in (hyperfocal.Settings, lambda **values: Settings.read({}, **values)):
        with pytest.raises(SettingsError, match=said):
            make(**given)
