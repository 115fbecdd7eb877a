"""What a client does not need is not imported."""

from __future__ import annotations

import subprocess
import sys

_HEAVY = ("numpy", "openvino", "PIL", "imagecodecs", "tifffile", "fastapi", "sqlalchemy", "torch")


def test_files_need_neither_numpy_nor_an_engine() -> None:
    code = (
        "import sys\n"
        "from hyperfocal.client import Client, Job, Restored, ServiceError\n"
        "from hyperfocal.client.sending import picture_call\n"
        "from hyperfocal.client.options import Options\n"
        "client = Client('http://127.0.0.1:1', 'key')\n"
        "picture_call('/v1/upscale', b'\\x89PNG', Options(scale=2))\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "httpx" in loaded
    assert not set(loaded) & set(_HEAVY)


def test_the_public_names() -> None:
    import hyperfocal.client as client

    assert all(getattr(client, name) is not None for name in client.__all__)
    assert set(client.__all__) == set(client._HOMES)
