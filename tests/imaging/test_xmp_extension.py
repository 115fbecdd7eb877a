"""XMP packets that are too long for a segment of a JPEG: joined when read, divided when written."""

import hashlib
import io
import struct
import time
from xml.etree import ElementTree

import made
import pytest
from PIL import Image

from hyperfocal import imaging
from hyperfocal.imaging import xmp, xmp_extension
from hyperfocal.imaging.embedded_depth import UNREADABLE

PACKET = b"http://ns.adobe.com/xap/1.0/\0"
MORE = b"http://ns.adobe.com/xmp/extension/\0"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
NOTE = "{http://ns.adobe.com/xmp/note/}HasExtendedXMP"
DC, GDEPTH = "http://purl.org/dc/elements/1.1/", "http://ns.google.com/photos/1.0/depthmap/"
STORY = "What happened that day. " * 9000


def packet(*descriptions, spaces="", padding=0):
    return (
        f"<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>\n<x:xmpmeta"
        f" xmlns:x='adobe:ns:meta/' x:xmptk='A > B'>\n<rdf:RDF xmlns:rdf='{RDF[1:-1]}' {spaces}>"
        f"\n{' '.join(descriptions)}\n</rdf:RDF>\n</x:xmpmeta>{' ' * padding}<?xpacket end='w'?>"
    ).encode()


def description(attributes="", inside=""):
    return (
        f"<rdf:Description rdf:about='photo' xmlns:dc='{DC}' {attributes}>\n{inside}\n"
        "</rdf:Description>"
    )


def story(text=STORY):
    text = f"<rdf:Alt>\n<rdf:li xml:lang='x'>{text}</rdf:li></rdf:Alt>"
    return f"<dc:description>{text}</dc:description>"


def said(data):
    """All properties by name, of every description; each once, all about the same."""
    found = {}
    (rdf,) = ElementTree.fromstring(data.strip()).iter(RDF + "RDF")
    for each in rdf:
        assert each.tag == RDF + "Description"
        assert each.get(RDF + "about", "photo") in ("photo", "")
        pairs = [pair for pair in each.attrib.items() if not pair[0].startswith(RDF)]
        pairs += ((one.tag, "".join(one.itertext()).strip()) for one in each)
        for name, text in pairs:
            assert name not in found
            found[name] = text
    return found


def segments(data):
    """The packet and the segments of extensions in a JPEG."""
    main, more, at = [], [], 2
    while data[at + 1] != 0xDA:
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + size]
        if body.startswith(PACKET):
            main.append(body.removeprefix(PACKET))
        elif body.startswith(MORE):
            more.append(body.removeprefix(MORE))
        at += 2 + size
    return main, more


def divided_by_hand(main, extension, part=50_000, guid=None):
    guid = guid or hashlib.md5(extension).hexdigest().upper().encode()
    chunks = [
        (0xE1, MORE + guid + struct.pack(">II", len(extension), at) + extension[at : at + part])
        for at in range(0, len(extension), part)
    ]
    return (0xE1, PACKET + main.replace(b"GUID", guid)), chunks


def pointing(more="", inside=""):
    return packet(
        description(
            f"xmlns:xmpNote='http://ns.adobe.com/xmp/note/' xmpNote:HasExtendedXMP='GUID' {more}",
            inside,
        )
    )


def opened(data):
    """By us, and by way of Pillow."""
    one, other = imaging.open(data), imaging.from_pil(Image.open(io.BytesIO(data)))
    assert one.metadata.xmp == other.metadata.xmp
    # Of an image of Pillow's no depth is asked.
    notes = tuple(note for note in one.notes if note != UNREADABLE)
    assert notes == other.notes
    return other


def test_the_extension_of_a_packet_is_kept():
    main, chunks = divided_by_hand(pointing("dc:source='s'"), packet(description("", story())))
    # In any order.
    for order in (chunks, chunks[::-1]):
        got = opened(made.with_segments(main, *order))
        assert got.notes == ()
        assert said(got.metadata.xmp) == {
            f"{{{DC}}}source": "s",
            f"{{{DC}}}description": STORY.strip(),
        }
        # As an element of the picture's packet it has no part in JPEG alone.
        again = imaging.open(imaging.encode(got, "png"))
        assert said(again.metadata.xmp) == said(got.metadata.xmp)


