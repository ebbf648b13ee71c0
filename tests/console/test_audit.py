"""The audit trail as people look at it: searched, live, one event, the chain, and a proof."""

import re
import time

from botocore.exceptions import ClientError

from kit.console import PHONE, Visitor

HOSTILE = '"><img src=x onerror=alert(1)>'


def user_of(server, name):
    """Make a user without permissions; return its credentials."""
    iam = server.client("iam")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def refused(client, **members):
    """Have a call refused; return its request's id."""
    try:
        client.disable_key(**members)
    except ClientError as problem:
        return problem.response["ResponseMetadata"]["RequestId"]
    raise AssertionError("it was allowed")


def test_events_are_searched_looked_at_and_explained(server, root):
    kms = server.client("kms", user_agent_extra=HOSTILE)
    key_id = kms.create_key(Description=HOSTILE)["KeyMetadata"]["KeyId"]
    key, secret = user_of(server, "audit-alice")
    alice = server.client("kms", access_key=key, secret=secret)
    request_id = refused(alice, KeyId=key_id)

    page = root.go(f"/audit/events?request={request_id}")
    assert page.locator("tbody tr").count() == 1
    assert "AccessDenied" in page.inner_text("tbody")
    root.check_accessible()
    root.take_picture("audit-events")
    page.click("tbody a:has-text('DisableKey')")
    assert "audit-alice called DisableKey of kms.amazonaws.com" in page.inner_text("main")
    root.check_accessible()
    root.take_picture("audit-event")
    page.click("a.button:has-text('Why was this denied?')")
    page.wait_for_url(f"**/why/{request_id}")
    assert "kms:DisableKey" in page.inner_text("main")
    assert page.locator("h3:has-text('Add this statement to a policy of the caller')").count() == 1
    root.check_accessible()
    root.take_picture("why")

    statement = '{"Sid": "Offered", "Effect": "Allow", "Action": "kms:DisableKey"}'
    page = root.go(f"/keys/{key_id}/policy?add={statement}")
    assert "Offered" in page.input_value("#policy")
    assert "Enable IAM User Permissions" in page.input_value("#policy")

    for query in (f"resource={key_id}", "name=CreateKey&kind=changes", "failed=yes"):
        page = root.go(f"/audit/events?{query}")
        assert page.locator("tbody a").count() > 0, query
    page = root.go(f"/audit/events?resource={key_id}&name=CreateKey")
    page.click("tbody a:has-text('CreateKey')")
    assert "onerror=alert(1)" in page.inner_text("dl.facts")
    page = root.go("/audit/events?since=yesterday")
    assert "A time must look like" in page.inner_text("[role=alert]")
    page = root.go("/audit/event/00000000-0000-4000-8000-000000000000")
    assert page.inner_text("h1") == "There is no such event"
    page = root.go("/why")
    assert page.locator(f"a[href='/why/{request_id}']").count() == 1
    root.check_accessible()
    assert root.go("/why/no-such-request").inner_text("h1") == "The service refused"


def test_new_events_appear_by_themselves_until_paused(server, root):
    page = root.go("/audit/live")
    page.wait_for_selector("#count:has-text(': 0')")
    kms = server.client("kms")
    kms.create_key(Description="live")
    page.wait_for_selector("#events a:has-text('CreateKey')")
    assert page.locator("#events a:has-text('SearchEvents')").count() == 0
    root.check_accessible()
    root.take_picture("audit-live")
    page.click("#pause")
    assert page.inner_text("#pause") == "Go on"


def test_the_chain_and_a_proof_are_pages(server, console, chromium, root):
    key_id = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    page = root.go("/audit/status")
    assert "Intact" in page.inner_text("main")
    root.check_accessible()
    root.take_picture("audit-status")
    now = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() - 3600))
    page = root.go(f"/audit/proof?key={key_id}&since={now}")
    assert re.search("not used|was used|Nothing can be proved", page.inner_text("main"))
    root.check_accessible()
    root.take_picture("audit-proof")
    assert root.go("/audit/proof?key=no+key&since=1").locator("[role=alert]").count() == 1

    made = Visitor(chromium, console, language="ja", theme="dark", size=PHONE)
    made.sign_in(server.credentials.access_key, server.credentials.secret_key)
    for name in ("events", "live", "status", "proof"):
        page = made.go(f"/audit/{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
        made.check_accessible()
        made.take_picture(f"audit-{name}-ja-dark-phone")
    made.close()
