"""What a test may choose of a new key in `dev`, and that nothing may be chosen elsewhere."""

import base64

import pytest

from kagimori.dev.given_material import ID_TAG, MATERIAL_TAG, GivenMaterial
from kagimori.gate.asked import NewKeyChoices, Settings
from kagimori.rules.refusal import ValidationException

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
TAGS = {ID_TAG: KEY_ID, MATERIAL_TAG: base64.b64encode(bytes(32)).decode(), "team": "red"}


def test_tags_choose_in_dev():
    choices = GivenMaterial()
    assert choices.key_id(TAGS) == KEY_ID
    assert choices.material(TAGS) == bytes(32)
    assert choices.kept(TAGS) == {"team": "red"}


def test_tags_are_tags_elsewhere():
    choices = Settings().new_key_choices
    assert type(choices) is NewKeyChoices
    assert (choices.key_id(TAGS), choices.material(TAGS), choices.kept(TAGS)) == (None, None, TAGS)


@pytest.mark.parametrize("text", ["", "key", KEY_ID + "\n", KEY_ID.upper(), "mrk-1"])
def test_an_id_that_no_key_can_have_is_refused(text):
    with pytest.raises(ValidationException):
        GivenMaterial().key_id({ID_TAG: text})


@pytest.mark.parametrize("text", ["!", "QUJ", "é"])
def test_material_that_is_not_base64_is_refused(text):
    with pytest.raises(ValidationException):
        GivenMaterial().material({MATERIAL_TAG: text})
