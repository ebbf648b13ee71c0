"""`kagimori audit` as its users run it: verified, searched, followed, proven; and after tampering."""

import json
import shutil
import subprocess

import pytest

import serving


@pytest.fixture(scope="module")
def story():
    """A deployment that was served twice, stopped; its folder, checkpoints and two keys."""
    with serving.temporary_folder() as folder:
        data, copies = folder / "data", folder / "copies"
        serving.init(data)
        options = ("--workers", "2", "--checkpoint", copies)
        with serving.served(*options, data=data) as server:
            kms = server.client()
            used, unused = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
            for _ in range(3):
                kms.encrypt(KeyId=used, Plaintext=b"x")
            kms.disable_key(KeyId=unused)
            with serving.refused("DisabledException"):
                kms.encrypt(KeyId=unused, Plaintext=b"x")
            kms.close()
        with serving.served(*options, data=data) as server:
            kms = server.client()
            for _ in range(20):
                kms.describe_key(KeyId=used)
            kms.close()
        yield data, copies, used, unused


@pytest.fixture
def copy(story, tmp_path):
    """A copy of the audit folder alone, as it would be verified on another machine."""
    shutil.copytree(story[0] / "audit", tmp_path / "audit")
    return tmp_path / "audit"


def audit(*arguments):
    return serving.run("audit", *arguments)


def verified(data, *options):
    done = audit("verify", "--data", data, *options, "--output", "json")
    found = json.loads(done.stdout)
    kinds = {finding["kind"] for finding in found["findings"]}
    assert done.returncode == (0 if found["intact"] else 3 if kinds == {"missing"} else 1)
    return found


def busiest(folder):
    return max(folder.glob("*-w*/*.jsonl"), key=lambda file: file.stat().st_size)


def test_intact_and_signed_to_the_end(story):
    data, copies, *_ = story
    key = data.parent / "key.pem"
    key.write_text(audit("public-key", "--data", data).stdout)
    found = verified(data, "--checkpoints", copies, "--public-key", key)
    assert found["intact"], found["findings"]
    assert found["notes"] == []
    assert found["records"] == 31
    assert all(stream["signed_to"] == stream["newest_sequence"] for stream in found["streams"])
    assert found["digests"] == len(list(copies.iterdir())) >= 3


def test_a_changed_byte(copy):
    file = busiest(copy)
    lines = file.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b"127.0.0.1", b"127.0.0.2", 1)
    file.write_bytes(b"\n".join(lines))
    (finding,) = verified(copy)["findings"]
    assert (finding["kind"], finding["line"], finding["sequence"]) == ("changed record", 2, 2)
    assert (finding["stream"], finding["file"]) == (file.parent.name, file.name)
    text = audit("verify", "--data", copy)
    assert "NOT INTACT" in text.stdout
    assert "changed record" in text.stdout


def test_a_removed_stream(copy):
    shutil.rmtree(busiest(copy).parent)
    assert [finding["kind"] for finding in verified(copy)["findings"]] == ["removed stream"]


def test_older_data_put_in_place(story, copy):
    newest = sorted((copy / "digests").iterdir())[-1]
    newest.unlink()
    assert verified(copy)["intact"], "the folder alone cannot tell"
    found = verified(copy, "--checkpoints", story[1])
    assert found["findings"][0]["kind"] == "old data"


def test_no_digests_and_no_key(copy):
    shutil.rmtree(copy / "digests")
    assert verified(copy)["findings"][0]["kind"] == "removed digest"
    (copy / "public-key.pem").unlink()
    (found,) = verified(copy)["findings"]
    assert found["kind"] == "missing", "a copy cannot tell whether it was ever signed"


