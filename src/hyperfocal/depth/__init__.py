"""Where a depth map comes from, and what it tells of a picture's focus."""

from __future__ import annotations

from hyperfocal.depth.defocus import Defocus, Soft, by_depth
from hyperfocal.depth.given import check_belongs, read_map

__all__ = ["Defocus", "Soft", "by_depth", "check_belongs", "read_map"]
