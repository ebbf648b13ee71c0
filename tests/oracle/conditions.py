"""Patterns and conditions of the obvious evaluator: slow, literal, from the reference (9.7, 9.8)."""

import base64
import ipaddress
from datetime import UTC, datetime
from fractions import Fraction

MULTI = {"kms:encryptioncontextkeys", "kms:grantoperations", "kms:resourcealiases", "aws:tagkeys"}


class Cannot(Exception):
    """Something has no meaning."""


def lower(text):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


# --- patterns: a list of ("char", c), ("star", crosses_colons), ("mark", crosses_colons) -----------


def fits(pattern, text):
    """Fill the table: reach[i][j] says that i items of the pattern fit j characters."""
    row = [True] + [False] * len(text)
    for what, arg in pattern:
        new = [False] * (len(text) + 1)
        if what == "star":
            new[0] = row[0]
        for j, c in enumerate(text):
            wild = arg or c != ":"
            if what == "char":
                new[j + 1] = row[j] and c == arg
            elif what == "mark":
                new[j + 1] = row[j] and wild
            else:
                new[j + 1] = row[j + 1] or (new[j] and wild)
        row = new
    return row[-1]


def items(text, values, variables, wildcards):
    """Text to pattern items; a variable becomes ("char", …) items, or raises LookupError."""
    result, i = [], 0
    while i < len(text):
        if variables and text.startswith("${", i):
            end = text.find("}", i)
            if end < 0:
                raise Cannot
            inside = text[i + 2 : end]
            i = end + 1
            if inside in ("*", "?", "$"):
                result.append(("char", inside))
                continue
            name, comma, default = inside.partition(",")
            default = default.strip()
            if comma and not (len(default) >= 2 and default[0] == default[-1] == "'"):
                raise Cannot
            if not name.strip() or "'" in name or "{" in inside or "'" in default[1:-1]:
                raise Cannot
            found = values.get(lower(name.strip()))
            if lower(name.strip()) in MULTI or not found or len(found) != 1:
                if not comma:
                    result.append(("null", None))
                    continue
                found = [default[1:-1]]
            result.append(("data", found[0]))
        else:
            c = text[i]
            kind = {"*": "star", "?": "mark"}.get(c, "char") if wildcards else "char"
            result.append((kind, c))
            i += 1
    return result


def spread(pieces):
    """Data to single characters; None when a variable had no value."""
    if any(kind == "null" for kind, _ in pieces):
        return None
    out = []
    for kind, arg in pieces:
        out += [("char", c) for c in arg] if kind == "data" else [(kind, arg)]
    return out


def parts_of(pieces):
    parts = [[]]
    for kind, arg in pieces:
        if (kind, arg) == ("char", ":") and len(parts) < 6:
            parts.append([])
        else:
            parts[-1].append((kind, arg))
    return parts


def resource_fits(entry, resource, values, variables):
    """True, False, or None for an entry whose variable has no value or that is no pattern."""
    try:
        parts = parts_of(items(entry, values, variables, True))
    except Cannot:
        return None
    if parts == [[("star", "*")]]:
        return True
    if len(parts) < 3 or any(kind != "char" for kind, _ in parts[2]):
        return None
    pattern = []
    for number, part in enumerate(parts):
        if number:
            pattern.append(("char", ":"))
        ready = spread(part)
        if ready is None:
            return None
        for place, (kind, arg) in enumerate(ready):
            crosses = number == 5 or (kind == "star" and place == len(part) - 1)
            pattern.append((kind, arg if kind == "char" else crosses))
    return fits(pattern, resource)


def action_fits(entry, action):
    return fits(
        [(k, c if k == "char" else True) for k, c in items(lower(entry), {}, False, True)],
        lower(action),
    )


# --- conditions -----------------------------------------------------------------------------------


def read_number(text):
    body = text[1:] if text[:1] in ("+", "-") and text else text
    whole, dot, part = body.partition(".")
    if (
        not whole.isascii()
        or not whole.isdigit()
        or (dot and not (part.isascii() and part.isdigit()))
    ):
        raise Cannot
    return Fraction(text)


