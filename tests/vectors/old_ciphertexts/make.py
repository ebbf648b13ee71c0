"""Makes a backup with one ciphertext of every kind, with the code of whatever commit.

    git worktree add /tmp/older 617c8ab
    PYTHONPATH=/tmp/older/src python tests/vectors/old_ciphertexts/make.py /tmp/made 617c8ab.tar.xz

It leaves an archive in that folder: `backup/kagimori.db` (copied by SQLite while it was served),
`elsewhere/seal.key`, and `ciphertexts.json`, which says what each must open to, and how. Every
release adds one; none is ever taken away. README.md here says which there are.
"""

import base64
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from contextlib import closing
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

KAGIMORI = [sys.executable, "-c", "from kagimori_cli.command import main; main()"]
REGIONS = ("us-east-1", "eu-central-1")
PASSPHRASE = "correct horse battery staple"
CONTEXT = {"tenant": "blue", "Zweck": "Prüfung ✓", "empty": ""}
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
NOT_OFFERED = ("UnsupportedOperationException", "UnknownOperationException", "ValidationException")


def main(folder, name):
    data = folder / "data"
    regions = [word for region in REGIONS for word in ("--region", region)]
    made = json.loads(output("init", "--data", data, *regions, "--output", "json"))
    serve = [*KAGIMORI, "serve", "--data", data, "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().split()[-1]
    clients = [
        boto3.client(
            "kms",
            endpoint_url=url,
            region_name=region,
            aws_access_key_id=made["access_key_id"],
            aws_secret_access_key=made["secret_access_key"],
            config=Config(retries={"total_max_attempts": 1}, read_timeout=120),
        )
        for region in REGIONS
    ]
    maker = Maker(*clients)
    maker.make()
    (folder / "roots.json").write_text(json.dumps(add_seals(data)))
    subprocess.run([*KAGIMORI, "domain", "rotate", "--data", data], check=False)
    maker.symmetric("after the domain keys were rotated")
    back_up(data, folder)
    server.send_signal(signal.SIGTERM)
    server.wait(60)
    (folder / "ciphertexts.json").write_text(json.dumps(maker.made, indent=1))
    with tarfile.open(folder / name, "w:xz") as archive:
        parts = ("backup/kagimori.db", "elsewhere/seal.key", "ciphertexts.json", "roots.json")
        for part in parts:
            archive.add(folder / part, part)


def output(*arguments):
    command = [*KAGIMORI, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def add_seals(data):
    """Add seals for people, where the version has them; return the passphrase and the shares."""
    add = [*KAGIMORI, "seal", "add", "--data", data]
    options = {"capture_output": True, "text": True, "check": False}
    done = subprocess.run([*add, "passphrase"], input=f"{PASSPHRASE}\n", **options)
    if done.returncode:
        print("no seals:", done.stderr, file=sys.stderr)
        return {}
    split = [*add, "quorum", "--threshold", "2", "--shares", "3"]
    said = subprocess.run(split, stdin=subprocess.DEVNULL, **options).stdout
    shares = [line for line in said.splitlines() if len(line.split()) > 15]
    assert len(shares) == 3, said
    return {"passphrase": PASSPHRASE, "shares": shares}


def back_up(data, folder):
    """Copy as docs/do/back-up-and-restore.md has it: SQLite's backup, and the seal key elsewhere."""
    for part in ("backup", "elsewhere"):
        (folder / part).mkdir()
    with (
        closing(sqlite3.connect(data / "kagimori.db")) as source,
        closing(sqlite3.connect(folder / "backup" / "kagimori.db")) as target,
    ):
        source.backup(target)
    (folder / "elsewhere" / "seal.key").write_bytes((data / "seal.key").read_bytes())


class Maker:
    """Makes keys and ciphertexts, and notes what each opens to."""

    def __init__(self, kms, other_region):
        self.kms, self.other_region = kms, other_region
        self.made = []

    def make(self):
        first = self.symmetric("symmetric, no context", {})
        self.kms.create_alias(AliasName="alias/first", TargetKeyId=first)
        self.symmetric("symmetric, one byte", plaintext=b"\0")
        self.symmetric("symmetric, as long as it may be", plaintext=os.urandom(4096))
        self.rotated()
        self.data_keys(first)
        self.re_encrypted(first)
        self.imported()
        self.multi_region()
        for spec in ("RSA_2048", "RSA_3072", "RSA_4096"):
            for algorithm in ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"):
                self.offered(self.rsa, spec, algorithm)
        for spec in ("ML_KEM_768", "ML_KEM_1024"):
            self.offered(self.encapsulated, spec)
        disabled = self.symmetric("of a disabled key")
        self.kms.disable_key(KeyId=disabled)
        pending = self.symmetric("of a key that waits for its deletion")
        self.kms.schedule_key_deletion(KeyId=pending, PendingWindowInDays=30)

    def note(self, kind, blob, plaintext, context=None, **others):
        encoded = [base64.b64encode(one).decode() for one in (blob, plaintext)]
        ciphertext, plain = encoded
        self.made.append(
            {
                "kind": kind,
                "ciphertext": ciphertext,
                "plaintext": plain,
                "context": context or {},
                **others,
            }
        )

    def offered(self, make, *arguments):
        """Make what this version may not offer."""
        try:
            make(*arguments)
        except (ClientError, AttributeError) as refused:
            code = refused.response["Error"]["Code"] if hasattr(refused, "response") else ""
            assert code in ("", *NOT_OFFERED), refused
            print("not offered:", *arguments, file=sys.stderr)

    def key(self, **options):
        return self.kms.create_key(**options)["KeyMetadata"]["KeyId"]

    def symmetric(self, kind, context=CONTEXT, plaintext=b"meet me at noon", key_id=None, kms=None):
        key_id = key_id or self.key()
        answer = (kms or self.kms).encrypt(
            KeyId=key_id, Plaintext=plaintext, EncryptionContext=context
        )
        self.note(kind, answer["CiphertextBlob"], plaintext, context)
        return key_id

    def rotated(self):
        key_id = self.symmetric("of the first generation")
        for generation in ("second", "third"):
            self.kms.rotate_key_on_demand(KeyId=key_id)
            self.eventually_rotated(key_id)
            self.symmetric(f"of the {generation} generation", key_id=key_id)

    def eventually_rotated(self, key_id):
        for _ in range(300):
            status = self.kms.get_key_rotation_status(KeyId=key_id)
            if "OnDemandRotationStartDate" not in status:
                return
            time.sleep(0.1)
        raise AssertionError("the key was not rotated")

    def data_keys(self, key_id):
        key = self.kms.generate_data_key(KeyId=key_id, NumberOfBytes=64, EncryptionContext=CONTEXT)
        self.note("data key", key["CiphertextBlob"], key["Plaintext"], CONTEXT)
        pair = self.kms.generate_data_key_pair(KeyId=key_id, KeyPairSpec="ECC_NIST_P256")
        self.note("data key pair", pair["PrivateKeyCiphertextBlob"], pair["PrivateKeyPlaintext"])

    def re_encrypted(self, key_id):
        blob = self.kms.encrypt(KeyId=key_id, Plaintext=b"once more")["CiphertextBlob"]
        answer = self.kms.re_encrypt(
            CiphertextBlob=blob, DestinationKeyId=self.key(), DestinationEncryptionContext=CONTEXT
        )
        self.note("re-encrypted", answer["CiphertextBlob"], b"once more", CONTEXT)

    def imported(self):
        key_id = self.key(Origin="EXTERNAL")
        self.import_material(key_id, os.urandom(32))
        self.symmetric("of imported material", key_id=key_id)
        expiring = self.key(Origin="EXTERNAL")
        self.import_material(expiring, os.urandom(32), ValidTo=time.time() + 300 * 86_400)
        self.symmetric("of imported material that will expire", key_id=expiring)
        self.offered(self.imported_rotated, key_id)

    def imported_rotated(self, key_id):
        self.import_material(key_id, os.urandom(32), ImportType="NEW_KEY_MATERIAL")
        self.kms.rotate_key_on_demand(KeyId=key_id)
        self.eventually_rotated(key_id)
        self.symmetric("of imported material, second generation", key_id=key_id)

    def import_material(self, key_id, material, **options):
        given = self.kms.get_parameters_for_import(
            KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
        )
        public_key = serialization.load_der_public_key(given["PublicKey"])
        expires = "KEY_MATERIAL_EXPIRES" if "ValidTo" in options else "KEY_MATERIAL_DOES_NOT_EXPIRE"
        self.kms.import_key_material(
            KeyId=key_id,
            ImportToken=given["ImportToken"],
            EncryptedKeyMaterial=public_key.encrypt(material, OAEP),
            ExpirationModel=expires,
            **options,
        )

    def multi_region(self):
        key_id = self.key(MultiRegion=True)
        self.symmetric("of a multi-Region primary", key_id=key_id)
        self.kms.replicate_key(KeyId=key_id, ReplicaRegion=REGIONS[1])
        self.symmetric("of a multi-Region replica", key_id=key_id, kms=self.other_region)

    def rsa(self, spec, algorithm):
        key_id = self.key(KeySpec=spec, KeyUsage="ENCRYPT_DECRYPT")
        text = b"to an RSA key"
        answer = self.kms.encrypt(KeyId=key_id, Plaintext=text, EncryptionAlgorithm=algorithm)
        named = {"key": key_id, "algorithm": algorithm}
        self.note(f"{spec} {algorithm}", answer["CiphertextBlob"], text, **named)

    def encapsulated(self, spec):
        key_id = self.key(KeySpec=spec, KeyUsage="ENCAPSULATE_DECAPSULATE")
        answer = self.kms.encapsulate(KeyId=key_id, EncapsulationAlgorithm="ML_KEM")
        blob, secret = answer["SharedSecretCiphertextBlob"], answer["SharedSecret"]
        self.note(spec, blob, secret, key=key_id, algorithm="ML_KEM")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
