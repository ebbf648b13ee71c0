"""Text from outside is read in one place: numbers in `rules/numbers`, case in `rules/folding`.

Python's readers take more than any protocol means. Each file that uses one of them is listed here
with what it reads; a new one must say the same, or use the one place.
"""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import kagimori
import kagimori_boundary
import kagimori_cli
import kagimori_hsm

SOURCE = Path(__file__).parents[2] / "src"
PACKAGES = (kagimori, kagimori_boundary, kagimori_cli, kagimori_hsm)

READERS = {"int", "float", "Decimal"}
METHODS = {
    "casefold",
    "fromisoformat",
    "isalnum",
    "isalpha",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isspace",
    "isupper",
    "strptime",
    "swapcase",
    "parsedate_to_datetime",
}
# What these read is not text from outside, or was held to a form in ASCII before.
NUMBERS_READ = {
    "kagimori/front/patterns.py": "patterns of the service models",
    "kagimori/front/query.py": "texts that _INTEGER, _NUMBER and _MOMENT fit, or an index that does",
    "kagimori/gate/conditions/aws_values.py": "numbers",
    "kagimori/gate/conditions/kms_values.py": "numbers, and a register that _REGISTER fits",
    "kagimori/gate/conditions/recorded_values.py": "numbers",
    "kagimori/gate/conditions/values_of_request.py": "numbers",
    "kagimori/http/chunks.py": "hexadecimal digits that SIZE_LINE fits",
    "kagimori/http/head.py": "bytes, whose digits are ASCII, 15 at the most",
    "kagimori/machinery/addresses.py": "an address, as a number",
    "kagimori/machinery/http_answer.py": "bytes that _STATUS, _NUMBER and _CHUNK fit",
    "kagimori/machinery/once.py": "numbers",
    "kagimori/machinery/quota_counts.py": "memory that workers share",
    "kagimori/machinery/store/memory.py": "our own store",
    "kagimori/operations/cloudtrail/events.py": "numbers",
    "kagimori/operations/iam/account.py": "a truth value",
    "kagimori/operations/iam/instance_profiles.py": "a truth value",
    "kagimori/operations/sts/credentials.py": "numbers",
    "kagimori/rules/policy/iam_checks.py": "a time that _EPOCH fits",
    "kagimori/trail/minted.py": "our own journals",
    "kagimori_hsm/journal.py": "our own journal, in the form of its line",
    "kagimori/rules/chain/chain.py": "our own journal, in the form of _LINE",
    "kagimori/rules/chain/groups.py": "our own journal",
    "kagimori/rules/chain/unused.py": "numbers",
    "kagimori/rules/identity/login_profile.py": "a password's characters, each of ASCII",
    "kagimori/rules/identity/qr_code.py": "bits of ours",
    "kagimori/rules/identity/web_token.py": "numbers that `finite` gave",
    "kagimori/rules/keys/key_guard.py": "numbers",
    "kagimori/rules/metering/bill.py": "numbers",
    "kagimori/rules/metering/older_keys.py": "numbers",
    "kagimori/rules/metering/usage.py": "numbers, and a month that _MONTH fits",
    "kagimori/rules/numbers.py": "the one place",
    "kagimori/rules/policy/match.py": "bits of ours",
    "kagimori/rules/policy/operators.py": "texts that _NUMBER, _DATE and _CIDR fit",
    "kagimori/rules/quotas/rates.py": "a text that _NUMBER fits",
    "kagimori/rules/records/filter.py": "numbers",
    "kagimori/rules/records/receiver.py": "an address that the operator wrote",
    "kagimori/rules/records/recorded_session.py": "our own records",
    "kagimori/rules/records/times.py": "our own records, and times that the operator wrote",
    "kagimori/server/metrics.py": "infinity",
    "kagimori/trail/files.py": "names of our own files",
    "kagimori/trail/index.py": "numbers",
    "kagimori/trail/mark.py": "our own journal",
    "kagimori/trail/reading.py": "a truth value",
    "kagimori/trail/receiving.py": "numbers",
    "kagimori/trail/server_pages.py": "numbers of our own pages",
    "kagimori_hsm/algorithms/totp.py": "numbers",
    "kagimori_hsm/approvals.py": "a time that the clock gave",
    "kagimori_hsm/commands/approvals.py": "digits that _QUORUM fits",
    "kagimori_hsm/memory.py": "the kernel's own file",
}
# What only a user's own machine runs, on what that user wrote.
CLIENTS = ("kagimori_cli/", "kagimori_client/", "kagimori_console/", "kagimori_evidence/")
# What only the operator writes: settings, and what is in the data folder.
OPERATORS = ("kagimori/deployment/", "kagimori/dev/", "kagimori/settings/")
STORES = ("kagimori/machinery/store/",)
CASE = {"lower", "upper"}
CASE_CHANGED = {
    "kagimori/front/validate.py": "names of the service models, and truth values",
    "kagimori/front/wire.py": "bytes, of which ASCII alone folds",
    "kagimori/gate/why.py": "names of ours",
    "kagimori/http/head.py": "bytes, of which ASCII alone folds",
    "kagimori/http/message.py": "bytes, of which ASCII alone folds",
    "kagimori/machinery/http_answer.py": "bytes, of which ASCII alone folds",
    "kagimori/rules/chain/digest.py": "hexadecimal digits, compared with themselves",
    "kagimori/rules/folding.py": "the one place",
    "kagimori/rules/identity/aws_managed.py": "names of AWS's policies",
    "kagimori/rules/policy/operators.py": "StringEqualsIgnoreCase, which folds every script",
    "kagimori/rules/records/parameters.py": "names of the service models",
    "kagimori/rules/records/record.py": "names of the service models",
    "kagimori/rules/records/recorded_call.py": "names of the service models",
    "kagimori_hsm/roots/secrets.py": "words of a share in bytes, of which ASCII alone folds",
}
BLANKS = {"lstrip", "rsplit", "rstrip", "split", "strip"}
BLANKS_CUT = {
    "kagimori/gate/why.py": "texts of ours",
    "kagimori/machinery/http_answer.py": "bytes, of which ASCII alone is blank",
    "kagimori/rules/records/parameters.py": "texts of ours",
    "kagimori/rules/records/receiver.py": "a secret that the operator wrote, in bytes",
    "kagimori_hsm/memory.py": "the kernel's own file",
    "kagimori_hsm/roots/secrets.py": "words of a share, in bytes",
}
EVERY_SCRIPT = {
    "kagimori.rules.identity.tags._ALLOWED": "tags have letters and numbers of every script",
    "kagimori.rules.keys.tags._ALLOWED": "tags have letters and numbers of every script",
}


