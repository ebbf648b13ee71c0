"""Signing in by password, MFA code and a link for one use, as people do."""

from kit.console import visitor
from totp import code

PASSWORD = "Correct-horse-7"
NEW_PASSWORD = "Correct-horse-8"


def user_with_password(server, name, **profile):
    iam = server.client("iam")
    iam.create_user(UserName=name)
    iam.create_login_profile(UserName=name, Password=PASSWORD, **profile)
    return name


def typed(made, server, name, password=PASSWORD):
    """Fill in the form of an IAM user, and send it."""
    page = made.go("/sign-in")
    page.fill("#account", server.account)
    page.fill("#user", name)
    page.fill("#password", password)
    page.click("main button.primary")
    return page


def test_a_user_signs_in_by_password(server, stranger):
    name = user_with_password(server, "alice-with-password")
    page = typed(stranger, server, name, "wrong-Password-7")
    page.wait_for_selector(".message.bad")
    refused = page.inner_text(".message.bad")
    assert "wrong-Password-7" not in page.content()
    typed(stranger, server, "nobody-there")
    page.wait_for_selector(".message.bad")
    assert (
        page.inner_text(".message.bad").partition("Request")[0] == refused.partition("Request")[0]
    )
    typed(stranger, server, name)
    page.wait_for_selector(f"summary:has-text('{name} @')")
    events = server.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "ConsoleLogin"}]
    )["Events"]
    assert any(event.get("Username") == name for event in events)


def test_a_password_that_is_due_is_changed_first(server, stranger):
    name = user_with_password(server, "bob-with-a-due-password", PasswordResetRequired=True)
    page = typed(stranger, server, name)
    page.wait_for_selector("#new-password")
    stranger.check_accessible()
    page.fill("#new-password", NEW_PASSWORD)
    page.fill("#again", "another")
    page.click("main button.primary")
    page.wait_for_selector("text=The two passwords are not the same.")
    page.fill("#new-password", "short")
    page.fill("#again", "short")
    page.click("main button.primary")
    page.wait_for_selector(".message.bad")
    page.fill("#new-password", NEW_PASSWORD)
    page.fill("#again", NEW_PASSWORD)
    page.click("main button.primary")
    page.wait_for_selector(f"summary:has-text('{name} @')")


def test_a_code_is_asked_for_where_there_is_a_device(server, chromium, console):
    name = user_with_password(server, "carol-with-a-device")
    iam = server.client("iam")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    seed = device["Base32StringSeed"].decode()
    import time

    now = time.time()
    iam.enable_mfa_device(
        UserName=name,
        SerialNumber=device["SerialNumber"],
        AuthenticationCode1=code(seed, now - 60),
        AuthenticationCode2=code(seed, now - 30),
    )
    with visitor(chromium, console) as made:
        page = typed(made, server, name)
        page.wait_for_selector("#code")
        made.check_accessible()
        assert PASSWORD not in page.content()
        page.fill("#code", code(seed, now))
        page.click("main button.primary")
        page.wait_for_selector(f"summary:has-text('{name} @')")


def test_a_link_signs_in_once(server, chromium, console):
    token = server.client("kagimori").create_sign_in_token()["SignInToken"]
    with visitor(chromium, console) as made:
        page = made.go(f"/sign-in#token={token}")
        page.wait_for_selector("summary:has-text('root @')")
        assert token not in page.url
    with visitor(chromium, console) as made:
        page = made.go(f"/sign-in#token={token}")
        page.wait_for_selector(".message.bad")


def test_signing_out_everywhere_ends_the_other_browser(server, chromium, console):
    name = user_with_password(server, "dan-with-two-browsers")
    with visitor(chromium, console) as one, visitor(chromium, console) as other:
        for made in (one, other):
            typed(made, server, name).wait_for_selector("nav.side")
        one.page.click("summary:has-text('@')")
        one.page.click("text=Sign out everywhere")
        one.page.wait_for_selector("text=You are signed out.")
        assert "/sign-in" in other.go("/keys").url


def test_a_user_changes_the_own_password(server, stranger):
    name = user_with_password(server, "erin-with-a-new-password")
    server.client("iam").attach_user_policy(
        UserName=name, PolicyArn="arn:aws:iam::aws:policy/IAMUserChangePassword"
    )
    typed(stranger, server, name).wait_for_selector("nav.side")
    page = stranger.go("/me")
    stranger.check_accessible()
    page.goto("/me/password")
    page.fill("#old", "wrong-Password-7")
    page.fill("#new", NEW_PASSWORD)
    page.fill("#again", NEW_PASSWORD)
    page.click("main button.primary, main button.danger")
    page.wait_for_selector(".message.bad")
    page.fill("#old", PASSWORD)
    page.fill("#new", NEW_PASSWORD)
    page.fill("#again", NEW_PASSWORD)
    page.click("main button.primary, main button.danger")
    page.wait_for_selector("text=Your password was changed.")
    page.click("summary:has-text('@')")
    page.click("text=Sign out >> nth=0")
    typed(stranger, server, name).wait_for_selector(".message.bad")
    typed(stranger, server, name, NEW_PASSWORD).wait_for_selector("nav.side")


def test_root_sets_a_password_and_signs_in_by_it(server, root, chromium, console):
    page = root.go("/me")
    root.check_accessible()
    page.goto("/me/password")
    page.fill("#new", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("main button.primary, main button.danger")
    page.wait_for_selector("text=Your password was changed.")
    with visitor(chromium, console) as made:
        page = made.go("/sign-in?way=root")
        page.fill("#account", server.account)
        page.fill("#password", PASSWORD)
        page.click("main button.primary")
        page.wait_for_selector("summary:has-text('root @')")
