"""Terraform and Ansible make all they know of IAM, change nothing the second time, and clean up.

They are not among the requirements of the tests; where they are missing, this is skipped.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import serving

TOOLS = Path(__file__).with_name("iam_tools")
# A folder with Terraform's provider for AWS, as `terraform providers mirror` makes it.
MIRROR = os.environ.get("KAGIMORI_TERRAFORM_MIRROR")
EMPTY = {"Users": 0, "Groups": 0, "Roles": 0, "Policies": 0, "InstanceProfiles": 0, "Providers": 0}


@pytest.fixture
def server():
    with serving.served() as started:
        yield started


def run(arguments, environment, folder):
    done = subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def left(server):
    iam = server.client("iam")
    summary = iam.get_account_summary()["SummaryMap"]
    iam.close()
    return {name: summary[name] for name in EMPTY}


@pytest.mark.nightly
@pytest.mark.skipif(
    not (MIRROR and shutil.which("terraform")), reason="no Terraform, or no provider for it"
)
def test_terraform(server, tmp_path):
    shutil.copy(TOOLS / "main.tf", tmp_path)
    settings = tmp_path / "terraform.rc"
    settings.write_text(f'provider_installation {{ filesystem_mirror {{ path = "{MIRROR}" }} }}\n')
    environment = server.environment() | {
        "TF_CLI_CONFIG_FILE": str(settings),
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
    }
    run(["terraform", "init", "-input=false"], environment, tmp_path)
    run(["terraform", "apply", "-auto-approve", "-input=false"], environment, tmp_path)
    # Exit code 2 would be a difference.
    run(["terraform", "plan", "-detailed-exitcode", "-input=false"], environment, tmp_path)
    assert left(server) != EMPTY
    run(["terraform", "destroy", "-auto-approve", "-input=false"], environment, tmp_path)
    assert left(server) == EMPTY


def has_collection():
    if not shutil.which("ansible-galaxy"):
        return False
    done = subprocess.run(
        ["ansible-galaxy", "collection", "list", "community.aws"], capture_output=True, text=True
    )
    return done.returncode == 0 and "community.aws" in done.stdout


@pytest.mark.nightly
def test_ansible(server, tmp_path):
    if not has_collection():
        pytest.skip("no Ansible, or not its collection for AWS")
    environment = server.environment() | {"ANSIBLE_LOCALHOST_WARNING": "False"}
    environment.pop("PYTHONPATH", None)
    inventory = ["-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}"]
    run(["ansible-playbook", *inventory, str(TOOLS / "play.yml")], environment, tmp_path)
    assert left(server) == EMPTY
