"""QR codes: images that a reader read when this was written, and how they are built."""

import hashlib
import struct
import zlib

import pytest

from kagimori.rules.identity.qr_code import qr_png

TEXT = ("otpauth://totp/" + "aB3$%:/?=" * 80).encode()


def pixels(png):
    """Return width and lines of an image (one bit for a pixel), each with its filter byte."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, found = 8, {}
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length) == (zlib.crc32(kind + body),)
        found[kind] = body
        at += 12 + length
    width, height, *rest = struct.unpack(">IIBBBBB", found[b"IHDR"])
    assert (width, rest) == (height, [1, 0, 0, 0, 0])
    return width, zlib.decompress(found[b"IDAT"])


# The last and the first of some versions. Each image was read with ZXing-C++ 3.1.
READ = {
    14: "2684d0863c1b86901d973c34b3cd5c13",
    15: "47241c64b917d8afe06ef79c486d0f82",
    122: "89e23c2109f31ab80732bfa4f196a6ce",
    123: "830e29801595c7325fc4cdf1fb33a0bb",
    180: "7c7d2e54dd73d9c94626d9d56b1c2f15",
    181: "7ea8db08a10fcd546a5e64434f0c2788",
    287: "90f57804c2bf50ffa046da48b47fcc98",
    412: "fa587099e8dc4ca7e2a85015cbdde261",
    560: "5f7da5c1f78b2e78b6177f0c413e1758",
}


@pytest.mark.parametrize("length", READ)
def test_images_are_those_that_were_read(length):
    _, lines = pixels(qr_png(TEXT[:length]))
    assert hashlib.sha256(lines).hexdigest()[:32] == READ[length]


@pytest.mark.parametrize(("length", "version"), [(14, 1), (15, 2), (180, 9), (181, 10), (560, 18)])
def test_the_smallest_version_is_taken(length, version):
    width, _ = pixels(qr_png(TEXT[:length]))
    assert width == (4 * version + 17 + 8) * 4


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="too long"):
        qr_png(b"x" * 561)


@pytest.mark.parametrize("length", [1, 14, 15, 122, 180, 181, 412, 560])
def test_a_reader_reads_it(length):
    """Where a reader is installed; it is no requirement of the tests."""
    zxingcpp = pytest.importorskip("zxingcpp")
    numpy = pytest.importorskip("numpy")
    width, lines = pixels(qr_png(TEXT[:length]))
    rows = numpy.frombuffer(lines, dtype=numpy.uint8).reshape(width, -1)[:, 1:]
    image = numpy.unpackbits(rows, axis=1)[:, :width] * 255
    (found,) = zxingcpp.read_barcodes(image)
    assert found.bytes == TEXT[:length]
