"""A server after a power cut: it starts without what was never acknowledged, and not without the rest."""

import json

import serving
from kagimori.rules.chain.chain import join
from kagimori.rules.chain.groups import mark_group
from kagimori.trail.files import journal_files
from kagimori.trail.recovery import find_end


def events(data, name):
    found = serving.run(
        *("audit", "search", "--data", data, "--event", name, "--output", "json"), check=True
    )
    return [json.loads(line) for line in found.stdout.splitlines()]


def test_the_last_group_may_be_lost_and_what_was_acknowledged_may_not():
    with serving.temporary_folder() as folder:
        data = folder / "data"
        serving.init(data)
        with serving.served(data=data) as server:
            server.client().create_key(Description="kept")
            server.client().create_key(Description="lost?")
            server.kill()
        stream = serving.stream(data)
        end = find_end(stream).end
        records = mark_group(
            end, [b'{"eventID":"%d","a":"%b"}' % (n, b"b" * 300) for n in range(9)]
        )
        group = join(end, *records)[0]
        file = journal_files(stream)[-1]
        acknowledged = file.read_bytes()
        file.write_bytes(acknowledged + group[:512] + bytes(512) + group[1024:])
        with serving.served(data=data) as server:
            assert len(server.client().list_keys()["Keys"]) == 2
            serving.eventually(lambda: events(data, "CutJournalTail"))
            cut = events(data, "CutJournalTail")
            assert cut[0]["serviceEventDetails"]["bytes"] == len(group)
            assert cut[0]["serviceEventDetails"]["afterSequence"] == end.sequence
            server.kill()
        assert any("never acknowledged" in line for line in server.stderr)
        assert serving.run("audit", "verify", "--data", data).returncode == 0

        acknowledged = file.read_bytes()
        file.write_bytes(acknowledged[:-300] + bytes(300))
        refused = serving.run("serve", "--data", data, "--listen", "127.0.0.1:0")
        assert refused.returncode == 1
        assert "go-on-after-a-damaged-journal" in refused.stderr
        assert f"{stream.name}: " in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        damaged = file.read_bytes()
        accepted = serving.run("audit", "accept-loss", "--data", data, check=True)
        assert f"Stream {stream.name} is closed" in accepted.stdout
        with serving.served(data=data) as server:
            server.client().create_key(Description="after")
            serving.eventually(lambda: events(data, "AcceptJournalLoss"))
            assert events(data, "CreateKey")
            again = serving.run("audit", "accept-loss", "--data", data)
            assert (again.returncode, "in use" in again.stderr) == (1, True)
        assert file.read_bytes() == damaged, "evidence stays"
        assert journal_files(serving.stream(data, "w0-2"))
        assert serving.run("audit", "verify", "--data", data).returncode == 1
        nothing = serving.run("audit", "accept-loss", "--data", data, check=True)
        assert "nothing was changed" in nothing.stdout
