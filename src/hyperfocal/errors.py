"""Everything that can go wrong, as one tree.

    HyperfocalError
    ├── UsageError              2   arguments that cannot work
    │   ├── SettingsError       2   an unknown or impossible setting
    │   └── ArrayError          2   an array of the wrong shape, dtype or range
    ├── InputError              3   the picture given
    │   ├── InputMissing        3   no such file, or it may not be read
    │   ├── UnknownFormat       3   no picture format we read
    │   ├── BrokenPicture       3   truncated, corrupt or empty
    │   ├── TooLarge            3   over a limit on bytes, pixels or frames
    │   └── PairMismatch        3   two pictures that do not belong together
    ├── OutputError             1   the picture made cannot be put where it should go
    │   ├── OutputExists        1
    │   └── OutputRefused       1   no permission, no space, no such format
    ├── ModelError              4   the model
    │   ├── ModelMissing        4   no model of that name
    │   ├── ModelBroken         4   wrong checksum, unreadable card or weights
    │   ├── RuntimeMissing      4   no installed engine can run it
    │   └── GarbledOutput       4   the model's answer is not a picture
    ├── FidelityTooLow          1   the result strays further from the input than allowed
    └── Cancelled             130   stopped on request

The number is the exit code of the command line. Each class also has a stable ``code`` (for
programs) and an HTTP ``status`` (for the service); the message is for people and says what to do.
"""

from __future__ import annotations


class HyperfocalError(Exception):
    """Base of every error raised on purpose."""

    code = "error"
    status = 500
    exit_code = 1


class UsageError(HyperfocalError):
    """Arguments that cannot work."""

    code = "usage"
    status = 422
    exit_code = 2


class SettingsError(UsageError):
    """An unknown or impossible setting."""

    code = "settings"


class ArrayError(UsageError):
    """An array of the wrong shape, dtype or range."""

    code = "array"


class InputError(HyperfocalError):
    """The picture given cannot be used."""

    code = "input"
    status = 422
    exit_code = 3


class InputMissing(InputError):
    """No such file, or it may not be read."""

    code = "input-missing"
    status = 404


class UnknownFormat(InputError):
    """No picture format that is read here."""

    code = "unknown-format"
    status = 415


class BrokenPicture(InputError):
    """Truncated, corrupt or empty."""

    code = "broken-picture"


class TooLarge(InputError):
    """Over a limit on bytes, pixels or frames."""

    code = "too-large"
    status = 413


class PairMismatch(InputError):
    """Two pictures that do not belong together."""

    code = "pair-mismatch"


class OutputError(HyperfocalError):
    """The picture made cannot be put where it should go."""

    code = "output"


class OutputExists(OutputError):
    """The output is there already and overwriting was not asked for."""

    code = "output-exists"
    status = 409


class OutputRefused(OutputError):
    """No permission, no space, or a format that cannot hold the picture."""

    code = "output-refused"


class ModelError(HyperfocalError):
    """The model cannot be used."""

    code = "model"
    exit_code = 4


class ModelMissing(ModelError):
    """No model of that name."""

    code = "model-missing"
    status = 404


class ModelBroken(ModelError):
    """Wrong checksum, unreadable card or weights."""

    code = "model-broken"


class RuntimeMissing(ModelError):
    """No installed engine can run the model."""

    code = "runtime-missing"


class GarbledOutput(ModelError):
    """The model's answer is not a picture: NaN, flat, or nothing like the input."""

    code = "garbled-output"


class FidelityTooLow(HyperfocalError):
    """The result strays further from the input than allowed."""

    code = "fidelity-too-low"
    status = 422


class Cancelled(HyperfocalError):
    """Stopped on request."""

    code = "cancelled"
    status = 499
    exit_code = 130
