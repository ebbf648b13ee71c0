"""Who asks is what a signature says, or a web identity token that was proved; nothing else."""

from pathlib import Path

SOURCES = Path(__file__).parents[2] / "src" / "kagimori"


def files_with(text):
    return {
        str(file.relative_to(SOURCES))
        for file in SOURCES.rglob("*.py")
        if text in file.read_text(encoding="utf-8")
    }


def test_only_a_proved_token_says_who_asks():
    assert files_with("identified=") == {"operations/sts/web_identity.py"}
    assert files_with("asked.caller = ") == {"path.py"}


def test_only_what_checks_signatures_makes_service_callers():
    assert files_with("acting_for(") == {
        "trail/policy_replay.py",  # of records, offline
        "rules/identity/caller.py",
        "gate/acting_for.py",
    }
    assert files_with("service_caller(") == {
        "gate/callers.py",
        "trail/policy_replay.py",
        "rules/identity/caller.py",
    }


def test_only_dev_believes_without_a_signature():
    assert files_with("(Who)") == {"dev/unverified.py"}
