"""The commands of the README, after `make run`, do what it says."""

import serving
from documents.pages import blocks, run


def test_the_minute(server, tmp_path):
    said = run("README.md", tmp_path, serving.environment(), data=server.data)
    assert said == "meet me at noon"
    assert b"meet me at noon" not in (tmp_path / "message.encrypted").read_bytes()


def test_make_run_is_what_it_begins_with():
    assert blocks("README.md")[0] == ("sh", "make run\n")
