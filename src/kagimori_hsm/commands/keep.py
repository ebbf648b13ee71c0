"""Keeping keys: made, imported, replicated, forgotten. They leave only as tokens."""

from collections.abc import Callable
from typing import Any

import msgspec

from kagimori_boundary import commands
from kagimori_boundary.commands import BoundToken
from kagimori_boundary.replies import ImportParameters, NewKey, Reply, Tokens
from kagimori_hsm.algorithms import dispatch, importing, pairwise
from kagimori_hsm.algorithms.specs import algorithms_of
from kagimori_hsm.engines.software import BackingKeys
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import Rings
from kagimori_hsm.tokens import ExpiredToken, binding_of, key_identity
from kagimori_hsm.world import World

ORIGIN_EXTERNAL = "EXTERNAL"


class _ImportToken(msgspec.Struct, array_like=True, frozen=True):
    wrapping_algorithm: str
    wrapping_key_spec: str
    valid_to: float
    private_key: bytes


_decode_import_token = msgspec.msgpack.Decoder(_ImportToken).decode


class KeepCommands:
    """One function for each command about a key's material as such."""

    def __init__(
        self,
        keys: BackingKeys,
        rings: Rings,
        is_valid_rsa_pair: Callable[[bytes], bool],
        world: World,
    ) -> None:
        self._keys = keys
        self._rings = rings
        self._is_valid_rsa_pair = is_valid_rsa_pair
        self._world = world

    def functions(self) -> dict[type, Callable[[Any], Reply]]:
        return {
            commands.GenerateKey: self._generate,
            commands.CreateImportParameters: self._create_import_parameters,
            commands.ImportMaterial: self._import,
            commands.ReplicateMaterial: self._replicate,
            commands.ForgetMaterial: self._forget,
            commands.StoreMaterial: self._store,
        }

    def _generate(self, command: commands.GenerateKey) -> Reply:
        algorithms_of(command.key_spec, command.key_usage)  # refuses what does not go together
        material = pairwise.generate(command.key_spec)
        regions = [command.region, *command.replica_regions]
        return self._new_key(command, material, regions)

    def _store(self, command: commands.StoreMaterial) -> Reply:
        algorithms_of(command.key_spec, command.key_usage)
        material = importing.normalise(command.key_spec, command.material, self._is_valid_rsa_pair)
        return self._new_key(command, material, [command.region])

    def _create_import_parameters(self, command: commands.CreateImportParameters) -> Reply:
        private_key = pairwise.generate(command.wrapping_key_spec)
        loaded = dispatch.load(command.wrapping_key_spec, private_key)
        content = _ImportToken(
            command.wrapping_algorithm, command.wrapping_key_spec, command.valid_to, private_key
        )
        token = self._rings.of(command.region).wrap(
            msgspec.msgpack.encode(content), _import_binding(command)
        )
        return ImportParameters(token, dispatch.public_key(command.wrapping_key_spec, loaded))

    def _import(self, command: commands.ImportMaterial) -> Reply:
        domain = self._rings.of(command.region)
        content = _decode_import_token(
            domain.unwrap(command.import_token, _import_binding(command))
        )
        if self._world.moment(command.now) > content.valid_to:
            raise ExpiredToken
        algorithms_of(command.key_spec, command.key_usage)
        material = importing.import_material(
            command.key_spec,
            wrapping_key_spec=content.wrapping_key_spec,
            wrapping_key_material=content.private_key,
            wrapping_algorithm=content.wrapping_algorithm,
            encrypted=command.encrypted_material,
            is_valid_rsa_pair=self._is_valid_rsa_pair,
        )
        return self._new_key(command, material, [command.region], origin=ORIGIN_EXTERNAL)

    def _replicate(self, command: commands.ReplicateMaterial) -> Reply:
        """Wrap key material of one region's domain for another's; it is never plain outside."""
        tokens = []
        for bound_token in command.bound_tokens:
            bound = self._keys.bound(bound_token)
            material = self._keys.open(bound_token).material
            there = msgspec.structs.replace(bound, region=command.region)
            tokens.append(self._keys.wrap(there, material))
        return Tokens(tokens)

    def _forget(self, command: commands.ForgetMaterial) -> Reply:
        self._keys.forget(command.material_ids, command.key_tokens)
        return Tokens([])

    def _new_key(
        self, command: Any, material: bytes, regions: list[str], origin: str | None = None
    ) -> Reply:
        identity = key_identity(command.account_id, command.key_id)
        material_id = importing.material_id(material, identity)
        tokens = [
            self._keys.wrap(
                BoundToken(
                    command.account_id,
                    region,
                    command.key_id,
                    command.key_spec,
                    command.key_usage,
                    origin or command.origin,
                    material_id,
                    b"",
                ),
                material,
            )
            for region in regions
        ]
        return NewKey(material_id, tokens[0], _public_key(command.key_spec, material), tokens[1:])


def _public_key(key_spec: str, material: bytes) -> bytes:
    try:
        return dispatch.public_key(key_spec, dispatch.load(key_spec, material))
    except Refused as refused:
        if refused.reason is not Reason.UNSUPPORTED:
            raise
        return b""  # symmetric and HMAC keys have none


def _import_binding(command: commands.CreateImportParameters | commands.ImportMaterial) -> bytes:
    return binding_of("import token", command.account_id, command.region, command.key_id)
