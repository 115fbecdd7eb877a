"""Settings from keywords and from the environment."""

from pathlib import Path

import pytest

from hyperfocal.errors import SettingsError
from hyperfocal.settings import Settings, parse_bytes


@pytest.mark.parametrize(
    ("text", "bytes"),
    [("400MB", 400_000_000), ("1.5 GiB", 1_610_612_736), ("2k", 2000), ("7", 7), (7, 7)],
)
def test_amounts_of_memory(text, bytes):
    assert parse_bytes(text) == bytes


@pytest.mark.parametrize("text", ["", "lots", "-1MB", "5XB", "1,5GB", "9" * 400 + "MB"])
def test_what_is_no_amount(text):
    with pytest.raises(SettingsError, match="amount of memory"):
        parse_bytes(text)


def test_keywords_come_before_the_environment():
    found = Settings.read({"HYPERFOCAL_THREADS": "3", "HYPERFOCAL_MEMORY": "1GB"}, threads=2)
    assert (found.threads, found.memory) == (2, 10**9)


def test_a_user_without_a_home_has_no_models_and_no_cache(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    found = Settings.read({})
    assert not found.models.exists()
    assert not found.cache.exists()
