"""All pages: links lead somewhere, blocks parse, generated parts are current, nothing is missing."""

import ast
import configparser
import json
import re
import subprocess
import sys
import tomllib

import botocore.session
import pytest
import yaml

from documents.pages import PAGES, ROOT, anchors, blocks, links, name_of, text_of

sys.path.insert(0, str(ROOT / "docs"))
import generate

from kagimori.operations.registry import OPERATIONS
from kagimori.server import metrics

PAGES_BY_NAME = pytest.mark.parametrize("page", PAGES, ids=name_of)


@PAGES_BY_NAME
def test_links_lead_to_files_and_headings(page):
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target), link


@PAGES_BY_NAME
def test_blocks_parse(page):
    for info, text in blocks(page):
        kind = info.partition(" ")[0]
        if kind == "python":
            ast.parse(text)
        elif kind == "json":
            json.loads(text)
        elif kind == "yaml":
            yaml.safe_load(text)
        elif kind == "toml":
            tomllib.loads(text)
        elif kind == "ini":
            configparser.RawConfigParser(strict=False).read_string(text)
        elif kind == "sh":
            subprocess.run(["bash", "-n"], input=text, text=True, check=True)
        else:
            assert kind in ("", "text", "mermaid"), f"what is {info!r}?"


@PAGES_BY_NAME
def test_blocks_are_closed(page):
    assert text_of(page).count("\n```") % 2 == 0


@PAGES_BY_NAME
def test_a_page_has_one_title(page):
    outside = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    assert len(re.findall(r"^# ", outside, re.MULTILINE)) == 1


@PAGES_BY_NAME
def test_generated_parts_are_as_the_code_has_them(page):
    text = text_of(page)
    assert generate.renewed(text) == text, "run .venv/bin/python docs/generate.py"


def test_every_generated_part_is_used_once():
    found = [name for page in PAGES for name in re.findall(r"generated: ([a-z-]+)", text_of(page))]
    assert sorted(found) == sorted(generate.PARTS)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=name_of)
def test_every_page_can_be_reached(page):
    reached, found = set(), {ROOT / "README.md"}
    while found:
        here = found.pop()
        reached.add(here)
        for link in links(here):
            target = (here.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists() and target not in reached:
                found.add(target)
    assert page in reached


# --- completeness ---------------------------------------------------------------------------------


def test_every_operation_is_documented():
    page = text_of("docs/look-up/operations.md")
    for service, name in OPERATIONS:
        assert f"| {service} | {name} |" in page


def test_every_operation_of_aws_is_offered_or_named_as_not_offered():
    model = botocore.session.get_session().get_service_model("kms")
    offered = {name for service, name in OPERATIONS if service == "kms"}
    absent = text_of("docs/look-up/operations.md").partition("## Not offered")[2]
    named = set(re.findall(r"`(\w+)`", absent))
    assert set(model.operation_names) - offered <= named
    assert not named & offered


def test_every_metric_is_documented():
    page = text_of("docs/look-up/metrics.md")
    names = re.findall(r"# TYPE (\S+)", metrics.exposition([], {}).decode())
    assert names
    for name in names:
        assert f"`{name}`" in page


def test_no_metric_is_documented_that_does_not_exist():
    names = set(re.findall(r"# TYPE (\S+)", metrics.exposition([], {}).decode()))
    for page in PAGES:
        for word in re.findall(r"`(kagimori_[a-z_]+)`", text_of(page)):
            if not word.startswith(
                (
                    "kagimori_boundary",
                    "kagimori_hsm",
                    "kagimori_cli",
                    "kagimori_client",
                    "kagimori_console",
                    "kagimori_evidence",
                    "kagimori_opener",
                    "kagimori_sandbox",
                )
            ):
                assert word in names, name_of(page)
    assert "kagimori_hsm_queue" in names


def test_every_option_is_documented():
    page = text_of("docs/look-up/command-line.md")
    for section, options in _options():
        part = page.partition(f"### {section}\n")[2].partition("\n### ")[0]
        for option in options:
            assert option in part, f"{section} {option}"


def test_every_environment_variable_is_documented():
    page = text_of("docs/look-up/settings.md")
    for name in re.findall(r"environment: `(\w+)`", text_of("docs/look-up/command-line.md")):
        assert f"`{name}`" in page


def test_no_option_is_documented_that_does_not_exist():
    known = {option for _, options in _options() for option in options} | {"--help"}
    commands = "|".join({section.split()[1] for section, _ in _options()})
    for page in PAGES:
        for line in text_of(page).splitlines():
            if re.search(rf"\bkagimori ({commands})\b", line):
                ours = line.partition("kagimori ")[2]
                for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours.partition(" aws ")[0]):
                    assert option in known, f"{name_of(page)}: {option}"


def _options():
    return [
        (path, [name for option in command.params for name in option.opts if "-" in name])
        for path, command in generate.commands()
    ]


def test_files_that_are_named_exist():
    """Paths in code spans that begin at the top of the repository."""
    for page in PAGES:
        if page.name == "CHANGELOG.md":
            continue
        for path in re.findall(r"`((?:src|tests|docs|specs|examples)/[\w./-]+)`", text_of(page)):
            assert (ROOT / path).exists(), f"{name_of(page)}: {path}"


def test_where_is_names_files_that_exist():
    ours = ROOT / "src" / "kagimori"
    for path in re.findall(r"`([\w/]+\.py)`", text_of("docs/where-is.md")):
        name = path.rpartition("/")[2]
        found = [*ours.rglob(name), *(ROOT / "src").glob(path), *(ROOT / "tests").rglob(name)]
        assert found or (ROOT / path).exists(), path


def test_decisions_are_numbered_and_have_their_parts():
    folder = ROOT / "docs" / "decisions"
    files = sorted(folder.glob("0*.md"))
    numbers = [int(file.name[:4]) for file in files]
    assert numbers == sorted(set(numbers)), "two decisions have one number"
    for number, file in zip(numbers, files, strict=True):
        text = file.read_text(encoding="utf-8")
        assert text.startswith(f"# {number}. ")
        for part in ("Context", "Decision", "Consequences", "Alternatives"):
            assert f"**{part}.**" in text, file.name


def test_every_dependency_has_its_reason():
    record = text_of("docs/decisions/0006-dependencies.md")
    project = text_of("pyproject.toml")
    wanted = project.partition("dependencies = [")[2].partition("\n]")[0]
    names = re.findall(r'^ +"([\w-]+)', wanted, re.MULTILINE)
    assert names
    for name in names:
        assert f"`{name}`" in record


def test_every_promise_of_the_source_is_in_the_architecture():
    page = text_of("ARCHITECTURE.md")
    for file in (ROOT / "src").rglob("*.py"):
        for name in re.findall(r"INVARIANT\(([a-z-]+)\)", file.read_text(encoding="utf-8")):
            assert f"| `{name}` |" in page


def test_licence_is_whole():
    text = text_of("LICENSE")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
