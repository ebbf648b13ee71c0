"""Language, theme, region, roles and sign-out, as people choose them in the header."""

import json

import pytest

from kit.console import PHONE, Visitor, visitor


def opened(made, name):
    """Open a menu of the header; return it."""
    menu = made.page.locator("details.menu", has=made.page.locator("summary", has_text=name))
    menu.locator("summary").click()
    return menu


def test_language_and_theme_stay_where_they_were_chosen(chromium, console):
    with visitor(chromium, console, size=PHONE) as made:
        page = made.go("/sign-in?way=root")
        assert page.get_attribute("html", "lang") == "en"
        opened(made, "Language and theme").get_by_text("日本語").click()
        assert page.url.endswith("/sign-in?way=root")
        assert page.get_attribute("html", "lang") == "ja"
        assert page.locator("h1").inner_text() == "サインイン"
        opened(made, "言語とテーマ").get_by_text("ダーク").click()
        assert page.get_attribute("html", "data-theme") == "dark"
        made.check_accessible()
        made.take_picture("sign-in-ja-dark-390")
        assert made.go("/sign-in").get_attribute("html", "lang") == "ja"


@pytest.mark.parametrize("way", ["user", "root", "key", "link"])
def test_each_way_to_sign_in_is_accessible(stranger, way):
    stranger.go(f"/sign-in?way={way}")
    stranger.check_accessible()
    stranger.take_picture(f"sign-in-{way}")


def test_a_wrong_access_key_is_refused_in_the_services_words(stranger):
    page = stranger.go("/sign-in?way=key")
    page.fill("#access-key-id", "AKIAIOSFODNN7EXAMPLE")
    page.fill("#secret", "wrong")
    page.click("main button.primary")
    page.wait_for_selector(".message.bad")
    assert "UnrecognizedClientException" in page.inner_text(".message.bad")
    assert "wrong" not in page.content().partition("message bad")[2]


def test_after_signing_in_people_are_where_they_wanted_to_be(server, stranger):
    page = stranger.go("/stories")
    assert "/sign-in" in page.url
    page.goto(page.url + "&way=key")
    key = server.credentials
    page.fill("#access-key-id", key.access_key)
    page.fill("#secret", key.secret_key)
    page.click("main button.primary")
    page.wait_for_url("**/stories")


def test_signing_out_ends_it(root):
    page = root.go("/stories")
    opened(root, "root").get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_selector("text=You are signed out.")
    assert "/sign-in" in root.go("/stories").url


def test_a_user_switches_to_a_role_and_back(server, chromium, console):
    iam = server.client("iam")
    user = iam.create_user(UserName="alice-of-the-console")["User"]
    key = iam.create_access_key(UserName=user["UserName"])["AccessKey"]
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": user["Arn"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam.create_role(RoleName="keeper", AssumeRolePolicyDocument=json.dumps(trust))
    made = Visitor(chromium, console).sign_in(key["AccessKeyId"], key["SecretAccessKey"])
    page = made.go("/switch-role")
    made.check_accessible()
    page.fill("#role", "nobody")
    page.click("main button.primary")
    page.wait_for_selector(".message.bad")
    page.fill("#role", "keeper")
    page.click("main button.primary")
    page.wait_for_selector("summary:has-text('keeper/alice-of-the-console')")
    assert server.account in page.inner_text("header")
    opened(made, "keeper").get_by_text("Switch back").click()
    page.wait_for_selector("summary:has-text('alice-of-the-console @')")
    made.close()


def test_a_region_is_chosen_in_the_header(server, chromium):
    from kit.console import console_of

    with console_of(server.url, "--region", "eu-west-1", region=server.region) as url:
        key = server.credentials
        made = Visitor(chromium, url).sign_in(key.access_key, key.secret_key)
        opened(made, server.region).get_by_text("eu-west-1").click()
        made.page.wait_for_selector("summary:has-text('eu-west-1')")
        made.close()


def test_people_reach_everything_by_keyboard(stranger):
    page = stranger.go("/sign-in?way=key")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#content"
    page.focus("summary")
    page.keyboard.press("Enter")
    assert page.locator("details.menu[open]").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("details.menu[open]").count() == 0


def test_a_page_without_scripts_works(server, chromium, console):
    context = chromium.new_context(base_url=console, java_script_enabled=False)
    page = context.new_page()
    page.goto("/sign-in?way=key")
    key = server.credentials
    page.fill("#access-key-id", key.access_key)
    page.fill("#secret", key.secret_key)
    page.click("main button.primary")
    assert page.locator("nav.side").count() == 1
    context.close()