def uses():
    """Yield file, what is called, and whether without arguments."""
    for file in sorted(SOURCE.rglob("*.py")):
        name = str(file.relative_to(SOURCE))
        if name.startswith((*CLIENTS, *OPERATORS)) or (
            name.startswith(STORES) and name not in NUMBERS_READ
        ):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                if isinstance(node.func, ast.Name):
                    constant = all(isinstance(one, ast.Constant) for one in node.args)
                    yield name, node.func.id, constant
                elif isinstance(node.func, ast.Attribute):
                    yield name, node.func.attr, not node.args


def test_numbers_are_read_in_one_place():
    found = {
        name
        for name, used, constant in uses()
        if (used in READERS and not constant) or used in METHODS
    }
    assert found <= NUMBERS_READ.keys(), "use rules/numbers, or say here what is read"


def test_case_is_folded_in_one_place():
    found = {name for name, used, _ in uses() if used in CASE}
    assert found <= CASE_CHANGED.keys(), "use rules/folding, or say here whose case it is"


def test_no_blank_of_every_script_is_cut_off_or_cut_at():
    found = {name for name, used, bare in uses() if used in BLANKS and bare}
    assert found <= BLANKS_CUT.keys(), "say which blanks: strip(' ')"


def test_character_classes_are_ascii():
    found = set()
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if module.name.endswith("__main__"):
                continue
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                    wide = re.search(r"\\[wWdDsSbB]", value.pattern) or value.flags & re.IGNORECASE
                    if wide and not value.flags & re.ASCII:
                        found.add(f"{module.name}.{name}")
    found = {name for name in found if name.startswith("kagimori")}
    assert found <= EVERY_SCRIPT.keys(), "give it re.ASCII"
