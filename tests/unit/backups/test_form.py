"""A backup's bytes: what was written comes back, and nothing else is ever given."""

import io

import msgspec
import pytest

from kagimori.backups import form
from kagimori.backups.form import (
    CHUNK_BYTES,
    BackupRefused,
    Decrypting,
    Encrypting,
    Header,
    read_header,
    write_header,
)

KEY = bytes(range(32))
HEADER = Header(
    backup_id="00000000-0000-4000-8000-000000000000",
    made_at=1_800_000_000.0,
    made_by="1.2.3",
    schema=9,
    sealed_domains=b"sealed",
    wrapped_key=b"wrapped",
)
SEALED_CHUNK = CHUNK_BYTES + form.TAG_BYTES


def written(*parts, key=KEY, header=HEADER):
    out = io.BytesIO()
    encrypting = Encrypting(out, key, write_header(out, header))
    for part in parts:
        encrypting.write(part)
    encrypting.finish()
    return out.getvalue()


def read(content, key=KEY, at_once=CHUNK_BYTES):
    source = io.BytesIO(content)
    found = read_header(source)
    decrypting = Decrypting(source, key, found.bound)
    parts = []
    while part := decrypting.read(at_once):
        parts.append(part)
    assert decrypting.is_at_end
    return found.header, b"".join(parts)


def chunks_of(content):
    start = len(written()) - form.TAG_BYTES
    return content[:start], [
        content[at : at + SEALED_CHUNK] for at in range(start, len(content), SEALED_CHUNK)
    ]


@pytest.mark.parametrize(
    "size", [0, 1, 512, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3_000_001]
)
@pytest.mark.parametrize("at_once", [777_777, CHUNK_BYTES])
def test_what_was_written_is_read(size, at_once):
    plain = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    content = written(plain[:1000], plain[1000:])
    assert read(content, at_once=at_once) == (HEADER, plain)


@pytest.mark.parametrize("at", range(0, len(written(b"short")), 3))
def test_no_byte_can_be_altered(at):
    content = bytearray(written(b"short"))
    content[at] ^= 1
    with pytest.raises(BackupRefused):
        read(bytes(content))


@pytest.mark.parametrize("length", range(len(written(b"short"))))
def test_no_shorter_file_is_a_backup(length):
    with pytest.raises(BackupRefused):
        read(written(b"short")[:length])


def test_chunks_cannot_be_left_out_moved_repeated_or_added():
    head, chunks = chunks_of(written(*(bytes((number,)) * CHUNK_BYTES for number in range(4))))
    assert len(chunks) == 4
    first, second, third, last = chunks
    for others in (
        [first, second, third],
        [first, second],
        [first],
        [],
        [second, third, last],
        [first, third, last],
        [second, first, third, last],
        [first, second, third, last, last],
        [first, second, third, third, last],
        [last],
    ):
        with pytest.raises(BackupRefused):
            read(head + b"".join(others))
    with pytest.raises(BackupRefused, match="cut short"):
        read(head + first + second)


def test_a_chunk_is_of_one_backup():
    other = msgspec.structs.replace(HEADER, made_at=1.0)
    head = chunks_of(written(b"mine"))[0]
    chunks = chunks_of(written(b"mine", header=other))[1]
    with pytest.raises(BackupRefused, match="altered"):
        read(head + b"".join(chunks))


def test_another_key_gives_nothing():
    with pytest.raises(BackupRefused, match="altered"):
        read(written(b"mine"), key=bytes(32))


def test_a_newer_form_is_called_newer():
    content = bytearray(written(b"mine"))
    content[len(form.MAGIC)] = form.VERSION + 1
    with pytest.raises(BackupRefused, match="newer version of Kagimori"):
        read(bytes(content))


@pytest.mark.parametrize("content", [b"", b"x", b"SQLite format 3\0" * 100, form.MAGIC])
def test_other_files_are_no_backups(content):
    with pytest.raises(BackupRefused, match="is no backup"):
        read_header(io.BytesIO(content))


@pytest.mark.parametrize(
    "header", [b"", b"\xc1", msgspec.msgpack.encode({"backup_id": 1}), b"\x91" * 5000]
)
def test_a_header_that_is_none_is_damage(header):
    content = form.MAGIC + b"\x01" + len(header).to_bytes(4, "big") + header + bytes(100)
    with pytest.raises(BackupRefused, match="header cannot be read"):
        read_header(io.BytesIO(content))


def test_a_header_cannot_ask_for_memory():
    content = form.MAGIC + b"\x01" + b"\xff" * 4 + bytes(100)
    with pytest.raises(BackupRefused, match="header cannot be read"):
        read_header(io.BytesIO(content))


def test_memory_does_not_grow_with_the_size():
    """No more than two chunks are held, whatever is written at once or was written before."""

    class Counted(io.RawIOBase):
        largest = total = 0

        def write(self, data):
            self.largest, self.total = max(self.largest, len(data)), self.total + len(data)
            return len(data)

    out = Counted()
    encrypting = Encrypting(out, KEY, bytes(32))
    for _ in range(40):
        encrypting.write(bytes(300_000))
        assert len(encrypting._buffer) <= CHUNK_BYTES
    assert out.largest == SEALED_CHUNK
    assert out.total >= 11 * SEALED_CHUNK
