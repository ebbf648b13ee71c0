"""The `kagimori` command: what it can do, and an example of each.

A command's module is imported when the command is asked for, so that `kagimori env` does not wait
for what `kagimori audit` needs.
"""

import sys
from importlib import import_module, metadata
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

# name: (module, attribute, example). A `Typer` is a family of commands, a function is one.
COMMANDS: Final = {
    "init": (
        "initialising",
        "init",
        "kagimori init --data ./kagimori-data --region eu-central-1",
    ),
    "join": (
        "joining",
        "join",
        "kagimori join --data ./node-2 --store postgresql://db/kagimori --root ./seal.key",
    ),
    "serve": (
        "serving",
        "serve",
        "kagimori serve --data ./kagimori-data --listen 127.0.0.1:8567",
    ),
    "console": (
        "console",
        "console",
        "kagimori console --endpoint http://127.0.0.1:8567 --region eu-central-1",
    ),
    "dev": ("serving", "dev", "kagimori dev --listen 127.0.0.1:0"),
    "env": ("facts", "env", 'eval "$(kagimori env --data ./kagimori-data)"; aws kms list-keys'),
    "sign-in-link": (
        "sign_in_link",
        "sign_in_link",
        "kagimori sign-in-link --console http://127.0.0.1:8569 --data ./kagimori-data",
    ),
    "status": ("facts", "status", "kagimori status --data ./kagimori-data --output json"),
    "metrics": ("facts", "metrics", "kagimori metrics --data ./kagimori-data"),
    "model-path": (
        "model_path",
        "model_path",
        "AWS_DATA_PATH=$(kagimori model-path) aws kagimori list-accounts",
    ),
    "why": ("why", "why", "kagimori why 5f0c... --data ./kagimori-data"),
    "audit": ("audit", "audit", "kagimori audit verify --data ./kagimori-data"),
    "backup": (
        "backups",
        "backup",
        "kagimori backup --data ./kagimori-data --to ./backups",
    ),
    "restore": (
        "backups",
        "restore",
        "kagimori restore --from ./kagimori.backup --data ./restored --root ./seal.key",
    ),
    "store": ("store", "store", "kagimori store migrate --data ./kagimori-data"),
    "account": ("accounts", "account", "kagimori account create --data ./kagimori-data"),
    "service": ("services", "service", "kagimori service create s3 --data ./kagimori-data"),
    "seal": ("seals", "seal", "kagimori seal list --data ./kagimori-data"),
    "unseal": ("seals", "unseal", "kagimori unseal --data ./kagimori-data"),
    "domain": ("domains", "domain", "kagimori domain status --data ./kagimori-data"),
    "node": ("nodes", "node", "kagimori node list --data ./kagimori-data"),
    "quota": ("quotas", "quota", "kagimori quota show --data ./kagimori-data"),
    "usage": ("usage", "usage", "kagimori usage --data ./kagimori-data --by key"),
    "twin": ("twin", "twin", "kagimori twin --since 30d --data ./kagimori-data"),
    "evidence": (
        "evidence",
        "evidence",
        "kagimori evidence --out ./evidence --data ./kagimori-data",
    ),
    "guard": ("guard", "guard", "kagimori guard set 30 --data ./kagimori-data"),
    "hsm": ("hsm", "hsm", "kagimori hsm status --data ./kagimori-data"),
    "decrypt-offline": (
        "offline",
        "decrypt_offline",
        "kagimori decrypt-offline --store ./backup --root ./seal.key --ciphertext ./message",
    ),
    "operator": ("operators", "operator", "kagimori operator list --data ./kagimori-data"),
    "approval": ("approvals", "approval", "kagimori approval list --data ./kagimori-data"),
    "policy": (
        "policy",
        "policy",
        "kagimori policy test --data ./kagimori-data --key alias/orders --policy new.json",
    ),
    "settings": ("settings", "settings", "kagimori settings show --data ./kagimori-data"),
    "clock": ("clock", "clock", "kagimori clock advance 8d"),
}


class Commands(TyperGroup):
    """The commands of the table, in its order, each imported when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, example = COMMANDS[cmd_name]
        found = getattr(import_module(f"kagimori_cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            command: Any = get_group(found)
        else:
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name)(found)
            command = get_command(alone)
        command.name = cmd_name
        command.epilog = f"Example: {example}"
        return command


app = typer.Typer(
    name="kagimori",
    cls=Commands,
    help="AWS KMS as software you run yourself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(*, asked: bool) -> None:
    if asked:
        python = ".".join(map(str, sys.version_info[:3]))
        typer.echo(f"kagimori {metadata.version('kagimori')} (Python {python})")
        raise typer.Exit


@app.callback(epilog="Example: kagimori --version")
def _kagimori(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda asked: _print_version(asked=asked),
            is_eager=True,
            help="Print the version, and that of Python.",
        ),
    ] = False,
) -> None:
    """AWS KMS as software you run yourself."""


def main() -> None:
    """Run the command."""
    app()
