"""The other guides work as they stand."""

import os
import shutil

import pytest

import serving
from documents.pages import blocks, run


def test_first_steps(server, tmp_path):
    said = run("docs/learn/first-steps.md", tmp_path, serving.environment(), data=server.data)
    assert said.count("dear reader") == 2
    assert '"RotationType": "ON_DEMAND"' in said
    assert '"eventName":"Decrypt"' in said.splitlines()[-1]


def test_envelope_encryption(server, tmp_path):
    page = "docs/learn/envelope-encryption.md"
    assert run(page, tmp_path, serving.environment(), data=server.data).endswith("True\n")
    assert (tmp_path / "long-letter.txt.sealed").exists()


def test_share_keys_between_accounts(tmp_path):
    with serving.served() as server:
        page = "docs/do/share-keys-between-accounts.md"
        said = run(page, tmp_path, serving.environment(), data=server.data)
    assert ":user/alice" in said
    assert ":assumed-role/auditor/quarterly" in said
    assert "secret_access_key" in (tmp_path / "partner.json").read_text()


def test_give_people_access(tmp_path):
    with serving.served() as server:
        page = "docs/do/give-people-access.md"
        said = run(page, tmp_path, serving.environment(), data=server.data)
    assert ":user/people/alice" in said
    assert said.endswith("[]\n")


def test_try_a_policy_before_you_set_it(tmp_path):
    with serving.served() as server:
        page = "docs/do/try-a-policy-before-you-set-it.md"
        said = run(page, tmp_path, serving.environment(), data=server.data)
    assert said.splitlines()[:2] == ["implicitDeny", "allowed"]
    assert "1 would newly fail:" in said
    assert "1 would newly pass:" in said


def test_look_after_domain_keys(tmp_path):
    with serving.served() as server:
        page = "docs/do/look-after-domain-keys.md"
        said = run(page, tmp_path, serving.environment(), data=server.data)
    assert said.splitlines()[-1].startswith("wrapping anew: done")
    assert "RETIRED" in said


def test_let_several_people_decide(tmp_path):
    """Its requests wait for a day, so that no more than the asking is run here."""
    with serving.served() as own:
        page = "docs/do/let-several-people-decide.md"
        run(page, tmp_path, serving.environment(), data=own.data)
        admin = own.client("kagimori")
        assert admin.list_operators()["Quorum"] == 2
        (asked,) = admin.list_approvals()["Approvals"]
        assert (asked["Action"], asked["State"]) == ("ReplaceKeyPolicy", "OPEN")


def test_back_up_and_restore():
    page = "docs/do/back-up-and-restore.md"
    with serving.temporary_folder() as folder:
        with serving.served() as server:
            kms = server.client()
            key_id = kms.create_key()["KeyMetadata"]["KeyId"]
            blob = kms.encrypt(KeyId=key_id, Plaintext=b"kept")["CiphertextBlob"]
            said = run(page, folder, serving.environment(), data=server.data)
            kms.disable_key(KeyId=key_id)
        assert "known text      decrypted" in said
        assert oct((folder / "restored").stat().st_mode)[-3:] == "700"
        with serving.served(data=folder / "restored") as restored:
            assert restored.client().decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"


def test_decrypt_without_a_server():
    page = "docs/do/decrypt-without-a-server.md"
    with serving.temporary_folder() as folder, serving.served() as server:
        said = run(page, folder, serving.environment(), data=server.data)
    assert said.count("meet me at noon") == 2
    assert said.count("1/1") == 2


def test_test_your_software(tmp_path):
    """With a server of its own, since its clock is moved; it takes the seed of the page."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    page = "docs/do/test-your-software.md"
    (seed,) = blocks(page, "yaml")
    (tmp_path / "seed.yaml").write_text(seed)
    with serving.dev_served("--seed", tmp_path / "seed.yaml") as started:
        seeded = started.client().describe_key(KeyId="alias/testing")["KeyMetadata"]
        environment = serving.environment(AWS_ENDPOINT_URL=started.url)
        said = run(page, tmp_path, environment, info="sh run dev").splitlines()
    assert seeded["Description"] == "a key that tests know"
    assert said[0].startswith("arn:aws:kms:us-east-1:111122223333:key/")
    assert said[-1].endswith("}00000000-0000-4000-8000-000000000001")


def test_the_chain_of_the_audit_page_can_be_checked_as_it_says(server, kms, tmp_path):
    kms.list_keys()
    (program,) = blocks("docs/look-up/audit.md", "python")
    journal = next(serving.stream(server.data).glob("*.jsonl"))
    (tmp_path / "verify.py").write_text(program)
    copied = shutil.copy(journal, tmp_path)
    command = [os.fspath(serving.sys.executable), tmp_path / "verify.py", copied]
    done = serving.subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("unbroken up to "), done.stderr


def test_audit_page(server, tmp_path):
    page = "docs/look-up/audit.md"
    said = run(page, tmp_path, serving.environment(), data=server.data)
    assert said.splitlines()[-1].startswith("intact: ")


def test_the_unit_names_options_that_exist():
    (unit,) = blocks("docs/do/run-as-a-service.md", "ini")
    (start,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    said = serving.run("serve", "--help", check=True, COLUMNS="200").stdout
    for word in start.split():
        if word.startswith("--"):
            assert word in said
