"""The lists of keys as people use them."""

import pytest

from kit.console import PHONE, Visitor

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def keys(server):
    """Keys of several kinds; the name of each and its id."""
    kms = server.client("kms")
    made = {}

    def make(name, *aliases, tags=(), **given):
        tags = [{"TagKey": key, "TagValue": value} for key, value in tags]
        made[name] = kms.create_key(Tags=tags, **given)["KeyMetadata"]["KeyId"]
        for alias in aliases:
            kms.create_alias(AliasName=f"alias/{alias}", TargetKeyId=made[name])

    make("orders", "list-orders", "list-orders-old", tags=[("team", "list-shop")])
    make("hostile", "list-hostile", Description=HOSTILE, tags=[(HOSTILE[1:9].strip("<>= "), "v")])
    make("signing", "list-signing", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    make("multi", "list-multi", MultiRegion=True)
    make("external", "list-external", Origin="EXTERNAL")
    make("disabled", "list-disabled")
    kms.disable_key(KeyId=made["disabled"])
    kms.describe_key(KeyId="alias/aws/s3")
    return made


def shown(page):
    return page.locator("tbody tr td:nth-child(2) code").all_inner_texts()


def test_keys_are_listed_filtered_and_sorted(root, keys):
    page = root.go("/keys")
    root.check_accessible()
    root.take_picture("keys-en-light-1280")
    page.fill("#alias", "LIST-")
    page.click("form.filter button")
    assert set(shown(page)) == set(keys.values())
    page.click("th >> text=Aliases")
    assert shown(page)[0] == keys["disabled"]
    page.click("th >> text=Aliases")
    assert shown(page)[0] == keys["signing"]
    assert "alias=LIST-" in page.url
    assert "order=-alias" in page.url
    root.check_accessible()
    page.click("text=Clear filters")
    assert "alias" not in page.url


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=Disabled", "disabled"),
        ("spec=ECC_NIST_P256", "signing"),
        ("usage=SIGN_VERIFY", "signing"),
        ("origin=EXTERNAL", "external"),
        ("kind=PRIMARY", "multi"),
        ("tag=team%3Dlist-shop", "orders"),
    ],
)
def test_a_filter_is_in_the_address(root, keys, query, expected):
    assert shown(root.go(f"/keys?alias=list-&{query}")) == [keys[expected]]


def test_text_of_others_is_text(root, keys):
    page = root.go("/keys?alias=list-hostile")
    assert page.locator("td >> text=" + HOSTILE[:20]).count() == 1
    assert page.locator("main img").count() == 0
    page = root.go("/keys?alias=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert page.input_value("#alias") == '"><script>alert(1)</script>'


def test_a_filter_that_nothing_fits_says_so_and_a_bad_place_begins_anew(root):
    page = root.go("/keys?alias=nothing-has-this")
    assert page.locator("td >> text=No key fits the filter.").count() == 1
    page = root.go("/keys?after=e30%3D")
    assert "after" not in page.url
    assert shown(page)


def test_aws_managed_keys_and_key_stores_have_lists_of_their_own(root, keys):
    page = root.go("/keys/aws-managed")
    assert page.locator("td >> text=aws/s3").count() == 1
    assert page.locator("nav.side a[aria-current]").all_inner_texts() == ["AWS managed keys"]
    root.check_accessible()
    page = root.go("/key-stores")
    assert page.locator("td").all_inner_texts() == [
        "There are no custom key stores in this region."
    ]
    root.check_accessible()


def test_a_phone_shows_the_list_in_japanese(server, console, chromium, keys):
    made = Visitor(chromium, console, language="ja", theme="dark", size=PHONE)
    made.sign_in(server.credentials.access_key, server.credentials.secret_key)
    page = made.go("/keys?alias=list-")
    assert page.locator("h1").inner_text() == "カスタマー管理型のキー"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    made.check_accessible()
    made.take_picture("keys-ja-dark-390")
    made.close()
