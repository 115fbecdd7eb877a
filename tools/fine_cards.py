"""Write the cards of the fine tier: the nets of the fast one, asked three times.

    python tools/fine_cards.py

To be run when a fast net has changed; tools/measure_quality.py then fills in the quality. Speed is
not on the cards that ship: ``make bench`` keeps it in benchmarks/speed/, by processor. Where the
weights are the same as before, so is what was measured.
"""

from __future__ import annotations

from hyperfocal.models.card import ModelCard
from hyperfocal.models.registry import SHIPPED

_PURPOSES = {
    "photo-fast-x2": "Clean photographs, twice the size",
    "photo-fast-x3": "Clean photographs, three times the size",
    "photo-fast-x4": "Clean photographs, four times the size",
    "restore-fast-x2": "Damaged photographs (compressed, noisy, soft), twice the size",
    "restore-fast-x4": "Damaged photographs (compressed, noisy, soft), four times the size",
}


def main() -> None:
    """One card for each fast net of which there is a fine form."""
    for name, purpose in _PURPOSES.items():
        fast = ModelCard.read(SHIPPED / f"{name}.toml")
        path = SHIPPED / f"{name.replace('-fast-', '-fine-')}.toml"
        old = ModelCard.read(path) if path.exists() else None
        unmeasured = fast.model_copy(update={"quality": (), "speed": ()})
        known = old if old is not None and old.weights == fast.weights else unmeasured
        fine = fast.model_copy(
            update={
                "name": path.stem,
                "purpose": f"{purpose}, where quality counts more than time.",
                "tier": "fine",
                "self_ensemble": True,
                "quality": known.quality,
                "speed": known.speed,
            }
        )
        fine.write(path)
        print(fine.name)


if __name__ == "__main__":
    main()