def read_date(text):
    if "-" not in text[1:]:
        return read_number(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Cannot from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    gap = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return Fraction(gap.days * 86400 + gap.seconds) + Fraction(gap.microseconds, 10**6)


def read_bool(text):
    if lower(text) not in ("true", "false"):
        raise Cannot
    return lower(text)


def read_bytes(text):
    if len(text) % 4 or "=" in text[:-2]:
        raise Cannot
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Cannot from None


def read_ip(text, many):
    try:
        return ipaddress.ip_network(text, strict=False) if many else ipaddress.ip_address(text)
    except ValueError:
        raise Cannot from None


ORDER = {
    "Equals": lambda a, b: a == b, "LessThan": lambda a, b: a < b, "LessThanEquals": lambda a, b: a <= b,
    "GreaterThan": lambda a, b: a > b, "GreaterThanEquals": lambda a, b: a >= b,
}  # fmt: skip


def one(name, value, operand, values, variables):
    """Whether one value fits one operand, under a positive operator."""
    if name.startswith(("String", "Arn")):
        wild = name == "StringLike" or name.startswith("Arn")
        pieces = items(operand, values, variables, wild)
        if name.startswith("Arn"):
            return arn_fits(pieces, value)
        ready = spread(pieces)
        if ready is None:
            return False
        if name == "StringEqualsIgnoreCase":
            return "".join(c for _, c in ready).lower() == value.lower()
        return fits([(k, c if k == "char" else True) for k, c in ready], value)
    for family, read in (("Numeric", read_number), ("Date", read_date)):
        if name.startswith(family):
            return ORDER[name.removeprefix(family)](read(value), read(operand))
    if name == "Bool":
        return read_bool(value) == read_bool(operand)
    if name == "BinaryEquals":
        return read_bytes(value) == read_bytes(operand)
    address, net = read_ip(value, False), read_ip(operand, True)
    return address.version == net.version and address in net


def arn_fits(pieces, value):
    lone = len(pieces) == 1 and pieces[0][0] not in ("mark", "char")
    parts = parts_of(pieces)
    if not lone and len(parts) != 6:
        raise Cannot
    found = value.split(":", 5)
    ready = [spread(part) for part in parts]
    if any(part is None for part in ready) or len(found) != 6:
        return False
    if lone:
        return fits([(k, c if k == "char" else True) for k, c in ready[0]], value)
    return all(
        fits([(k, c if k == "char" else True) for k, c in p], f)
        for p, f in zip(ready, found, strict=True)
    )


POSITIVE = {
    "StringNotEquals": "StringEquals", "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike", "NumericNotEquals": "NumericEquals", "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress", "ArnNotEquals": "ArnEquals", "ArnNotLike": "ArnLike",
}  # fmt: skip
KNOWN = {
    "StringEquals", "StringEqualsIgnoreCase", "StringLike", "Bool", "BinaryEquals", "IpAddress",
    "ArnEquals", "ArnLike", *("Numeric" + o for o in ORDER), *("Date" + o for o in ORDER), *POSITIVE,
}  # fmt: skip


def condition_holds(operator, key, operands, values, variables, denies, in_key_policy):
    key = lower(key)
    found = values.get(key) or None
    if key == "kms:resourcealiases" and in_key_policy and not denies:
        return False
    if operator == "Null":
        hits = [(read_bool(o) == "true") == (found is None) for o in operands]
        return any(hits)
    quantifier, _, bare = operator.rpartition(":")
    exists = bare.endswith("IfExists")
    bare = bare.removesuffix("IfExists")
    if quantifier not in ("", "ForAllValues", "ForAnyValue") or bare not in KNOWN:
        raise Cannot
    negated = bare in POSITIVE
    name = POSITIVE.get(bare, bare)
    for operand in operands:  # an operand that cannot be read has no meaning, whatever is asked
        probe = {"A": "arn:a:b:c:d:e", "N": "1", "D": "1", "I": "::1", "S": "", "B": "true"}
        one(name, "AAAA" if name == "BinaryEquals" else probe[name[0]], operand, values, variables)
    if found is None:
        return exists or quantifier == "ForAllValues" or (quantifier == "" and negated)
    if quantifier == "" and key in MULTI and not denies:
        return False
    matches = []
    for value in found:
        hits = [one(name, value, operand, values, variables) for operand in operands]
        matches.append(any(hits) != negated)
    if quantifier == "ForAnyValue" or (quantifier == "" and denies):
        return any(matches)
    return all(matches)
