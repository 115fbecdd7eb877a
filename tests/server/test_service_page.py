"""What the page about the service tells people to type works."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hyperfocal.errors import UnknownFormat
from hyperfocal.server.openapi import example_picture
from hyperfocal.server.settings import ServerSettings

PAGE = Path(__file__).parents[2] / "docs" / "service.md"


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("bash"), reason="needs curl")
def test_every_example_works(pretending, tmp_path):
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    blocks = [block for block in blocks if "curl" in block]
    assert len(blocks) >= 5
    (tmp_path / "photo.png").write_bytes(example_picture())
    with pretending() as running:
        for block in blocks:
            if "no picture" in block:
                running.pool.raises.append(UnknownFormat("not a picture"))
            script = block.replace("http://127.0.0.1:8000", running.url)
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=tmp_path,
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, (block, done.stderr)
            if "no picture" in block:
                assert json.loads(done.stdout)["status"] == 415
        assert (tmp_path / "large.png").read_bytes() == example_picture()[::-1]
        assert running.pool.reloads == [
            ("photo-fast-x2",),
            ServerSettings.model_fields["models"].default,
        ]
