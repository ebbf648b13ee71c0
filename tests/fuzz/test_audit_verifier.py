"""The audit verifier against mutations: it never crashes, and never calls a mutated trail intact.

KAGIMORI_AUDIT_MUTATIONS sets how many (2,000 in CI; 1,000,000 nightly), KAGIMORI_SEED the seed,
which is a new one each night and always the same otherwise.
"""

import os
import random
import time

import trails

MUTATIONS = int(os.environ.get("KAGIMORI_AUDIT_MUTATIONS", "2000"))
NIGHTLY = "KAGIMORI_NIGHTLY" in os.environ
SEED = int(os.environ.get("KAGIMORI_SEED", "0")) or (time.time_ns() if NIGHTLY else 20261126)


def flip(dice, content):
    at = dice.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << dice.randrange(8))]) + content[at + 1 :]


def cut(dice, content):
    start = dice.randrange(len(content))
    return content[:start] + content[start + dice.randrange(1, 200) :]


def insert(dice, content):
    start = dice.randrange(len(content) + 1)
    what = dice.choice((dice.randbytes(dice.randrange(1, 20)), b"\n", b"{}\n", b"}", b'"', b"\r"))
    return content[:start] + what + content[start:]


def truncate(dice, content):
    return content[: dice.randrange(len(content))]


def lines_of(content):
    return content.split(b"\n")[:-1] or [b""]


def joined(lines):
    return b"".join(line + b"\n" for line in lines)


def drop_line(dice, content):
    lines = lines_of(content)
    del lines[dice.randrange(len(lines))]
    return joined(lines)


def repeat_line(dice, content):
    lines = lines_of(content)
    lines.insert(dice.randrange(len(lines) + 1), dice.choice(lines))
    return joined(lines)


def shuffle_lines(dice, content):
    lines = lines_of(content)
    dice.shuffle(lines)
    return joined(lines)


def digits(dice, content):
    places = [at for at, byte in enumerate(content) if chr(byte).isdigit()]
    at = dice.choice(places or [0])
    return content[:at] + str(dice.randrange(10)).encode() + content[at + 1 :]


EDITS = (flip, flip, cut, insert, truncate, drop_line, repeat_line, shuffle_lines, digits)


def mutate(dice, trail):
    """Change one or a few files, or take one away; return whether anything is different."""
    before = trail.copy()
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        groups = [*trail.streams.values(), trail.digests, trail.checkpoints]
        group = dice.choice([group for group in groups if group])
        name = dice.choice(sorted(group))
        if dice.randrange(20) == 0:
            if group is trail.checkpoints:
                continue  # nobody can know that there was one
            del group[name]
        elif dice.randrange(20) == 0:
            other = dice.choice(sorted(group))
            group[name], group[other] = group[other], group[name]
        elif group[name]:
            group[name] = dice.choice(EDITS)(dice, group[name])
    return (trail.streams, trail.digests, trail.checkpoints) != (
        before.streams,
        before.digests,
        before.checkpoints,
    )


def test_no_mutation_is_called_intact():
    dice = random.Random(SEED)
    intact = trails.trail()
    assert intact.verify() == []
    tried = 0
    for number in range(MUTATIONS):
        trail = intact.copy()
        if not mutate(dice, trail):
            continue
        tried += 1
        assert trail.verify(), f"seed {SEED}, mutation {number}"
    assert tried > MUTATIONS * 0.8
