"""The guide to importing one's own key material works as it stands."""

from documents.pages import run


def test_import_guide(server, tmp_path):
    said = run("docs/do/import-key-material.md", tmp_path, server.environment())
    assert "\nEnabled\n" in said
    assert said.endswith("Verified OK\n")
    assert (tmp_path / "material.bin").stat().st_mode & 0o077 == 0
