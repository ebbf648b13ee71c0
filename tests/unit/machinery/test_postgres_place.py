"""URLs of PostgreSQL: what they may say, and that no password is in them or is shown."""

import pytest

from kagimori.machinery.store.engines import UnknownEngine, engine_of, whole_url
from kagimori.machinery.store.postgres.place import read_place

SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postgresql://alice:{SECRET}@localhost/kagimori", "no password"),
        (f"postgresql://localhost/kagimori?password={SECRET}", "no password"),
        (f"postgresql://localhost/kagimori?sslpassword={SECRET}", "no password"),
        (f"postgresql://alice:{SECRET}@localhost:x/%zz", "cannot be read"),
        (f"postgresql://localhost/kagimori?{SECRET}=1", "cannot be read"),
        ("postgresql://localhost/kagimori?options=-csearch_path%3Devil", "may not say options"),
        ("postgresql://localhost/kagimori?service=other", "may not say service"),
        ("postgresql://db.example.com/kagimori?sslmode=prefer", "verify-full"),
        ("postgresql://db.example.com,localhost/kagimori?sslmode=disable", "verify-full"),
        ("postgresql://localhost/k?hostaddr=10.0.0.7&sslmode=disable", "verify-full"),
        ("postgresql://localhost", "names no database"),
        ("mysql://localhost/kagimori", "begins with postgresql"),
        ("kagimori.db", "begins with postgresql"),
    ],
)
def test_what_is_refused_and_never_shown(url, said):
    with pytest.raises(UnknownEngine, match=said) as refused:
        whole_url(url)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None or refused.value.__suppress_context__


def test_another_machine_is_connected_to_with_tls_and_must_be_who_it_says():
    place = read_place("postgresql://alice@db.example.com/kagimori")
    assert place.parameters["sslmode"] == "verify-full"
    assert place.parameters["sslrootcert"]
    given = read_place("postgresql://db.example.com/kagimori?sslmode=verify-ca")
    assert given.parameters["sslmode"] == "verify-ca"
    for near in ("localhost", "127.0.0.1", "[::1]", "%2Ftmp", ""):
        assert "sslmode" not in read_place(f"postgresql://{near}/kagimori").parameters


def test_the_whole_url_names_the_same_place_from_wherever_it_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    url = whole_url(
        "postgresql://alice@db.example.com:5433/my%20keys?sslrootcert=ca.pem", tmp_path / "secret"
    )
    assert SECRET not in url
    assert str(tmp_path / "ca.pem") in url.replace("%2F", "/")
    place = read_place(url)
    assert place == read_place(place.url)
    assert (place.parameters["user"], place.parameters["dbname"]) == ("alice", "my keys")
    assert place.parameters["port"] == "5433"
    assert place.secrets == [tmp_path / "secret"]
    assert place.arguments("kagimori w0")["password"] == SECRET
    assert SECRET not in str(place) + repr(place) + str(engine_of(url))


def test_of_several_hosts_the_one_that_takes_writes_is_wanted():
    place = read_place("postgresql://a,b/kagimori?sslmode=require")
    assert place.parameters["target_session_attrs"] == "read-write"
