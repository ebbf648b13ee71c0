"""Every optional member of every operation, sent empty: it counts as absent, or is refused.

Tools send empty maps, lists and strings for "nothing". The members come from the service models.
One that its model gives a least length, an enumeration or a pattern is refused by the front, in
AWS's words; any other comes to exactly what the request without it comes to.
"""

import re
from urllib.parse import urlencode

import msgspec
import pytest

from kagimori.front import json11, query
from kagimori.operations.registry import OPERATIONS
from kagimori.rules.identity.refusals import ValidationError
from kagimori.rules.refusal import Refusal, ValidationException
from kit.hsm import reply_to
from kit.iam_story import iam_story
from kit.kms_story import kms_story
from kit.sts_story import cloudtrail_story, cloudtrail_trial, sts_story, sts_trial
from kit.trial import MODELS, Trial, allow

EMPTY = {"string": "", "blob": b"", "list": [], "map": {}, "structure": {}}
# Sent empty, a description is taken away; and who asked for an answer to an attested recipient
# alone must not get it in plain.
MEANT = {("UpdateRole", ("Description",))} | {
    (name, ("Recipient",))
    for name in (
        "Decrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "DeriveSharedSecret",
        "GenerateRandom",
    )
}
# Inside what no story has: a structure that is refused or ignored as a whole, and web identity,
# whose session policies are read as those of AssumeRole.
ELSEWHERE = {
    ("CreateOpenIDConnectProvider", ("ContextProvider", "KeyDefinitionList")),
    ("CreateOpenIDConnectProvider", ("ContextProvider", "SubjectTypeValue")),
    ("AssumeRoleWithWebIdentity", ("PolicyArns",)),
    ("SearchKeys", ("TagValue",)),
}
WALKED = sorted((service, name) for service, name in OPERATIONS if service in MODELS)


def members(service, name):
    """Yield the path and the shape of each optional member that can be empty, nested ones too."""
    model = MODELS[service]

    def within(shape, path):
        for member, ref in shape.members.items():
            inner = model.shapes[ref.shape]
            if member not in shape.required and inner.type in EMPTY:
                yield (*path, member), inner
            element = inner
            while element.type == "list":
                element = model.shapes[element.member.shape]
            if element.type == "structure":
                yield from within(element, (*path, member))

    yield from within(model.operation(name).input_shape, ())


def is_refused_by_the_front(shape):
    pattern = shape.pattern and not shape.pattern.endswith("*")
    return bool(shape.min or shape.enum or shape.required or pattern)


EMPTIES = [
    pytest.param(service, name, path, shape, id=f"{name}.{'.'.join(path)}")
    for service, name in WALKED
    for path, shape in members(service, name)
]
REFUSED = [one for one in EMPTIES if is_refused_by_the_front(one.values[3])]
LEFT = {(one.values[1], one.values[2]) for one in EMPTIES if one not in REFUSED}


def nested(service, name, path, value):
    """Return the members of a request with one in it, at its path."""
    model = MODELS[service]
    shapes, shape = [], model.operation(name).input_shape
    for member in path:
        while shape.type == "list":
            shape = model.shapes[shape.member.shape]
        shape = model.shapes[shape.members[member].shape]
        shapes.append(shape)
    for member, shape in zip(reversed(path), reversed(shapes), strict=True):
        value = {member: [value] if shape.type == "list" and member != path[-1] else value}
    return value


def form(members, prefix=""):
    """Return the fields of a Query request, as clients send them: an empty list as no text."""
    fields = {}
    for name, value in members.items():
        if isinstance(value, dict) and value:
            fields |= form(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value:
            fields |= form(value[0], f"{prefix}{name}.member.1.")
        else:
            fields[prefix + name] = ""
    return fields


@pytest.mark.parametrize(("service", "name", "path", "shape"), REFUSED)
def test_an_empty_value_that_the_model_forbids_is_refused_in_aws_words(service, name, path, shape):
    model = MODELS[service]
    sent = nested(service, name, path, EMPTY[shape.type])
    with pytest.raises((ValidationException, ValidationError)) as refused:
        if model.protocol == "query":
            fields = query.parse_form(b"", urlencode(form(sent)).encode())
            query.decode(model, model.operation(name), fields)
        else:
            json11.decode(model, model.operation(name), msgspec.json.encode(sent))
    last = path[-1][0].lower() + path[-1][1:]
    named = rf"at '[^']*{last}(\.\w+)?' failed to satisfy constraint: Member must"
    assert re.search(named, refused.value.message)


def outcome(trial, service, name, by, given):
    """Return all that a call comes to, but for when."""
    try:
        tried = trial.call(name, reply_to, service=service, by=by, **given)
    except Refusal as refusal:
        return type(refusal), refusal.message
    return tried.needs, tried.command, tried.answer, tried.outcome.writes


def changed_at(given, path, value):
    """Return the members with the one at a path replaced, or taken out; None without its parent."""
    name, *rest = path
    if not rest:
        left = {member: kept for member, kept in given.items() if member != name}
        return left if value is None else left | {name: value}
    if not given.get(name):
        return None
    listed = given[name] if isinstance(given[name], list) else [given[name]]
    inner = changed_at(listed[0], rest, value)
    if inner is None:
        return None
    return given | {name: [inner] if isinstance(given[name], list) else inner}


class EveryEmpty:
    """Goes through a story, and tries each of its calls with each empty member as well."""

    def __init__(self, service, trial):
        self.service, self.trial = service, trial
        self.tried, self.different = set(), set()

    def __call__(self, name, by=None, **given):
        caller = by and self.trial.caller_named(by)
        for path, shape in members(self.service, name):
            empty = changed_at(given, path, EMPTY[shape.type])
            if empty is None or is_refused_by_the_front(shape):
                continue
            absent = changed_at(given, path, None)
            come_to = [
                outcome(self.trial.copy(), self.service, name, caller, sent)
                for sent in (absent, empty)
            ]
            self.tried.add((name, path))
            if come_to[0] != come_to[1]:
                self.different.add((name, path))
        made = self.trial.call(name, reply_to, service=self.service, by=caller, **given)
        return made.answer


def test_any_other_empty_value_counts_as_absent():
    kms = Trial()
    kms.user("alice", allow("*"))
    walks = {
        "kms": (EveryEmpty("kms", kms), kms_story),
        "iam": (EveryEmpty("iam", Trial()), iam_story),
        "sts": (EveryEmpty("sts", sts_trial()), sts_story),
        "cloudtrail": (EveryEmpty("cloudtrail", cloudtrail_trial()), cloudtrail_story),
    }
    for walk, story in walks.values():
        story(walk)
    assert set().union(*(walk.different for walk, _ in walks.values())) == MEANT
    assert LEFT - set().union(*(walk.tried for walk, _ in walks.values())) == ELSEWHERE
