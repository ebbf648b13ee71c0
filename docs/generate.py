"""Write the parts of the documentation that the code knows best; check them with `--check`.

    .venv/bin/python docs/generate.py [--check]

A part stands between `<!-- generated: NAME -->` and `<!-- end of NAME -->` in a page. What is not
between such marks is written by people, and left alone.
"""
# ruff: noqa: INP001, T201 - a script beside the pages, not a module

import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import typer.main
from typer.core import TyperGroup

import kagimori.front
import kagimori.gate
import kagimori.operations
import kagimori.rules
from kagimori import settings
from kagimori.deployment.settings_sources import wanted
from kagimori.entities import tables
from kagimori.front.shapes import model_text
from kagimori.gate.conditions import aws_values, kms_values
from kagimori.http import life
from kagimori.http.life import Event, State
from kagimori.operations.registry import OPERATIONS
from kagimori.rules.authorization import authorize
from kagimori.rules.identity import refusals as identity_refusals
from kagimori.rules.keys import states
from kagimori.rules.keys.states import COLUMNS, OK, STATES, KeyState
from kagimori.rules.refusal import Refusal
from kagimori.server import metrics
from kagimori_boundary.commands import Command, Role
from kagimori_boundary.key_specs import SPECS, KeyUsage
from kagimori_boundary.replies import HsmState
from kagimori_cli.command import app
from kagimori_hsm import states as hsm_states
from kagimori_hsm.self_tests.known_answers import ANSWERS

DOCS: Final = Path(__file__).parent
ROOT: Final = DOCS.parent
_MARKED: Final = re.compile(
    r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end of (?P=name) -->)", re.DOTALL
)

# --- the command line -----------------------------------------------------------------------------


def command_line() -> str:
    return "\n".join(line for path, command in commands() for line in _one_command(command, path))


def commands() -> Iterator[tuple[str, Any]]:
    """Yield each command with the words that call it, `kagimori audit verify`, in order."""
    return _below(typer.main.get_command(app), "kagimori")


def _below(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(command, TyperGroup):
        yield path, command
        return
    context = typer.Context(command)
    for name in command.list_commands(context):
        yield from _below(command.get_command(context, name), f"{path} {name}")


def _one_command(command: Any, path: str) -> Iterator[str]:
    yield f"### {path}\n"
    yield f"{' '.join((command.help or '').split())}\n"
    yield "| option | default | meaning |"
    yield "|---|---|---|"
    for option in command.params:
        if option.name != "help":
            yield f"| {_option_name(option)} | {_default(option)} | {_meaning(option)} |"
    if command.epilog:
        yield f"\n{command.epilog.replace('Example: ', 'Example: `', 1)}`\n"


def _option_name(option: Any) -> str:
    if option.opts[0] == option.name:
        return f"`{option.metavar}`"
    kind = option.metavar or ""
    takes = option.type_descriptor.annotation
    if isinstance(takes, type) and issubclass(takes, StrEnum):
        kind = "/".join(takes)
    elif not kind and takes in (int, float):
        kind = "N"
    name = "/".join(filter(None, (*option.opts, *option.secondary_opts)))
    return f"`{' '.join(filter(None, (name, kind)))}`"


def _default(option: Any) -> str:
    if option.required:
        return "required"
    shown = option.show_default
    value = shown if isinstance(shown, str) else getattr(option.default, "value", option.default)
    return "" if value is None or value is False or value == [] else f"`{value}`"


def _meaning(option: Any) -> str:
    text = " ".join((getattr(option, "help", None) or "").split())
    variables = [option.envvar] if isinstance(option.envvar, str) else option.envvar or []
    return text + "".join(f" (environment: `{name}`)" for name in variables)


# --- key states -----------------------------------------------------------------------------------

# What moves a key from state to state. `*` marks what time does, not a request.
MOVES: Final = (
    ("Enabled", "DisableKey", "Disabled"),
    ("Disabled", "EnableKey", "Enabled"),
    ("Enabled", "ScheduleKeyDeletion", "PendingDeletion"),
    ("Disabled", "ScheduleKeyDeletion", "PendingDeletion"),
    ("PendingImport", "ScheduleKeyDeletion", "PendingDeletion"),
    ("PendingDeletion", "CancelKeyDeletion", "Disabled"),
    ("PendingDeletion", "CancelKeyDeletion", "PendingImport"),
    ("PendingImport", "ImportKeyMaterial", "Enabled"),
    ("Enabled", "DeleteImportedKeyMaterial", "PendingImport"),
    ("Disabled", "DeleteImportedKeyMaterial", "PendingImport"),
    ("Enabled", "*material expires", "PendingImport"),
    ("Enabled", "ScheduleKeyDeletion", "PendingReplicaDeletion"),
    ("PendingReplicaDeletion", "CancelKeyDeletion", "Disabled"),
    ("PendingReplicaDeletion", "*last replica is deleted", "PendingDeletion"),
    ("PendingDeletion", "*waiting period ends", "[*]"),
)


def key_state_diagram() -> str:
    lines = [
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> Enabled: CreateKey",
        "    [*] --> PendingImport: CreateKey (EXTERNAL)",
    ]
    for before, operation, after in MOVES:
        if not operation.startswith("*") and not _works(operation, before):
            raise SystemExit(f"states.py does not let {operation} act on a key that is {before}")
        lines.append(f"    {before} --> {after}: {operation.removeprefix('*')}")
    return "\n".join([*lines, "```"])


def _works(operation: str, state: str) -> bool:
    column = "PD" if state.startswith("Pending") and state != "PendingImport" else state
    return STATES[operation][COLUMNS.index(column)] == OK


def connection_life() -> str:
    taking = [state for state in State if state < State.LAST]
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.FRESH.name}"]
    lines += ["    state TAKES_REQUESTS {", *(f"        {s.name}" for s in taking), "    }"]
    drawn: dict[tuple[str, str], dict[str, None]] = {}
    for move in life.MOVES:
        if move.event in (Event.LOST, Event.TURNED_AWAY):  # they would hide the rest
            continue
        names = [state.name for state in move.states if state is not move.after]
        if len(names) >= len(taking) - 2:
            names = ["TAKES_REQUESTS"]
        for name in names:
            drawn.setdefault((name, move.after.name), {})[move.event.name] = None
    lines += [
        f"    {before} --> {after}: {', '.join(events)}"
        for (before, after), events in drawn.items()
    ]
    lines += ["```", "", "| state | | lasts at most (`front.`) |", "|---|---|---|"]
    for state in State:
        clock = f"`{life.CLOCKS[state]}`" if state in life.CLOCKS else ""
        lines.append(f"| {state.name} | {life.ABOUT[state]} | {clock} |")
    lines += ["", "| in | when | then | and |", "|---|---|---|---|"]
    for move in life.MOVES:
        states = ", ".join(state.name for state in move.states)
        lines.append(f"| {states} | {move.event.name} | {move.after.name} | {move.act} |")
    return "\n".join(lines)


