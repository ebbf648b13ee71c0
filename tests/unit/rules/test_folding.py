"""Letter case of names from outside: ASCII folds, nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagimori.front.patterns import SEPARATORS
from kagimori.rules.folding import TAG_CHARACTERS, fold
from kagimori.rules.identity import tags as identity_tags
from kagimori.rules.identity.bearer import Bearer
from kagimori.rules.identity.oidc_provider import read_url
from kagimori.rules.identity.refusals import InvalidInput, ValidationError
from kagimori.rules.keys import tags as key_tags

# Each is another letter than the ASCII one that Python makes of it, or that it matches.
STRANGERS = {"\u212a": "k", "\u017f": "s", "\u0130": "i", "\uff2b": "k", "\u03f4": "\u03b8"}


@given(st.text(max_size=30))
def test_only_ascii_folds(text):
    assert fold(text) == "".join(c.lower() if c.isascii() else c for c in text)


@pytest.mark.parametrize(("stranger", "letter"), STRANGERS.items())
def test_a_letter_that_looks_alike_is_another(stranger, letter):
    assert fold(stranger) != fold(letter)
    assert fold(stranger) == stranger


class Tag:
    def __init__(self, key, value=""):
        self.Key = self.TagKey = key
        self.Value = self.TagValue = value


def test_tags_whose_keys_differ_in_a_stranger_are_two():
    read = identity_tags.read_tags([Tag("ask"), Tag("as\u212a"), Tag("a\u017fk")])
    assert len(read) == 3
    assert identity_tags.without_tags(read, ["ASK"]).keys() == {"as\u212a", "a\u017fk"}
    with pytest.raises(InvalidInput):
        identity_tags.read_tags([Tag("ask"), Tag("ASK")])


def test_reserved_beginnings_are_ascii():
    assert key_tags.read_tags([Tag("aw\u017f:x")])
    for key in ("aws:x", "AWS:x", "aWs:x"):
        with pytest.raises(ValidationError):
            identity_tags.read_tags([Tag(key)])


@pytest.mark.parametrize("blank", ["\t", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x1f", "\x85"])
def test_a_tag_has_separators_but_no_controls(blank):
    with pytest.raises(ValidationError):
        identity_tags.read_tags([Tag(f"a{blank}b")])
    with pytest.raises(Exception, match="Invalid tag"):
        key_tags.read_tags([Tag(f"a{blank}b")])


def test_the_separators_are_those_of_the_service_models():
    assert SEPARATORS.strip() in TAG_CHARACTERS
    assert identity_tags.read_tags([Tag("a b\u2003c", "d\u00a0e")])


def test_names_of_users_fold_by_ascii():
    def folded(name):
        return Bearer(account_id="1" * 12, name=name, unique_id="x", created_at=0.0).folded

    assert folded("Alice") == folded("aLICE")
    assert folded("ali\u212a") != folded("alik")


@pytest.mark.parametrize("host", ["\u212aost.example", "ho\u017ft.example", "host\u0661.example"])
def test_a_provider_has_an_ascii_name(host):
    with pytest.raises(ValidationError):
        read_url(f"https://{host}")


def test_a_condition_key_is_spelled_in_ascii():
    from kagimori.rules.policy.evaluate import Effect, evaluate
    from unit.rules.policy.cast import compiled, question, statement

    # A key policy's text ends at U+00FF, but IAM's parser is asked with stored texts too.
    policy = compiled(statement(Condition={"StringEquals": {"aws:PrincipalTag/ASK": "1"}}))
    for key, effect in (("ask", Effect.ALLOW), ("as\u212a", Effect.NONE)):
        asked = question(values={f"aws:principaltag/{key}": "1"})
        assert evaluate(policy, asked).effect is effect
