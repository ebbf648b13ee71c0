"""Each command goes to the holder of its key, and to no other."""

import pytest

from kagimori.hsm.holders import Holders
from kagimori.pending import Pending
from kagimori.ports import Ask, HolderRefused, Outside, Place, Purpose
from kagimori.rules.key_stores.asks import CheckStore, ConnectStore, DisconnectStore
from kagimori.rules.key_stores.causes import Cause
from kagimori.rules.key_stores.key_store import CustomKeyStore, KeyStoreType
from kagimori_boundary.commands import Decrypt, Encrypt, GenerateRandom, ReEncrypt, SealStoreSecret
from kagimori_boundary.replies import Bytes, Failed, Failure

PURPOSE = Purpose("Encrypt", "request-1", "arn:aws:iam::111122223333:user/alice")


def settled(value):
    pending = Pending()
    pending.settle(value)
    return pending


class Own:
    def __init__(self, *replies):
        self.replies, self.asked = list(replies), []

    def perform(self, command):
        self.asked.append(command)
        return settled(self.replies.pop(0) if self.replies else Bytes(b"own"))


class Store:
    def __init__(self, *, is_layer):
        self.is_layer, self.asked = is_layer, []

    def _done(self, *what, value=None):
        self.asked.append(what)
        return settled(value)

    def check(self, store, secret, purpose):
        return self._done("check", store.name, secret)

    def connect(self, store, purpose):
        return self._done("connect", store.name)

    def disconnect(self, store):
        return self._done("disconnect", store.name)

    def perform(self, command, place, purpose):
        return self._done(command, place.key_name, value=Bytes(b"outside"))

    def unwrapped(self, ciphertext, context, use):
        return self._done("unwrap", ciphertext, use[0].key_name, value=b"inner")

    def wrapped(self, ciphertext, context, use):
        return self._done("wrap", ciphertext, use[0].key_name, value=b"outer")


def place(kind, key_name="k1"):
    store = CustomKeyStore(
        account_id="111122223333",
        region="eu-central-1",
        key_store_id="cks-0123456789abcdef0",
        name="store",
        key_store_type=kind,
        created_at=0.0,
    )
    return Place(store, key_name, "arn")


EXTERNAL, CLUSTER = KeyStoreType.EXTERNAL, KeyStoreType.CLOUDHSM
RE_ENCRYPT = ReEncrypt(b"s", "SYMMETRIC_DEFAULT", b"blob", {}, b"d", "SYMMETRIC_DEFAULT", {})


@pytest.fixture
def own():
    return Own()


@pytest.fixture
def external():
    return Store(is_layer=True)


@pytest.fixture
def cluster():
    return Store(is_layer=False)


@pytest.fixture
def holders(own, external, cluster):
    return Holders(own, {EXTERNAL: external, CLUSTER: cluster})


def test_a_command_about_our_own_keys_goes_to_our_own_hsm(holders, own, external, cluster):
    command = GenerateRandom(1)
    assert holders.perform(Ask(None, command)).result() == Bytes(b"own")
    assert (own.asked, external.asked, cluster.asked) == ([command], [], [])


@pytest.mark.parametrize("kind", [EXTERNAL, CLUSTER])
def test_a_command_about_a_key_of_a_store_goes_to_the_holder_of_its_type(
    holders, own, external, cluster, kind
):
    command = GenerateRandom(1)
    ask = Ask(Outside(PURPOSE, place(kind)), command)
    assert holders.perform(ask).result() == Bytes(b"outside")
    asked = {EXTERNAL: external, CLUSTER: cluster}
    assert asked.pop(kind).asked == [(command, "k1")]
    assert not own.asked
    assert not next(iter(asked.values())).asked


def test_a_type_of_store_that_nobody_holds_does_not_become_our_own(own):
    for ask in (GenerateRandom(1), ConnectStore(), CheckStore("secret", reach=True)):
        with pytest.raises(HolderRefused) as refused:
            Holders(own).perform(Ask(Outside(PURPOSE, place(CLUSTER)), ask)).result()
        assert refused.value.cause is Cause.CLUSTER_NOT_FOUND
    assert not own.asked


def test_a_store_is_connected_checked_and_disconnected_by_its_holder(holders, own, external):
    outside = Outside(PURPOSE, place(EXTERNAL))
    assert holders.perform(Ask(outside, ConnectStore())).result() == Bytes(b"")
    assert holders.perform(Ask(outside, DisconnectStore())).result() == Bytes(b"")
    assert external.asked == [("connect", "store"), ("disconnect", "store")]
    assert not own.asked


def test_a_secret_is_sealed_once_the_store_was_reached_with_it(holders, own, external):
    outside = Outside(PURPOSE, place(EXTERNAL))
    assert holders.perform(Ask(outside, CheckStore("s", reach=True))).result() == Bytes(b"own")
    assert holders.perform(Ask(outside, CheckStore("s", reach=False))).result() == Bytes(b"own")
    assert holders.perform(Ask(outside, CheckStore("", reach=True))).result() == Bytes(b"")
    assert external.asked == [("check", "store", "s"), ("check", "store", "")]
    assert [type(command) for command in own.asked] == [SealStoreSecret] * 2
    assert [command.secret for command in own.asked] == ["s", "s"]


def test_a_secret_is_not_in_the_repr_of_the_request_that_carries_it():
    assert "secret-word" not in repr(CheckStore("secret-word", reach=True))


@pytest.mark.parametrize("source", [None, EXTERNAL])
@pytest.mark.parametrize("destination", [None, EXTERNAL])
def test_re_encryption_between_layers_leaves_the_plaintext_in_our_hsm(
    holders, own, external, source, destination
):
    outside = Outside(
        PURPOSE,
        place(source, "from") if source else None,
        place(destination, "to") if destination else None,
    )
    reply = holders.perform(Ask(outside, RE_ENCRYPT)).result()
    assert reply == Bytes(b"outer" if destination else b"own")
    (command,) = own.asked
    assert isinstance(command, ReEncrypt)
    assert command.ciphertext == (b"inner" if source else b"blob")
    assert external.asked == (
        ([("unwrap", b"blob", "from")] if source else [])
        + ([("wrap", b"own", "to")] if destination else [])
    )


def test_what_a_proxy_made_up_is_refused_as_that(external):
    own = Own(Failed(Failure.INVALID_CIPHERTEXT))
    holders = Holders(own, {EXTERNAL: external})
    with pytest.raises(HolderRefused) as refused:
        holders.perform(Ask(Outside(PURPOSE, place(EXTERNAL)), RE_ENCRYPT)).result()
    assert refused.value.cause is Cause.INNER_CIPHERTEXT


def test_re_encryption_from_a_cluster_decrypts_there_and_encrypts_at_the_destination(
    holders, own, cluster
):
    outside = Outside(PURPOSE, place(CLUSTER, "from"), None)
    assert holders.perform(Ask(outside, RE_ENCRYPT)).result() == Bytes(b"own")
    assert cluster.asked == [(Decrypt(b"s", "SYMMETRIC_DEFAULT", b"blob", {}), "from")]
    assert own.asked == [Encrypt(b"d", "SYMMETRIC_DEFAULT", b"outside", {})]


def test_a_refusal_at_the_source_ends_a_re_encryption_to_a_cluster(cluster):
    own = Own(Failed(Failure.INVALID_CIPHERTEXT))
    holders = Holders(own, {CLUSTER: cluster})
    outside = Outside(PURPOSE, None, place(CLUSTER, "to"))
    assert holders.perform(Ask(outside, RE_ENCRYPT)).result() == Failed(Failure.INVALID_CIPHERTEXT)
    assert not cluster.asked