def key_state_matrix() -> str:
    lines = [f"| operation | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for operation, row in STATES.items():
        cells = ["yes" if code == OK else code for code in row]
        lines.append(f"| {operation} | {' | '.join(cells)} |")
    return "\n".join(lines)


def key_state_codes() -> str:
    state_of = dict(zip(COLUMNS, COLUMNS, strict=True)) | {"PD": "PendingDeletion"}
    found: dict[str, str] = {}
    for row in STATES.values():
        for column, code in zip(COLUMNS, row, strict=True):
            if code != OK and code not in found:
                refusal = states.refusal_of(code, KeyState(state_of[column]), "ARN")
                found[code] = f"{refusal.code}: `{refusal.message}`"
    ordered = sorted(found.items(), key=lambda item: int(item[0][1:]))
    return "\n".join(
        ["| code | answer |", "|---|---|", *(f"| {code} | {text} |" for code, text in ordered)]
    )


# --- operations, errors, metrics, tables ----------------------------------------------------------


def operations() -> str:
    lines = ["| service | operation | action class | read only | file |", "|---|---|---|---|---|"]
    for (service, name), operation in sorted(OPERATIONS.items()):
        kind = type(operation)
        file = Path(inspect.getfile(kind)).relative_to(ROOT)
        read_only = "yes" if operation.read_only else "no"
        lines.append(f"| {service} | {name} | `{kind.__name__}` | {read_only} | `{file}` |")
    return "\n".join(lines)


def admin_api() -> str:
    """Return the admin service as its model describes it, operation by operation."""
    model = json.loads(model_text("kagimori"))
    shapes = model["shapes"]
    parts = [_prose(model)]
    for name, operation in sorted(model["operations"].items()):
        output = operation.get("output")
        refusals = ", ".join(f"`{error['shape']}`" for error in operation["errors"])
        parts += [f"### {name}", _prose(operation)]
        parts += ["Request:", _members(shapes, shapes[operation["input"]["shape"]])]
        parts += ["Answer:", _members(shapes, shapes[output["shape"]] if output else {})]
        parts.append(f"Errors: {refusals}")
    parts += ["## Structures", *_structures(model)]
    parts += ["## Errors of this service", "| code | when |\n|---|---|"]
    parts[-1] += "".join(
        f"\n| `{name}` | {_prose(shape)} |"
        for name, shape in sorted(shapes.items())
        if shape.get("exception")
    )
    return "\n\n".join(parts)


def _structures(model: dict[str, Any]) -> Iterator[str]:
    """Yield those that are neither a request, an answer nor an error."""
    whole = {
        operation[side]["shape"]
        for operation in model["operations"].values()
        for side in ("input", "output")
        if side in operation
    }
    for name, shape in sorted(model["shapes"].items()):
        if shape["type"] == "structure" and name not in whole and not shape.get("exception"):
            yield f"### {name}"
            yield _prose(shape)
            yield _members(model["shapes"], shape)


def _members(shapes: dict[str, Any], shape: dict[str, Any]) -> str:
    if not shape.get("members"):
        return "nothing."
    lines = ["| member | type | meaning |", "|---|---|---|"]
    for name, member in shape["members"].items():
        required = " Required." if name in shape.get("required", ()) else ""
        kind = _type_name(shapes, member["shape"])
        lines.append(f"| `{name}` | {kind} | {_prose(member)}{required} |")
    return "\n".join(lines)


def _type_name(shapes: dict[str, Any], name: str) -> str:
    shape = shapes[name]
    kind: str = shape["type"]
    if kind == "structure":
        return f"[{name}](#{name.lower()})"
    if kind == "list":
        return f"list of {_type_name(shapes, shape['member']['shape'])}"
    if kind == "map":
        return f"map to {_type_name(shapes, shape['value']['shape'])}"
    if "enum" in shape:
        return " or ".join(f"`{value}`" for value in shape["enum"])
    bounds = [str(shape[end]) for end in ("min", "max") if end in shape]
    return f"{kind}, {' to '.join(bounds)}" if len(bounds) > 1 else kind


def _prose(described: dict[str, Any]) -> str:
    text = described.get("documentation", "").removeprefix("<p>").removesuffix("</p>")
    return re.sub(r"</?code>", "`", text)


def errors() -> str:
    return _refusals(lambda kind: kind.__module__ != identity_refusals.__name__)


def identity_errors() -> str:
    return _refusals(lambda kind: kind.__module__ == identity_refusals.__name__)


def _refusals(fits: Callable[[type[Refusal]], bool]) -> str:
    for room in (kagimori.rules, kagimori.front, kagimori.gate, kagimori.operations):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            importlib.import_module(module.name)  # a refusal that nobody loaded counts as well
    rows = sorted({(kind.code, kind.status) for kind in Refusal.__subclasses__() if fits(kind)})
    return "\n".join(
        ["| code | status |", "|---|---|", *(f"| `{code}` | {status} |" for code, status in rows)]
    )


def metric_names() -> str:
    lines = ["| metric | type | meaning |", "|---|---|---|"]
    page = metrics.exposition([], {}).decode()
    found = re.findall(r"# HELP (\S+) (.*)\n# TYPE \S+ (\S+)", page)
    lines += [f"| `{name}` | {kind} | {text} |" for name, text, kind in sorted(found)]
    return "\n".join(lines)


def all_settings() -> str:
    lines: list[str] = []
    tree = settings.Settings()
    named = (one for section in settings.NAMED for one in settings.settings_named(section, "name"))
    for setting in (*settings.all_settings(), *named):
        if f"#### {setting.section}" not in lines:
            section = setting.section.partition(".")[0]
            kind = settings.NAMED.get(section) or type(getattr(tree, section))
            meaning = (kind.__doc__ or "").splitlines()
            lines += [
                "",
                f"#### {setting.section}",
                "",
                " ".join(filter(None, map(str.strip, meaning))),
                "",
            ]
            lines += ["| setting | takes | default | option | meaning |", "|---|---|---|---|---|"]
        about = setting.about
        default = _toml(setting.default)
        further = f" (also `{about.variable}`)" if about.variable else ""
        option = f"`{about.flag}`" if about.flag else ""
        lines.append(
            f"| `{setting.member}` | {wanted(setting)} | {default} | {option} "
            f"| {about.meaning}{further} |"
        )
    return "\n".join(lines)


def _toml(default: Any) -> str:
    if default in (None, (), {}):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


# Bounds that are fixed in the code: where each stands, and what it means.
BOUNDS: Final = (
    ("kagimori_boundary.key_specs", "PLAINTEXT_BYTES_MAX", "bytes of plaintext in Encrypt"),
    ("kagimori.operations.kms.cryptographic", "CONTEXT_BYTES_MAX", "bytes of encryption context"),
    ("kagimori.rules.policy.document", "KEY_POLICY_BYTES_MAX", "bytes of a key policy"),
    ("kagimori.rules.policy.steps", "REQUEST_STEPS_MAX", "steps to decide one request"),
    (
        "kagimori.rules.policy.values",
        "VALUE_CHARACTERS_MAX",
        "characters of a value that conditions look at",
    ),
    ("kagimori.rules.keys.alias", "ALIASES_PER_KEY_MAX", "aliases of one key"),
    ("kagimori.rules.keys.grant_request", "GRANTS_PER_KEY_MAX", "grants of one key"),
    ("kagimori.rules.keys.tags", "TAGS_MAX", "tags of one key"),
    ("kagimori.rules.keys.rotation", "ON_DEMAND_MAX", "rotations on demand in a key's life"),
    ("kagimori.rules.keys.rotation", "PERIOD_DAYS_DEFAULT", "days between automatic rotations"),
    ("kagimori.rules.keys.deletion", "WINDOW_DAYS_MIN", "shortest waiting period, days"),
    ("kagimori.rules.keys.deletion", "WINDOW_DAYS_MAX", "longest waiting period, days"),
    ("kagimori.rules.keys.import_material", "PARAMETERS_SECONDS", "life of an import token, s"),
    ("kagimori.rules.sigv4.verify", "WINDOW_SECONDS_DEFAULT", "a signature's age either way, s"),
    ("kagimori.trail.journal", "FILE_BYTES_MAX", "bytes of one journal file"),
    ("kagimori.trail.journal", "WAIT_SECONDS_MAX", "wait for the disk, then failure, s"),
    ("kagimori_hsm.lanes", "WAITING_OF_ACCOUNT_MAX", "slow commands of an account that wait"),
    ("kagimori_hsm.lanes", "WAITING_MAX", "slow commands that wait in all"),
    ("kagimori_hsm.lanes", "USES_OF_ACCOUNT_MAX", "long uses of keys of an account that wait"),
    ("kagimori_hsm.lanes", "USES_MAX", "long uses of keys that wait in all"),
    ("kagimori_hsm.engines.opened", "KEYS_OPENED_MAX", "opened keys that the HSM keeps"),
    ("kagimori_hsm.engines.opened", "KEYS_OPENED_KIB_MAX", "KiB that they take, as counted"),
    ("kagimori_hsm.engines.opened", "KEYS_OPENED_SECONDS_MAX", "how long it keeps one, s"),
)


def key_specs() -> str:
    lines = ["| `KeySpec` | `KeyUsage` | algorithms | plaintext, bytes |", "|---|---|---|---|"]
    for spec in SPECS.values():
        for usage, algorithms in spec.algorithms.items():
            encrypts = usage is KeyUsage.ENCRYPT_DECRYPT
            sizes = [spec.plaintext_bytes_max[name] for name in algorithms] if encrypts else []
            names = ", ".join(f"`{name}`" for name in algorithms)
            room = ", ".join(f"{size:,}" for size in sizes) or "-"
            lines.append(f"| `{spec.name}` | `{usage}` | {names} | {room} |")
    return "\n".join(lines)


def cross_account() -> str:
    return ", ".join(f"`{name}`" for name in sorted(authorize.CROSS_ACCOUNT_ACTIONS)) + "."


def condition_keys() -> str:
    lines = ["| of | condition keys |", "|---|---|"]
    for service, keys, families in (
        ("KMS", kms_values.KMS_KEYS, kms_values.KMS_FAMILIES),
        ("AWS", aws_values.AWS_KEYS, aws_values.AWS_FAMILIES),
    ):
        names = [*sorted(keys), *(f"{family}NAME" for family in sorted(families))]
        lines.append(f"| {service} | {', '.join(f'`{name}`' for name in names)} |")
    return "\n".join(lines)


def bounds() -> str:
    lines = ["| bound | name | where |", "|---|---|---|"]
    for module, name, meaning in BOUNDS:
        value = getattr(importlib.import_module(module), name)
        where = f"`src/{module.replace('.', '/')}.py`"
        lines.append(f"| {meaning}: {value:,.0f} | `{name}` | {where} |")
    return "\n".join(lines)


def store_tables() -> str:
    lines = ["| table | entity | key | groups |", "|---|---|---|---|"]
    for table in sorted(tables.TABLES.values(), key=lambda table: table.name):
        where = table.entity.__module__.replace(".", "/")
        entity = f"`{table.entity.__name__}` in `src/{where}.py`"
        lines.append(
            f"| `{table.name}` | {entity} | {', '.join(table.key)} | "
            f"{', '.join(table.groups) or '-'} |"
        )
    return "\n".join(lines)


# --- what the code says of itself -----------------------------------------------------------------


def differences() -> str:
    """Collect what the source marks as `DIFFERS(aws):`, in comments and docstrings."""
    lines = []
    for file in sorted((ROOT / "src").rglob("*.py")):
        source = file.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(source):
            if "DIFFERS(aws):" in line:
                said = " ".join(_statement(source[number:]))
                lines.append(f"- `{file.relative_to(ROOT)}`: {said}")
    return "\n".join(lines) or "None."


def _statement(lines: list[str]) -> Iterator[str]:
    """Yield the rest of a marked line, and the lines that go on with it."""
    is_comment = lines[0].lstrip().startswith("#")
    yield lines[0].partition("DIFFERS(aws):")[2].partition('"""')[0].strip()
    for line in lines[1:]:
        text = line.strip()
        if text.startswith("#") != is_comment or not text.strip("#") or '"""' in text:
            return
        yield text.lstrip("# ")


def promises() -> str:
    sites: dict[str, list[str]] = {}
    for file in sorted((ROOT / "src").rglob("*.py")):
        for name in re.findall(r"INVARIANT\(([a-z-]+)\)", file.read_text(encoding="utf-8")):
            where = f"`{file.relative_to(ROOT / 'src')}`"
            if where not in sites.setdefault(name, []):
                sites[name].append(where)
    rows = [f"| `{name}` | {', '.join(found)} |" for name, found in sorted(sites.items())]
    return "\n".join(["| promise | marked in |", "|---|---|", *rows])


# --- the HSM --------------------------------------------------------------------------------------


def hsm_state_diagram() -> str:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {HsmState.POWER_ON.name}"]
    for before, steps in hsm_states.NEXT.items():
        lines += [f"    {before.name} --> {after.name}: {why}" for after, why in steps.items()]
    return "\n".join([*lines, "```"])


def hsm_self_tests() -> str:
    """List the known answers, those of one source in one row."""
    by_source: dict[str, list[str]] = {}
    for answer in ANSWERS:
        by_source.setdefault(answer.source, []).append(answer.name)
    rows = [f"| {', '.join(names)} | {source} |" for source, names in by_source.items()]
    return "\n".join(["| known answer of | published in |", "|---|---|", *rows])


def hsm_commands() -> str:
    """Write who may send each command, in which lane it is done, and in which states."""
    states = [state for state in HsmState if hsm_states.ALLOWED[state]]
    heads = [state.name.lower().replace("_", "-") for state in states]
    lines = [
        f"| command | tag | worker | operator | follower | lane | {' | '.join(heads)} |",
        "|---" * (6 + len(heads)) + "|",
    ]
    for kind in sorted(Command.__args__, key=lambda kind: kind.__name__):
        roles = ["yes" if role in kind.roles else "" for role in Role]
        done = ["yes" if kind in hsm_states.ALLOWED[state] else "" for state in states]
        lane = "slow" if kind.is_slow else "by key" if "lane" in vars(kind) else "fast"
        cells = [f"`{kind.__name__}`", str(kind.__struct_config__.tag), *roles, lane, *done]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


PARTS: Final[dict[str, Callable[[], str]]] = {
    "command-line": command_line,
    "connection-life": connection_life,
    "key-state-diagram": key_state_diagram,
    "key-state-matrix": key_state_matrix,
    "key-state-codes": key_state_codes,
    "hsm-state-diagram": hsm_state_diagram,
    "hsm-commands": hsm_commands,
    "hsm-self-tests": hsm_self_tests,
    "operations": operations,
    "admin-api": admin_api,
    "errors": errors,
    "identity-errors": identity_errors,
    "metric-names": metric_names,
    "settings": all_settings,
    "bounds": bounds,
    "key-specs": key_specs,
    "cross-account": cross_account,
    "condition-keys": condition_keys,
    "store-tables": store_tables,
    "differences": differences,
    "promises": promises,
}


def renewed(text: str) -> str:
    """Return a page's text with every generated part as the code has it now."""
    return _MARKED.sub(
        lambda found: f"{found[1]}\n{PARTS[found['name']]().strip()}\n\n{found[3]}", text
    )


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def main() -> None:
    stale = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if renewed(text) != text:
            stale.append(page.relative_to(ROOT))
            if "--check" not in sys.argv:
                page.write_text(renewed(text), encoding="utf-8")
    for page in stale:
        print(page)
    if stale and "--check" in sys.argv:
        raise SystemExit("these pages are not as the code has it: run docs/generate.py")


if __name__ == "__main__":
    main()
