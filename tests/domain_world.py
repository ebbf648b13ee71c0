"""A deployment in small for tests of domain keys: a real store, a real HSM module, one keeper.

There is no process and no socket; what a crash loses is dropped, and the clock is moved by hand.
"""

import json
from types import SimpleNamespace

import msgspec

from kagimori.entities.identity_tables import LOGIN_PROFILES, MFA_DEVICES, USERS
from kagimori.entities.stored_tokens import TOKEN_KINDS
from kagimori.entities.tables import (
    ACCESS_KEYS,
    AUDIT_KEYS,
    DOMAINS,
    KEY_STORES,
    KMS_KEYS,
    TABLES,
)
from kagimori.hsm.client import HsmGone
from kagimori.hsm.holders import sealing
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.machinery.telemetry import Telemetry
from kagimori.pending import Pending
from kagimori.ports import Put
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.login_profile import LoginProfile
from kagimori.rules.identity.mfa_device import MfaDevice
from kagimori.rules.identity.user import User
from kagimori.rules.key_stores.key_store import CustomKeyStore, KeyStoreType
from kagimori.rules.keys.audit_key import StoredAuditKey
from kagimori.rules.keys.domains import ALL, first_domains
from kagimori.rules.keys.kms_key import BackingKey, KmsKey
from kagimori.server.domain_keeper import DomainKeeper
from kagimori.settings import DomainKeys
from kagimori.trail.keeper import Keeper
from kagimori_boundary import commands
from kagimori_boundary.commands import IDENTITY_DOMAIN, Role
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_boundary.replies import DomainKeys as ListedKeys
from kagimori_boundary.replies import Tokens
from kagimori_hsm.module import Module
from kagimori_hsm.world import World
from waiting import future_of

ACCOUNT, REGIONS = "111122223333", ("eu-west-1", "us-east-1")
DAY = 86_400.0
KIND = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS")


class Quiet:
    def error(self, *_, **__):
        pass


def settled(value=None):
    pending = Pending()
    pending.settle(value)
    return pending


