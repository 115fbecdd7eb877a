from __future__ import annotations

import pytest

from hyperfocal.server.settings import ServerSettings


@pytest.fixture
def settings(tmp_path):
    return ServerSettings(data=tmp_path / "data")
