"""A worker that never gets done with loading: it tells its process id and waits for its end."""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    (Path(os.environ["HOLDING"]) / "begun").write_text(f"{os.getpid()}\n")
    sys.stdin.read()