class DomainWorld:
    """Made on a loop. `records` are the names of what was recorded, in order."""

    def __init__(self, folder, **settings):
        self.now = 1_800_000_000.0
        self.folder = folder
        self.settings = DomainKeys(**settings)
        self.hsm = self._module()
        self.hsm_is_gone = False
        self.records, self.details, self.made, self.ciphertexts = [], [], 0, {}
        self._open()

    async def begin(self):
        reply = self.operator(commands.CreateDomains([IDENTITY_DOMAIN, *REGIONS]))
        await self.commit(Put(DOMAINS, first_domains(reply.sealed_domains, reply.keys)))
        return self

    # --- the parts ----------------------------------------------------------------------------

    def _module(self):
        world = World(now=lambda: self.now)
        made = Module(bytes(32), memory_locked=False, world=world, self_tests=list)
        made.self_test()
        return made

    def _open(self):
        self.store = WorkerStore(
            self.folder / "kagimori.db",
            ChangeSignal(self.folder / "changes"),
            stream="w0",
            tables=tuple(TABLES.values()),
        )
        telemetry = Telemetry(services=("kms",), log=Quiet())
        self.keeper = DomainKeeper(
            view=self.store.view,
            store=self.store,
            key_holder=self,
            keeper=Keeper(self.store, self, self, telemetry),
            now=lambda: self.now,
            draw=self._draw,
            telemetry=telemetry,
            settings=self.settings,
            account_id=ACCOUNT,
            region=REGIONS[0],
        )

    def _draw(self):
        self.made += 1
        return f"event-{self.made}"

    def perform(self, ask):
        if self.hsm_is_gone:
            gone = Pending()
            gone.fail(HsmGone("gone"))
            return gone
        return settled(self.hsm.perform(Role.WORKER, ask.command))

    def check(self):
        pass

    def append_committed(self, event_id, record):
        self.records.append(json.loads(record)["eventName"])
        self.details.append(json.loads(record)["serviceEventDetails"])
        return settled()

    def operator(self, command):
        return self.hsm.perform(Role.OPERATOR, command)

    def worker(self, command):
        return self.hsm.perform(Role.WORKER, command)

    async def commit(self, *writes):
        self.made += 1
        await future_of(self.store.commit(writes, f"made-{self.made}", b"{}"))

    # --- what happens -------------------------------------------------------------------------

    async def turn(self):
        await self.keeper.turn()

    def adopt(self):
        return self.operator(commands.AdoptDomains(self.kept().sealed))

    def restart_hsm(self):
        self.hsm = self._module()
        assert self.operator(commands.Unseal(self.kept().sealed)).state == 2

    def restart_worker(self):
        self.store.close()
        self._open()

    async def settle(self, turns=12):
        """Let time pass until nothing more is to be done."""
        for _ in range(turns):
            await self.turn()
            assert isinstance(self.adopt(), ListedKeys)

    # --- what there is ------------------------------------------------------------------------

    def kept(self):
        return self.store._writer.one(DOMAINS, (ALL,))

    def all(self, table):
        return self.store._writer.page(table, (), None, None, None)

    def key_to_be(self, region=REGIONS[0]):
        """A KMS key whose token the HSM has made, and which nobody has kept yet."""
        self.made += 1
        key_id = f"key-{self.made}"
        new = self.worker(commands.GenerateKey(ACCOUNT, region, key_id, *KIND))
        kms_key = KmsKey(
            account_id=ACCOUNT, region=region, key_id=key_id, created_at=self.now, key_policy="{}"
        ).with_first_material(
            BackingKey(
                material_id=new.material_id.hex(), key_token=new.key_token, created_at=self.now
            )
        )
        self.ciphertexts[region, key_id] = self.worker(
            commands.Encrypt(kms_key.current_token, KIND[0], b"kept", {})
        ).value
        return kms_key

    async def make_key(self, region=REGIONS[0]):
        kms_key = self.key_to_be(region)
        await self.commit(Put(KMS_KEYS, kms_key))
        return kms_key

    async def make_one_of_each(self):
        """An entity of every kind that holds tokens."""
        self.made += 1
        name = f"alice{self.made}"
        user = User(account_id=ACCOUNT, name=name, unique_id=f"AIDA{self.made}", created_at=1.0)
        secret = self.operator(commands.CreateSecret(ACCOUNT, name, ROOT_HOLDER))
        proof = commands.AccessKeyProof(ACCOUNT, name, ROOT_HOLDER, secret.sealed_secret)
        password = self.worker(
            commands.HashPassword(ACCOUNT, user.unique_id, "correct horse", proof=proof)
        )
        device = MfaDevice(account_id=ACCOUNT, name=name, created_at=1.0, sealed_seed=b"")
        seed = self.worker(commands.CreateMfaSeed(device.serial_number)).sealed_seed
        audit = self.operator(commands.CreateAuditKey())
        await self.commit(
            Put(USERS, user),
            Put(
                ACCESS_KEYS,
                AccessKey(
                    access_key_id=name,
                    account_id=ACCOUNT,
                    sealed_secret=secret.sealed_secret,
                    created_at=1.0,
                    holder=ROOT_HOLDER,
                ),
            ),
            Put(MFA_DEVICES, msgspec.structs.replace(device, sealed_seed=seed)),
            Put(
                LOGIN_PROFILES,
                LoginProfile(
                    account_id=ACCOUNT,
                    member=user.folded,
                    created_at=1.0,
                    changed_at=1.0,
                    sealed_password=password.value,
                ),
            ),
            Put(KEY_STORES, self._key_store(name)),
            Put(
                AUDIT_KEYS,
                StoredAuditKey(
                    name=name, token=audit.key_token, public_key=audit.public_key or b""
                ),
            ),
        )
        return await self.make_key(REGIONS[1])

    def _key_store(self, name):
        """A custom key store, whose secret is under the domain key of its region."""
        store = CustomKeyStore(
            account_id=ACCOUNT,
            region=REGIONS[1],
            key_store_id=f"cks-{name}",
            name=name,
            key_store_type=KeyStoreType.CLOUDHSM,
            created_at=1.0,
        )
        reply = self.worker(sealing(store, "password"))
        return msgspec.structs.replace(store, sealed_secret=reply.value)

    def presented(self):
        """Every token in the store, as the HSM takes it."""
        users = {user.folded: user.unique_id for user in self.all(USERS)}
        return [
            token
            for table in TABLES.values()
            if table.tokens is not None
            for entity in self.all(table)
            for token in TOKEN_KINDS[table.entity].presented(entity, lambda one: users[one.member])
        ]

    def opens(self, token):
        return isinstance(self.worker(commands.RewrapTokens([token])), Tokens)

    def check_all_usable(self):
        """Every token opens, and every ciphertext of every key."""
        assert all(self.opens(token) for token in self.presented())
        for kms_key in self.all(KMS_KEYS):
            ciphertext = self.ciphertexts[kms_key.region, kms_key.key_id]
            reply = self.worker(commands.Decrypt(kms_key.current_token, KIND[0], ciphertext, {}))
            assert reply.value == b"kept"

    def close(self):
        self.store.close()


def facts_of(domains):
    """The state of each domain key, by its id."""
    return SimpleNamespace(
        states={key.key_id: key.state for key in domains.keys},
        current=domains.current_ids,
        stale=frozenset(key.key_id for key in domains.stale),
    )
