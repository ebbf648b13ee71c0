"""Trying a key, and importing material, as people do it."""

import base64
import os
import shutil
import subprocess

import pytest

from kagimori_console.pages.keys.import_commands import import_commands
from kit.console import PHONE, Visitor
from serving import environment

SECRET = "</textarea><script>alert(1)</script>"


@pytest.fixture(scope="module")
def kms(server):
    return server.client("kms")


def submit(page):
    page.click("main form button.primary")


def answer(page, number=0):
    return page.locator("pre.answer").nth(number).inner_text()


def test_what_was_encrypted_is_decrypted_and_stays_out_of_addresses(root, kms):
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    page = root.go(f"/keys/{key_id}/try")
    page.fill("#input", SECRET)
    page.fill("#context", "tenant=7")
    submit(page)
    ciphertext = answer(page)
    root.check_accessible()
    root.take_picture("try-encrypt-en")
    found = kms.decrypt(
        CiphertextBlob=base64.b64decode(ciphertext), EncryptionContext={"tenant": "7"}
    )
    assert found["Plaintext"].decode() == SECRET
    commands = page.locator("main pre").all_inner_texts()
    assert any("aws kms encrypt" in one for one in commands)
    assert SECRET not in page.url
    page.click("nav.tabs >> text=Decrypt")
    assert "…" in page.locator("main pre").first.inner_text()
    page.fill("#input", ciphertext)
    submit(page)
    assert "InvalidCiphertextException" in page.locator("main").inner_text()
    page.fill("#context", "tenant=7")
    submit(page)
    assert answer(page) == SECRET
    page.click("nav.tabs >> text=GenerateDataKey")
    submit(page)
    opened = kms.decrypt(CiphertextBlob=base64.b64decode(answer(page, 1)))["Plaintext"]
    assert opened == base64.b64decode(answer(page))


def test_signatures_and_codes_are_made_and_verified(root, kms):
    for given, make, verify in (
        ({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}, "Sign", "Verify"),
        ({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, "GenerateMac", "VerifyMac"),
    ):
        key_id = kms.create_key(**given)["KeyMetadata"]["KeyId"]
        page = root.go(f"/keys/{key_id}/try?do={make}")
        page.fill("#input", "message")
        submit(page)
        proof = answer(page)
        for message, said in (("message", "It is valid."), ("massage", "It is not valid.")):
            page.goto(f"/keys/{key_id}/try?do={verify}")
            page.fill("#input", message)
            page.fill("#proof", proof)
            submit(page)
            assert page.locator(f"text={said}").count() == 1
    root.check_accessible()


def test_material_is_wrapped_in_the_browser(root, kms, tmp_path):
    key_id = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    material = os.urandom(32)
    (tmp_path / "material.bin").write_bytes(material)
    sent = []
    page = root.go(f"/keys/{key_id}/import")
    root.check_accessible()
    page.on("request", lambda request: sent.append(request.post_data_buffer or b""))
    page.set_input_files("#material", tmp_path / "material.bin")
    page.click("#wrap")
    page.wait_for_selector("#wrapped-well:visible")
    root.take_picture("import-en")
    submit(page)
    page.wait_for_url(f"**/keys/{key_id}")
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Enabled"
    assert sent
    encoded = base64.b64encode(material)
    assert not any(material in one or encoded[:20] in one for one in sent)
    page = root.go(f"/keys/{key_id}/import")
    page.fill("#wrapped", "AAAA")
    page.fill("#token", "AAAA")
    submit(page)
    assert "InvalidImportTokenException" in page.locator("main").inner_text()


def test_a_phone_tries_a_key_in_japanese(server, console, chromium, kms):
    key_id = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    made = Visitor(chromium, console, language="ja", theme="dark", size=PHONE)
    made.sign_in(server.credentials.access_key, server.credentials.secret_key)
    for path in ("try", "import"):
        page = made.go(f"/keys/{key_id}/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        made.check_accessible()
        made.take_picture(f"{path}-ja-dark-390")
    made.close()


@pytest.mark.skipif(
    not (shutil.which("openssl") and shutil.which("aws")), reason="needs openssl and the AWS CLI"
)
@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ("RSA_2048", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"),
        ("HMAC_384", "GENERATE_VERIFY_MAC"),
    ],
)
def test_the_commands_import_as_they_are(server, kms, tmp_path, spec, usage):
    made = kms.create_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    script = import_commands(spec, made["Arn"], endpoint=server.url, region=server.region)
    key = server.credentials
    credentials = {
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
    }
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=tmp_path,
        env=environment(**credentials),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]["KeyState"] == "Enabled"
