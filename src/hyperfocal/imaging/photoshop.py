"""Photoshop image resource blocks, which is how IPTC records travel in JPEG, PNG and TIFF.

Adobe Photoshop File Formats Specification, "Image Resource Blocks".
"""

from __future__ import annotations

SIGNATURE = b"Photoshop 3.0\0"
_IPTC = 0x0404


def iptc_of(resources: bytes) -> bytes | None:
    """The IIM records within resource blocks, or None; ValueError when the blocks are cut."""
    at = 0
    resources = resources.removeprefix(SIGNATURE)
    while at + 12 <= len(resources):
        if resources[at : at + 4] not in (b"8BIM", b"MeSa", b"PHUT", b"AgHg", b"DCSR"):
            raise ValueError("no Photoshop resource block")
        number = int.from_bytes(resources[at + 4 : at + 6], "big")
        name = resources[at + 6] + 1
        start = at + 6 + name + name % 2
        size = int.from_bytes(resources[start : start + 4], "big")
        start += 4
        if start + size > len(resources):
            raise ValueError("a Photoshop resource block is cut short")
        if number == _IPTC:
            return resources[start : start + size]
        at = start + size + size % 2
    return None


def resources_of(iptc: bytes) -> bytes:
    """One resource block that holds IIM records (without :data:`SIGNATURE`)."""
    head = b"8BIM" + _IPTC.to_bytes(2, "big") + b"\0\0" + len(iptc).to_bytes(4, "big")
    return head + iptc + b"\0" * (len(iptc) % 2)
