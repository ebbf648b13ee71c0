"""A deployment in a file is restored to PostgreSQL and served there; an older database is noticed."""

import json
import shutil

import serving
from kit import postgres
from serving import run


def restore(folder, data, url):
    run(
        *("restore", "--from", folder / "one.backup", "--data", data),
        *("--root", folder / "seal.key", "--store", url),
        check=True,
    )


def test_a_backup_of_a_file_is_served_from_a_database():
    database = postgres.Server(safe=True)
    try:
        with serving.temporary_folder() as folder:
            serving.init(folder / "data")
            shutil.copy(folder / "data" / "seal.key", folder / "seal.key")
            run("backup", "--data", folder / "data", "--to", folder / "one.backup", check=True)
            restore(folder, folder / "new", database.new_database())
            restore(folder, folder / "older", database.new_database())
            with serving.served(data=folder / "new") as server:
                server.client().create_key()
                drilled = run(
                    *("backup", "drill", "--data", folder / "new", "--root", folder / "seal.key"),
                    *("--output", "json"),
                    check=True,
                )
                found = json.loads(drilled.stdout)
                assert found["proof"]["sample"] == "decrypted"
                assert found["works"]
            # The database is put back under a node that has seen a newer one.
            older = (folder / "older" / "store-url").read_text()
            (folder / "new" / "store-url").write_text(older)
            refused = run("serve", "--data", folder / "new", "--listen", "127.0.0.1:0")
            assert refused.returncode == 1
            assert "docs/do/when-the-store-was-altered.md" in refused.stderr
    finally:
        database.remove()