def test_what_the_deployment_beside_it_misses(story, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(story[0], data)
    assert verified(data)["intact"]
    key = (data / "audit" / "public-key.pem").read_bytes()
    (data / "audit" / "public-key.pem").unlink()
    shutil.rmtree(data / "audit" / "digests")
    (found,) = verified(data)["findings"]
    assert found["kind"] == "missing"
    assert "the public key and all digests are gone" in found["message"]
    (data / "audit" / "public-key.pem").write_bytes(key)
    assert [one["kind"] for one in verified(data)["findings"]] == ["removed digest"]
    first, second, admin = (serving.stream(data, name) for name in ("w0", "w1", "admin"))
    # Which worker takes a connection is the kernel's choice: one of them may have written nothing.
    written = {one["stream"] for one in verified(data)["streams"] if one["newest_sequence"]}
    assert written >= {admin.name}
    for stream in (first, second, admin):
        shutil.rmtree(stream)
    found = verified(data)["findings"]
    assert {one["stream"] for one in found if one["kind"] == "cut tail"} >= written
    shutil.rmtree(data / "run")
    assert {one["stream"] for one in verified(data)["findings"]} == {
        first.name,
        second.name,
    }


def test_a_stream_that_nobody_registered(story, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(story[0], data)
    shutil.copytree(serving.stream(data), data / "audit" / "w9")
    assert [(one["kind"], one["stream"]) for one in verified(data)["findings"]] == [
        ("unknown stream", "w9")
    ]


def test_a_deployment_whose_servers_make_no_digests_is_intact():
    with serving.temporary_folder() as folder:
        serving.init(folder / "data")
        with serving.served("--digest-minutes", "0", data=folder / "data") as server:
            server.client().create_key()
        assert verified(folder / "data")["intact"]


def test_another_trails_key(story, copy, tmp_path):
    with serving.temporary_folder() as folder:
        serving.init(folder / "data")
        with serving.served(data=folder / "data"):
            serving.eventually(lambda: audit("public-key", "--data", folder / "data").stdout)
        pem = audit("public-key", "--data", folder / "data").stdout
    (tmp_path / "other.pem").write_text(pem)
    kinds = {
        found["kind"]
        for found in verified(copy, "--public-key", tmp_path / "other.pem")["findings"]
    }
    assert kinds == {"changed digest"}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--data", "/nowhere"), "/nowhere holds no audit trail"),
        (("--checkpoints", "/nowhere"), "/nowhere holds no checkpoint"),
        (("--public-key", "/dev/null"), "/dev/null is not a public key in PEM"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_what_cannot_be_read(story, options, why):
    done = audit("verify", *(options if "--data" in options else ("--data", story[0], *options)))
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr


def test_search(story):
    data, _, used, unused = story
    done = audit("search", "--data", data, "--key", used, "--event", "Encrypt", "--output", "json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["eventName"] for event in events] == ["Encrypt"] * 3
    failed = audit("search", "--data", data, "--failed", "--since", "1h", "--who", "root").stdout
    assert "DisabledException" in failed
    assert unused in failed
    assert used not in failed
    assert audit("search", "--data", data, "--who", "nobody", "--output", "json").stdout == ""
    assert audit("search", "--data", data, "--until", "1d", "--output", "json").stdout == ""
    newest = audit("search", "--data", data, "--newest", "2", "--output", "json").stdout
    assert [json.loads(line)["eventName"] for line in newest.splitlines()] == ["DescribeKey"] * 2
    assert audit("search", "--data", data, "--since", "soon").returncode == 2


def test_prove_unused(story):
    data, copies, used, unused = story
    rest = ("--from", "1d", "--checkpoints", copies, "--output", "json")
    done = audit("prove-unused", "--data", data, "--key", unused, *rest)
    proof = json.loads(done.stdout)
    assert (done.returncode, proof["unused"]) == (0, True)
    assert proof["counts"]["Encrypt"] == [1, 1], "a refused use is none"
    done = audit("prove-unused", "--data", data, "--key", used, *rest)
    assert (done.returncode, json.loads(done.stdout)["counts"]["Encrypt"]) == (1, [3, 0])
    done = audit("prove-unused", "--data", data, "--key", used, "--from", "3d", "--to", "2d")
    assert (done.returncode, "UNUSED" in done.stdout) == (0, True)


def test_while_it_is_served():
    """Digests come by the clock, `verify` holds at any moment, `tail` shows what comes."""
    with serving.served("--digest-minutes", "0.01") as server:
        kms = server.client()
        kms.create_key()
        command = [serving.KAGIMORI, "audit", "tail", "--data", str(server.data), "-f"]
        following = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=serving.environment()
        )
        try:
            shown = (following.stdout.readline() for _ in range(10))
            assert any("CreateKey" in line.split() for line in shown)
            kms.generate_random(NumberOfBytes=8)
            shown = (following.stdout.readline() for _ in range(20))
            assert any("GenerateRandom" in line.split() for line in shown)
        finally:
            following.terminate()
            following.communicate(timeout=10)

        def made():
            kms.list_keys()
            return len(list((server.data / "audit" / "digests").glob("*.json"))) >= 3

        serving.eventually(made, seconds=20)
        assert verified(server.data)["intact"]
        kms.close()
