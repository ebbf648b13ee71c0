"""`kagimori model-path`: where AWS's tools for Python find the admin service."""

from importlib import resources

import typer


def model_path() -> None:
    """Print the folder with the admin service's model, for AWS_DATA_PATH."""
    typer.echo(str(resources.files("kagimori") / "front" / "service_models"))
