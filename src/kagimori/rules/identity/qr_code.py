"""Draws the QR code of a virtual MFA device's seed as a PNG image.

Bytes, error correction level M, versions 1 to 18, always mask 0: which mask it is makes a
difference to readers of bad prints, not of screens, and trying all eight would keep others waiting.

Source: ISO/IEC 18004; PNG specification (ISO/IEC 15948).
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

# By version: codewords for correction in each block, and how many blocks (table 9, level M).
_CORRECTING: Final = (10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26)
_BLOCK_COUNTS: Final = (1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13)
_BLOCKS: Final = tuple(zip(_CORRECTING, _BLOCK_COUNTS, strict=True))
_LONG_COUNT_FROM: Final = 10  # the version from which a length has 16 bits
_VERSION_SHOWN_FROM: Final = 7
_ALIGNED_FROM: Final = 2
_BYTE_MODE: Final = 0b0100
_PADDING: Final = (0xEC, 0x11)
_LEVEL_M_MASK_0: Final = 0b00_000
_FORMAT_MASK: Final = 0b101010000010010
_FORMAT_POLYNOMIAL, _VERSION_POLYNOMIAL = 0b10100110111, 0b1111100100101
_FIELD: Final = 0x11D
_QUIET, _SCALE = 4, 4  # modules around the code, pixels of a module
_FINDER: Final = (0b1111111, 0b1000001, 0b1011101, 0b1011101, 0b1011101, 0b1000001, 0b1111111)

_Modules = dict[tuple[int, int], bool]  # by row and column; True is dark


def qr_png(content: bytes) -> bytes:
    """Return the image.

    Raises:
        ValueError: more than 560 bytes.
    """
    version = _version_for(len(content))
    size = 4 * version + 17
    modules = _patterns(version, size)
    fixed = frozenset(modules)
    bits = _bits(_codewords(content, version))
    for row, column in _places(size):
        if (row, column) not in fixed:
            modules[row, column] = next(bits, False) ^ ((row + column) % 2 == 0)
    return _png(modules, size)


# --- what is written --------------------------------------------------------------------------


def _version_for(length: int) -> int:
    for version in range(1, len(_BLOCKS) + 1):
        head = 4 + (16 if version >= _LONG_COUNT_FROM else 8)
        if head + 8 * length <= 8 * _data_codewords(version):
            return version
    raise ValueError("too long for a QR code of these versions")


def _all_codewords(version: int) -> int:
    modules = (16 * version + 128) * version + 64
    if version >= _ALIGNED_FROM:
        aligned = version // 7 + 2
        modules -= (25 * aligned - 10) * aligned - 55
    if version >= _VERSION_SHOWN_FROM:
        modules -= 36
    return modules // 8


def _data_codewords(version: int) -> int:
    correcting, blocks = _BLOCKS[version - 1]
    return _all_codewords(version) - correcting * blocks


def _codewords(content: bytes, version: int) -> Iterator[int]:
    """Yield data and error correction, the blocks' taken in turn."""
    correcting, blocks = _BLOCKS[version - 1]
    data = _padded(content, version)
    short, longer = divmod(len(data), blocks)
    parts: list[bytes] = []
    start = 0
    for block in range(blocks):
        end = start + short + (block >= blocks - longer)
        parts.append(data[start:end])
        start = end
    corrections = [_correction(part, correcting) for part in parts]
    for place in range(short + 1):
        yield from (part[place] for part in parts if place < len(part))
    for place in range(correcting):
        yield from (part[place] for part in corrections)


def _padded(content: bytes, version: int) -> bytes:
    count_bits = 16 if version >= _LONG_COUNT_FROM else 8
    number = _BYTE_MODE << count_bits | len(content)
    number = number << 8 * len(content) | int.from_bytes(content, "big")
    # Four zeros end it; mode, count and end together are whole bytes.
    written = (4 + count_bits + 8 * len(content) + 4) // 8
    data = (number << 4).to_bytes(written, "big")
    missing = _data_codewords(version) - written
    return data + bytes(_PADDING[place % 2] for place in range(missing))


def _correction(data: bytes, count: int) -> bytes:
    """Return the Reed-Solomon codewords (the remainder by the generator of that degree)."""
    generator = [1]
    for power in range(count):
        root = _EXPONENTS[power]
        shifted = [*generator, 0]
        for place, factor in enumerate(generator):
            shifted[place + 1] ^= _times(factor, root)
        generator = shifted
    rest = [*data, *([0] * count)]
    for place in range(len(data)):
        factor = rest[place]
        for offset, coefficient in enumerate(generator):
            rest[place + offset] ^= _times(coefficient, factor)
    return bytes(rest[len(data) :])