def test_namespaces_of_the_extension_go_with_it():
    more = description("a:one='1'", "<b:two>2</b:two>").replace(f"xmlns:dc='{DC}'", "xmlns:b='B'")
    extension = packet(more, spaces="xmlns:a='A' xmlns:b='other'")
    main, chunks = divided_by_hand(pointing(), extension)
    got = imaging.open(made.with_segments(main, *chunks))
    assert said(got.metadata.xmp) == {"{A}one": "1", "{B}two": "2"}


def test_what_both_parts_state_is_that_of_the_packet():
    extension = packet(description("dc:source='other'", story() + "<dc:title>other</dc:title>"))
    inside = "<dc:title>this</dc:title>"
    main, chunks = divided_by_hand(pointing("dc:source='this'", inside), extension)
    got = said(imaging.open(made.with_segments(main, *chunks)).metadata.xmp)
    assert [got[f"{{{DC}}}{name}"] for name in ("source", "title")] == ["this", "this"]
    assert got[f"{{{DC}}}description"] == STORY.strip()


def test_large_data_of_phones_are_left_out_and_the_rest_is_kept():
    data = "xmlns:GImage='image' xmlns:GDepth='depth' GDepth:Data='AAAA' GImage:Data='BBBB'"
    main, chunks = divided_by_hand(pointing(), packet(description(data, story())))
    got = opened(made.with_segments(main, *chunks))
    assert said(got.metadata.xmp) == {f"{{{DC}}}description": STORY.strip()}
    assert got.notes == (xmp.EMBEDDED,)


@pytest.mark.parametrize(
    "damage",
    [
        lambda main, chunks: (main, *chunks[1:]),
        lambda main, chunks: chunks,
        lambda main, chunks: (main, *divided_by_hand(b"", b"no XML at all")[1]),
        lambda main, chunks: (main, *divided_by_hand(b"", b"A" * 90, guid=b"0" * 32)[1]),
        lambda main, chunks: (main, (0xE1, MORE), *chunks[1:]),
        lambda main, chunks: (main, (0xE1, chunks[0][1][:67] + b"\xff" * 8)),
        lambda main, chunks: (
            main,
            (0xE1, chunks[0][1][:67] + struct.pack(">II", 9, 0) + b"a" * 9),
        ),
    ],
)
def test_a_damaged_extension_costs_a_note_and_not_the_packet(damage):
    main, chunks = divided_by_hand(
        pointing("dc:source='s'"), packet(description("", story())), guid=b"0123456789ABCDEF" * 2
    )
    got = opened(made.with_segments(*damage(main, chunks)))
    assert got.notes == (xmp_extension.LOST,)
    has_packet = damage(main, chunks)[0] == main
    assert (said(got.metadata.xmp) if has_packet else got.metadata.xmp) == (
        {f"{{{DC}}}source": "s"} if has_packet else None
    )


@pytest.mark.parametrize(
    "extension",
    [packet(description("", "<!-- <dc:title> -->")), packet("<dc:title>no description</dc:title>"),
     packet(description("", "<dc:title>")), packet(description("", "</dc:title>")),
     packet("</rdf:Description>"), b"<rdf:RDF/>", b"</rdf:RDF><rdf:RDF>",
     packet(description("", "<dc:title a='<'/>"))],
)  # fmt: skip
def test_what_is_no_xmp_is_not_joined(extension):
    main, chunks = divided_by_hand(pointing("dc:source='s'"), extension)
    got = opened(made.with_segments(main, *chunks))
    assert got.notes == (xmp_extension.LOST,)
    assert said(got.metadata.xmp) == {f"{{{DC}}}source": "s"}


