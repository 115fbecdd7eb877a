"""A worker in which flat pictures of certain levels make the model misbehave.

``HOLDING`` names a folder with two named pipes: a tile of the level HELD writes its process id
to ``begun`` and goes on when there is a byte in ``go``, which it takes; with the byte LATE, only
once the worker has been told that its task is cancelled. A tile of the level BABBLING makes it say
what is in the file ``said`` there, in which NUMBER stands for its task's.
"""

import os
import time
from pathlib import Path

LATE = b"!"
HELD, HUNGRY, CRASHING, ABORTING, FAULTY, BROKEN, BABBLING = range(201, 208)


workers = []


def wait_to_go(end):
    if os.read(end, 1) == LATE:
        while not workers[0]._cancelled:
            time.sleep(0.001)


def behave(tile):
    level = int(tile[0, 0, 0]) if (tile == tile[0, 0, 0]).all() else 0
    folder = Path(os.environ["HOLDING"])
    if level == HELD:
        for name, flags, act in (
            ("begun", os.O_WRONLY, lambda end: os.write(end, f"{os.getpid()}\n".encode())),
            ("go", os.O_RDONLY, wait_to_go),
        ):
            end = os.open(folder / name, flags)
            act(end)
            os.close(end)
    elif level == HUNGRY:
        return bytearray(1 << 40)
    elif level == CRASHING:
        os._exit(3)
    elif level == ABORTING:
        os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
        os.abort()
    elif level == FAULTY:
        raise ZeroDivisionError("nobody foresaw this")
    elif level == BROKEN:
        os.write(1, b"a library prints this\n")
    elif level == BABBLING:
        outbox = workers[0]._outbox
        outbox.write((folder / "said").read_bytes().replace(b"NUMBER", b"%d" % workers[0].number))
        outbox.flush()
    return None


def main():
    from hyperfocal.models.bicubic import BicubicEngine
    from hyperfocal.server.pool import worker

    run = BicubicEngine.run

    def tricky(self, tile):
        behave(tile)
        return run(self, tile)

    warm_up = worker.warm_up

    def patched(*given):
        warm_up(*given)
        BicubicEngine.run = tricky

    class Tricky(worker.Worker):
        def __init__(self, *given):
            super().__init__(*given)
            workers.append(self)

        def _task(self, number, task):
            self.number = number
            super()._task(number, task)

    worker.warm_up = patched
    worker.Worker = Tricky
    worker.main()


if __name__ == "__main__":
    main()
