"""Makes the deployment that test_upgrade.py carries over: run it with the code of an older commit.

    git worktree add /tmp/older 16dd41b
    PYTHONPATH=/tmp/older/src python tests/vectors/old_deployment/make.py /tmp/made

It leaves `deployment.tar.xz` in that folder: a deployment that two workers have served, and in
`data/made.json` what a later version must find in it.
"""

import base64
import json
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

KAGIMORI = [sys.executable, "-c", "from kagimori_cli.command import main; main()"]


def main(folder):
    data = folder / "data"
    command = [*KAGIMORI, "init", "--data", data, "--output", "json"]
    made = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    served = [*KAGIMORI, "serve", "--data", data, "--listen", "127.0.0.1:0", "--workers", "2"]
    server = subprocess.Popen(served, stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().split()[-1]

    def client(service, access_key_id=made["access_key_id"], secret=made["secret_access_key"]):
        return boto3.client(
            service,
            endpoint_url=url,
            region_name=made["region"],
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}),
        )

    found = fill(client, made["account_id"])
    time.sleep(3)  # denials and key uses are written once a second and every five
    server.send_signal(signal.SIGTERM)
    server.wait(60)
    (data / "made.json").write_text(json.dumps(found))
    shutil.rmtree(data / "run")
    (data / "lock").unlink()
    for reserve in data.glob("audit/*/.reserve"):
        reserve.unlink()
    with tarfile.open(folder / "deployment.tar.xz", "w:xz") as archive:
        archive.add(data, "data")


def fill(client, account_id):
    """Make a bit of everything; return what is to be found again."""
    kms, iam = client("kms"), client("iam")
    key = kms.create_key(Description="made before", Tags=[{"TagKey": "team", "TagValue": "blue"}])
    key_id = key["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/before", TargetKeyId=key_id)
    context = {"a": "b"}
    first = kms.encrypt(KeyId="alias/before", Plaintext=b"kept", EncryptionContext=context)
    kms.rotate_key_on_demand(KeyId=key_id)
    second = kms.encrypt(KeyId="alias/before", Plaintext=b"kept too")
    iam.create_user(UserName="alice")
    statement = {"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=document)
    access_key = iam.create_access_key(UserName="alice")["AccessKey"]
    alice = [access_key["AccessKeyId"], access_key["SecretAccessKey"]]
    arn = f"arn:aws:iam::{account_id}:user/alice"
    grant = kms.create_grant(KeyId=key_id, GranteePrincipal=arn, Operations=["Decrypt"])
    try:
        client("kms", *alice).list_keys()
    except ClientError as refused:
        denied = refused.response["ResponseMetadata"]["RequestId"]
    return {
        "key_id": key_id,
        "arn": key["KeyMetadata"]["Arn"],
        "account_id": account_id,
        "blobs": [base64.b64encode(one["CiphertextBlob"]).decode() for one in (first, second)],
        "policy": kms.get_key_policy(KeyId=key_id)["Policy"],
        "alice": alice,
        "grant_id": grant["GrantId"],
        "denied": denied,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