def _powers() -> list[int]:
    powers, value = [], 1
    for _ in range(255):
        powers.append(value)
        value = value << 1 ^ (_FIELD if value & 0x80 else 0)
    return powers


_EXPONENTS: Final = _powers()
_LOGARITHMS: Final = {value: power for power, value in enumerate(_EXPONENTS)}


def _times(one: int, other: int) -> int:
    if not one or not other:
        return 0
    return _EXPONENTS[(_LOGARITHMS[one] + _LOGARITHMS[other]) % 255]


def _bits(codewords: Iterator[int]) -> Iterator[bool]:
    for codeword in codewords:
        for place in range(7, -1, -1):
            yield bool(codeword >> place & 1)


# --- where it is written --------------------------------------------------------------------------


def _places(size: int) -> Iterator[tuple[int, int]]:
    """Yield row and column in the order of the bits: two columns at a time, up and down."""
    upward = True
    for right in (*range(size - 1, 6, -2), 5, 3, 1):
        for step in range(size):
            row = size - 1 - step if upward else step
            yield row, right
            yield row, right - 1
        upward = not upward


def _patterns(version: int, size: int) -> _Modules:
    """Return the modules that every content has: finders, timing, alignment, format, version."""
    modules: _Modules = {}
    for place in range(8, size - 8):
        modules[6, place] = modules[place, 6] = place % 2 == 0
    for row, column in ((0, 0), (0, size - 7), (size - 7, 0)):
        _add_finder(modules, row, column, size)
    _add_alignment(modules, version, size)
    _add_format(modules, size)
    if version >= _VERSION_SHOWN_FROM:
        shown = version << 12 | _remainder(version, _VERSION_POLYNOMIAL)
        for place in range(18):
            row, column = divmod(place, 3)
            dark = bool(shown >> place & 1)
            modules[row, size - 11 + column] = modules[size - 11 + column, row] = dark
    return modules


def _add_finder(modules: _Modules, top: int, left: int, size: int) -> None:
    for row in range(-1, 8):
        for column in range(-1, 8):
            at = (top + row, left + column)
            if 0 <= at[0] < size and 0 <= at[1] < size:
                inside = 0 <= row < len(_FINDER) and 0 <= column < len(_FINDER)
                modules[at] = inside and bool(_FINDER[row] >> column & 1)


def _add_alignment(modules: _Modules, version: int, size: int) -> None:
    if version < _ALIGNED_FROM:
        return
    count = version // 7 + 2
    step = (version * 8 + count * 3 + 5) // (count * 4 - 4) * 2
    centres = [6, *(size - 7 - step * place for place in range(count - 1))]
    for row in centres:
        for column in centres:
            # The finders' corners have none.
            if (row, column) in ((6, 6), (6, size - 7), (size - 7, 6)):
                continue
            for down in range(-2, 3):
                for across in range(-2, 3):
                    ring = max(abs(down), abs(across))
                    modules[row + down, column + across] = ring != 1


def _add_format(modules: _Modules, size: int) -> None:
    shown = _LEVEL_M_MASK_0 << 10 | _remainder(_LEVEL_M_MASK_0, _FORMAT_POLYNOMIAL)
    shown ^= _FORMAT_MASK
    beside = (0, 1, 2, 3, 4, 5, 7, 8)
    for place in range(15):
        dark = bool(shown >> place & 1)
        # Once around the upper left finder, and once more beside the other two.
        if place < len(beside):
            modules[beside[place], 8] = dark
            modules[8, size - 1 - place] = dark
        else:
            modules[8, beside[14 - place]] = dark
            modules[size - 15 + place, 8] = dark
    modules[size - 8, 8] = True


def _remainder(number: int, polynomial: int) -> int:
    """Return the remainder of a number, shifted by the polynomial's degree, as polynomials."""
    degree = polynomial.bit_length() - 1
    rest = number << degree
    while rest.bit_length() > degree:
        rest ^= polynomial << rest.bit_length() - 1 - degree
    return rest


def _png(modules: _Modules, size: int) -> bytes:
    width = (size + 2 * _QUIET) * _SCALE
    lines = bytearray()
    for row in range(-_QUIET, size + _QUIET):
        columns = range(-_QUIET, size + _QUIET)
        bits = "".join(("0" if modules.get((row, c)) else "1") * _SCALE for c in columns)
        padded = bits.ljust((width + 7) // 8 * 8, "0")
        line = b"\0" + int(padded, 2).to_bytes(len(padded) // 8, "big")
        lines += line * _SCALE
    head = struct.pack(">IIBBBBB", width, width, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(lines), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