LONG = {
    "an element": packet(description("dc:source='s'", story() + "<dc:title>t</dc:title>")),
    "an attribute": packet(description(f"dc:description='{STORY}&gt; > &quot;' dc:source=\"'\"")),
    "two descriptions": packet(description("", story()), description("dc:source='s'")),
    "many": packet(
        description("", "".join(f"<dc:n{i}>{'text ' * 200}</dc:n{i}>" for i in range(300)))
    ),
    "megabytes": packet(description("dc:source='s'", story(STORY * 20))),
    "spaces for all": packet(
        description("", f"<a:one>{STORY}</a:one>").replace(f"xmlns:dc='{DC}'", ""),
        spaces="xmlns:a='A'",
    ),
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_packet_is_divided(name):
    given = made.picture(3, metadata=made.metadata(xmp=LONG[name]))
    assert imaging.conversions(given, "jpeg") == ()
    data = imaging.encode(given, "jpeg")
    (main,), more = segments(data)
    assert len(main) <= 65_502
    assert max(map(len, more)) <= 65_440
    # The standard's own words for what a reader does.
    rest = said(main)
    guid = rest.pop(NOTE).encode()
    assert len(more) > 1
    extension = bytearray(int.from_bytes(more[0][32:36], "big"))
    for chunk in more:
        assert chunk[:32] == guid
        length, at = struct.unpack(">II", chunk[32:40])
        assert length == len(extension)
        extension[at : at + len(chunk) - 40] = chunk[40:]
    assert hashlib.md5(extension).hexdigest().upper().encode() == guid
    assert b"<?xpacket" not in extension
    together = said(bytes(extension)) | rest
    assert together == said(LONG[name])
    assert len(together) == len(said(bytes(extension))) + len(rest)
    got = opened(data)
    assert got.notes == ()
    assert said(got.metadata.xmp) == said(LONG[name])
    if name == "an element":
        # Whoever knows of no extensions reads all that is small.
        assert set(rest) == {f"{{{DC}}}source", f"{{{DC}}}title"}


def test_padding_goes_first():
    long = packet(description("dc:source='s'"), padding=70_000)
    (main,), more = segments(
        imaging.encode(made.picture(3, metadata=made.metadata(xmp=long)), "jpeg")
    )
    assert more == []
    assert said(main) == said(long)


@pytest.mark.parametrize(
    "long",
    [b"no XMP" * 20_000, packet(description("", f"<!-- {STORY} -->")),
     packet(description("", "<dc:title>t</dc:title>"), spaces=f"xmlns:a='{STORY}'"),
     packet(*[description("dc:source='s'")] * 3000)],
    ids=lambda long: str(len(long)),
)  # fmt: skip
def test_what_cannot_be_divided_is_dropped_and_said(long):
    given = made.picture(3, metadata=made.metadata(xmp=long))
    note = f"XMP of {len(long):,} bytes is too long for JPEG: it was dropped"
    assert note in imaging.conversions(given, "jpeg")
    assert segments(imaging.encode(given, "jpeg")) == ([], [])


def test_an_extension_is_never_longer_than_is_read(monkeypatch):
    monkeypatch.setattr(xmp_extension, "_BYTES", 100_000)
    with pytest.raises(ValueError, match="than anyone reads"):
        xmp_extension.divided(LONG["an element"], 65_000)
    main, chunks = divided_by_hand(pointing(), packet(description("", story())))
    assert opened(made.with_segments(main, *chunks)).notes == (xmp_extension.LOST,)


@pytest.mark.parametrize(
    "piece",
    ["<a", "<a:b c='d' ", "<a:b>", "<a:b/>", "</a:b>", "<a:b c='", "a='", "<?", "<rdf:RDF ", "> ",
     "</rdf:RDF>", "<rdf:Description a:b='c'/>", "<rdf:Description><a:b/></rdf:Description>"],
)  # fmt: skip
def test_no_packet_takes_long(piece):
    long = piece * 100_000
    for data in (packet(long), packet(description("", long)), packet(description(long))):
        # Of this process: others may have the machine meanwhile.
        start = time.process_time()
        xmp_extension.whole(pointing().replace(b"GUID", b"0" * 32), [
            b"0" * 32 + struct.pack(">II", len(data), 0) + data
        ], [])  # fmt: skip
        with_note = made.picture(3, metadata=made.metadata(xmp=data))
        imaging.conversions(with_note, "jpeg")
        assert time.process_time() - start < 4
