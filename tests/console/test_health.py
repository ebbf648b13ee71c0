"""Health, usage and cost as operators see them, and what others see in their place."""

import csv
import io

import pytest

from kit.console import PHONE, Visitor

PAGES = (
    "/health",
    "/health/requests",
    "/health/domain-keys",
    "/health/quotas",
    "/health/approvals",
    "/costs",
    "/costs?by=KEY",
    "/costs/twin?replay=yes&days=1",
)


def name_of(path):
    return path.strip("/").partition("?")[0].replace("/", "-")


@pytest.fixture(scope="module")
def used(server):
    """A key that was used a few times; its id."""
    kms = server.client("kms")
    key_id = kms.create_key(Description="<b>health</b>")["KeyMetadata"]["KeyId"]
    for _ in range(3):
        kms.encrypt(KeyId=key_id, Plaintext=b"0")
    return key_id


def pictures_are_drawn(page):
    """Wait until all pictures of the page are loaded; False if one is none."""
    return page.evaluate(
        """async () => {
          const all = [...document.querySelectorAll("main img")];
          for (const one of all) one.loading = "eager";
          await Promise.allSettled(all.map((one) => one.decode()));
          return all.every((one) => one.naturalWidth > 100);
        }"""
    )


@pytest.mark.parametrize("path", PAGES)
def test_an_operator_sees_each_part(root, used, path):
    page = root.go(path)
    assert page.locator("main .message.bad").count() == 0
    assert pictures_are_drawn(page)
    root.check_accessible()
    root.take_picture(f"{name_of(path)}-en")


def test_the_server_shows_its_hsm_its_nodes_and_its_trail(root):
    text = root.go("/health").inner_text("main")
    for expected in ("ready", "OPERATIONAL", "LIVE", "Lag"):
        assert expected in text


def test_a_month_is_downloaded_as_the_page_shows_it(root, used):
    page = root.go("/costs?by=OPERATION")
    assert "CreateKey" in page.inner_text("main")
    answer = page.request.get("/costs/usage.csv?by=OPERATION")
    rows = list(csv.DictReader(io.StringIO(answer.text())))
    assert {"CreateKey", "Encrypt"} <= {row["name"] for row in rows}
    assert "attachment" in answer.headers["content-disposition"]


def test_a_quota_is_set_and_set_back(root):
    page = root.go("/health/quotas")
    group = page.locator("#group option").first.inner_text()
    for number in ("77", ""):
        page.fill("#number", number)
        page.check("input[name=way][value=set]")
        page.click("main button.primary")
        assert group in page.inner_text(".message.good")
        row = page.locator("tbody tr", has_text=group).first
        assert (row.locator("td").nth(1).inner_text() == "77") == (number == "77")


def test_a_quota_that_is_refused_stays_typed(root):
    page = root.go("/health/quotas")
    page.fill("#number", "many<b>")
    page.click("main button.primary")
    assert "ValidationException" in page.inner_text(".message.bad")
    assert page.input_value("#number") == "many<b>"


@pytest.fixture(scope="module")
def customer(server):
    """The access key of root of another account."""
    return server.client("kagimori").create_account()["AccessKey"]


def test_others_see_why_not_and_the_parts_of_their_own_account(server, console, chromium, customer):
    made = Visitor(chromium, console, language="ja", theme="dark", size=PHONE)
    made.sign_in(customer["AccessKeyId"], customer["SecretAccessKey"])
    for path in PAGES:
        page = made.go(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], path
        made.check_accessible()
        made.take_picture(f"{name_of(path)}-ja-other")
    assert "運用者" in made.go("/health").inner_text("main")
    assert made.go("/health/quotas").locator("tbody tr").count() > 3
    other = made.go(f"/health/quotas?account={server.account}")
    assert other.locator("main .message.bad").count() == 1
    assert "AccessDenied" in made.go(f"/costs?account={server.account}").inner_text("main")
    made.close()


@pytest.mark.parametrize(
    "path",
    [
        "/costs?month=%3Cscript%3E",
        "/costs?account=%22%3E%3Cb%3E",
        "/costs/twin?replay=1&account=%3Cb",
    ],
)
def test_a_wrong_question_is_refused_in_its_place(root, path):
    page = root.go(path)
    assert "ValidationException" in page.inner_text(".message.bad")


def test_a_picture_has_a_policy_of_its_own(root, used):
    answer = root.page.request.get("/health/requests/operations.svg?theme=dark")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "script" not in answer.text()
