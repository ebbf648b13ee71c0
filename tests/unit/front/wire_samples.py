"""Values that a shape allows, made by rule from a seed."""

import random
import re
from datetime import UTC, datetime

from kagimori.front.patterns import python_pattern

SEEDS = (
    "a", "A", "ab1", "/", "/a/", "/division/", "1", "12", "123456", "123456789012", "v1", "A2B3",
    "us-east-1", "cluster-abcdefghijk", "a" * 64, "ab-cd", "http://localhost", "https://a.example",
    "arn:aws:s3:::bucket", "arn:aws:kms:us-east-1:123456789012:key/1", "s3://bucket/x",
    "arn:aws:iam::123456789012:role/r", "kms.us-east-1.amazonaws.com", "AKIAIOSFODNN7EXAMPLE",
    "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0", "/kms/xks/v1", "/a/kms/xks/v1",
    "o-abcdefghij", "o-abcdefghij/r-abcd", "p-abcdefgh1", "12:00", "ec2.amazonaws.com",
    "a<b>&\"c'\r\n\t d", "\u00e9\u00fc", "key=value",
)  # fmt: skip


def text(shape, rng):
    if shape.enum:
        return rng.choice(shape.enum)
    low, high = shape.min or 0, shape.max if shape.max is not None else 1 << 20
    pattern = re.compile(python_pattern(shape.pattern or "(?s).*"))
    grown = [seed + seed[-1] * (low - len(seed)) for seed in SEEDS]
    fits = [seed for seed in grown if low <= len(seed) <= high and pattern.match(seed)]
    assert fits, f"no sample for {shape}"
    return rng.choice(fits)


def value(shapes, shape, rng, *, rich=0.7, empty=True):
    """Return a value; without `empty`, none that a form could not show."""

    def inner(ref):
        return value(shapes, shapes[ref.shape], rng, rich=rich * 0.9, empty=empty)

    if shape.type == "structure":
        names = [n for n in shape.members if n in shape.required or rng.random() < rich]
        if not (names or empty):
            names = list(shape.members)[:1]
        return {name: inner(shape.members[name]) for name in names}
    if shape.type == "list":
        return [inner(shape.member) for _ in range(count(shape, rng))]
    if shape.type == "map":
        entries = max(count(shape, rng), 0 if empty else 1)
        return {text(shapes[shape.key.shape], rng): inner(shape.value) for _ in range(entries)}
    return scalar(shape, rng)


def count(shape, rng):
    return max(shape.min or 0, min(rng.randint(0, 3), shape.max or 3))


def scalar(shape, rng):
    if shape.type == "string":
        return text(shape, rng)
    if shape.type == "blob":
        return rng.randbytes(min(max(shape.min or 0, rng.randint(0, 40)), shape.max or 40))
    if shape.type == "boolean":
        return rng.random() < 0.5
    if shape.type in {"integer", "long"}:
        low = shape.min if shape.min is not None else -1000
        return rng.randint(low, shape.max if shape.max is not None else max(low, 1000))
    if shape.type == "timestamp":
        return datetime.fromtimestamp(rng.randint(0, 4_000_000_000), UTC)
    return rng.randint(-100, 100) / 4


def plain(thing):
    """Return a value with its timestamps as seconds and without absent members."""
    if isinstance(thing, dict):
        return {name: plain(inner) for name, inner in thing.items() if inner is not None}
    if isinstance(thing, list):
        return [plain(inner) for inner in thing]
    return thing.timestamp() if isinstance(thing, datetime) else thing


def members(struct):
    """Return a struct as dicts, deeply."""
    if hasattr(struct, "__struct_fields__"):
        return {
            name: members(getattr(struct, name))
            for name in struct.__struct_fields__
            if getattr(struct, name) is not None
        }
    if isinstance(struct, dict):
        return {name: members(inner) for name, inner in struct.items()}
    if isinstance(struct, list):
        return [members(inner) for inner in struct]
    return struct


def source(*names):
    return random.Random("/".join(map(str, names)))
