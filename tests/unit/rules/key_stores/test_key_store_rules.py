"""Custom key stores: the table of connection states, the causes of refusals, what must be unique."""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from kagimori.front.models import ServiceModel
from kagimori.rules.key_stores.causes import (
    FACES,
    Cause,
    refusal_of_check,
    refusal_of_creation,
    refusal_of_use,
)
from kagimori.rules.key_stores.key_store import CustomKeyStore, KeyStoreType, XksProxy
from kagimori.rules.key_stores.properties import (
    OF_CLUSTERS,
    OF_PROXIES,
    changes_of,
    check_quota,
    check_unique,
    new_key_store,
    updated_key_store,
)
from kagimori.rules.key_stores.refusals import (
    CloudHsmClusterInUseException,
    CustomKeyStoreInvalidStateException,
    CustomKeyStoreNameInUseException,
    XksProxyUriEndpointInUseException,
    XksProxyUriInUseException,
    XksProxyVpcEndpointServiceInUseException,
)
from kagimori.rules.key_stores.states import LEADS_TO, WORKS_IN, ConnectionState, after
from kagimori.rules.key_stores.states import check_connection as check
from kagimori.rules.refusal import LimitExceededException, ValidationException

MODEL = ServiceModel.load("kms")
#                       DISCONNECTED CONNECTING CONNECTED FAILED DISCONNECTING
MATRIX = {
    "ConnectCustomKeyStore": "ok ok ok - -",
    "DisconnectCustomKeyStore": "- ok ok ok -",
    "UpdateCustomKeyStore": "ok - - - -",
    "UpdateWhileConnected": "ok - ok - -",
    "DeleteCustomKeyStore": "ok - - - -",
    "CreateKey": "- - ok - -",
    "GenerateRandom": "- - ok - -",
}
SERVICE = "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"


def proxy(**fields):
    return XksProxy(
        **{
            "connectivity": "PUBLIC_ENDPOINT",
            "access_key_id": "A" * 20,
            "uri_endpoint": "https://xks.example.com",
            "uri_path": "/kms/xks/v1",
            **fields,
        }
    )


def store(name="one", **fields):
    return CustomKeyStore(
        **{
            "account_id": "111122223333",
            "region": "us-east-1",
            "key_store_id": f"cks-{name}",
            "name": name,
            "key_store_type": KeyStoreType.EXTERNAL if "proxy" in fields else KeyStoreType.CLOUDHSM,
            "created_at": 0.0,
            **fields,
        }
    )


def given(**members):
    names = ("CustomKeyStoreType", "NewCustomKeyStoreName", *OF_CLUSTERS, *OF_PROXIES)
    return SimpleNamespace(**{"CustomKeyStoreName": "one", **dict.fromkeys(names), **members})


CREDENTIAL = SimpleNamespace(AccessKeyId="A" * 20, RawSecretAccessKey="s" * 43)
EXTERNAL = {
    "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
    "XksProxyConnectivity": "PUBLIC_ENDPOINT",
    "XksProxyUriEndpoint": "https://xks.example.com",
    "XksProxyUriPath": "/kms/xks/v1",
    "XksProxyAuthenticationCredential": CREDENTIAL,
}
CLUSTER = {
    "CloudHsmClusterId": "cluster-1a23b4cdefg",
    "KeyStorePassword": "password",
    "TrustAnchorCertificate": "PEM",
}


def made(**members):
    return new_key_store(
        given(**members), account_id="111122223333", region="us-east-1", key_store_id="c", now=1.0
    )


@pytest.mark.parametrize("operation", MATRIX)
def test_each_cell_of_the_table(operation):
    for state, cell in zip(ConnectionState, order(operation), strict=True):
        if cell == "ok":
            check(operation, state, "cks-1")
        else:
            with pytest.raises(CustomKeyStoreInvalidStateException, match="cks-1"):
                check(operation, state, "cks-1")


def order(operation):
    assert [state.value for state in ConnectionState] == [
        *("DISCONNECTED", "CONNECTING", "CONNECTED", "FAILED", "DISCONNECTING"),
    ]
    return MATRIX[operation].split()


def test_the_table_is_whole_and_its_states_are_the_models():
    assert set(WORKS_IN) == set(MATRIX)
    shapes = MODEL.operation("DescribeCustomKeyStores")
    assert shapes is not None
    for (event, before), to in LEADS_TO.items():
        assert after(event, before) is to is not before
    assert after("connect", ConnectionState.CONNECTED) is ConnectionState.CONNECTED
    reachable = {ConnectionState.DISCONNECTED, *LEADS_TO.values()}
    assert reachable == set(ConnectionState)


def test_each_cause_has_its_errors():
    assert set(FACES) == set(Cause)
    for cause in Cause:
        for refusal in (refusal_of_use, refusal_of_creation, refusal_of_check):
            assert refusal(cause).code
        assert FACES[cause].connection_error_code.isupper()


@pytest.mark.parametrize("missing", [*CLUSTER])
def test_a_store_of_a_cluster_needs(missing):
    with pytest.raises(ValidationException, match=missing):
        made(**{**CLUSTER, missing: None})


@pytest.mark.parametrize("missing", [name for name in EXTERNAL if name != "CustomKeyStoreType"])
def test_an_external_store_needs(missing):
    with pytest.raises(ValidationException, match=missing):
        made(**{**EXTERNAL, missing: None})


def test_members_of_one_type_are_not_for_the_other():
    with pytest.raises(ValidationException, match="XksProxyUriPath"):
        made(**CLUSTER, XksProxyUriPath="/kms/xks/v1")
    with pytest.raises(ValidationException, match="KeyStorePassword"):
        made(**EXTERNAL, KeyStorePassword="password")
    with pytest.raises(ValidationException, match="CloudHsmClusterId"):
        updated_key_store(store(proxy=proxy()), given(CloudHsmClusterId="cluster-1a23b4cdefg"))
    with pytest.raises(ValidationException, match="XksProxyUriPath"):
        updated_key_store(store(cluster_id="c"), given(XksProxyUriPath="/kms/xks/v1"))


def test_a_vpc_endpoint_service_goes_with_its_connectivity():
    with pytest.raises(ValidationException, match="VpcEndpointServiceName is required"):
        made(**{**EXTERNAL, "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"})
    with pytest.raises(ValidationException, match="not valid"):
        made(**EXTERNAL, XksProxyVpcEndpointServiceName=SERVICE)
    inside = made(
        **{**EXTERNAL, "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"},
        XksProxyVpcEndpointServiceName=SERVICE,
    )
    assert inside.proxy.vpc_service_owner == "111122223333"
    with pytest.raises(ValidationException, match="XksProxyUriEndpoint"):
        updated_key_store(inside, given(XksProxyConnectivity="PUBLIC_ENDPOINT"))
    public = updated_key_store(
        inside,
        given(XksProxyConnectivity="PUBLIC_ENDPOINT", XksProxyUriEndpoint="https://b.example.com"),
    )
    assert public.proxy.vpc_service_name is None
    assert public.version == inside.version + 1


def test_what_may_change_while_a_store_is_connected():
    external = store(proxy=proxy())
    for members, row in (
        ({"NewCustomKeyStoreName": "x"}, "UpdateWhileConnected"),
        ({"XksProxyUriPath": "/kms/xks/v1"}, "UpdateWhileConnected"),
        ({"XksProxyAuthenticationCredential": CREDENTIAL}, "UpdateWhileConnected"),
        ({"XksProxyUriEndpoint": "https://b.example.com"}, "UpdateCustomKeyStore"),
        ({"XksProxyConnectivity": "PUBLIC_ENDPOINT"}, "UpdateCustomKeyStore"),
    ):
        assert changes_of(external, given(**members)) == row
    assert changes_of(store(cluster_id="c"), given(KeyStorePassword="password")) == (
        "UpdateCustomKeyStore"
    )


def test_an_update_of_nothing_changes_nothing():
    external = store(proxy=proxy())
    assert updated_key_store(external, given()) is external


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (
            {"name": "one", "proxy": proxy(uri_path="/b/kms/xks/v1")},
            CustomKeyStoreNameInUseException,
        ),
        ({"proxy": proxy(uri_endpoint="https://XKS.example.com")}, XksProxyUriInUseException),
        (
            {
                "proxy": proxy(
                    connectivity="VPC_ENDPOINT_SERVICE",
                    vpc_service_name=SERVICE,
                    uri_path="/b/kms/xks/v1",
                )
            },
            XksProxyUriEndpointInUseException,
        ),
    ],
)
def test_no_two_stores_share(fields, kind):
    first = store("one", proxy=proxy())
    second = replace(store("two", proxy=proxy()), **fields)
    with pytest.raises(kind):
        check_unique(second, [first])
    check_unique(replace(second, key_store_id=first.key_store_id), [first])


def test_no_two_stores_share_a_cluster_or_an_endpoint_service():
    with pytest.raises(CloudHsmClusterInUseException):
        check_unique(store("two", cluster_id="c"), [store("one", cluster_id="c")])
    inside = proxy(connectivity="VPC_ENDPOINT_SERVICE", vpc_service_name=SERVICE)
    other = replace(inside, uri_endpoint="https://b.example.com")
    with pytest.raises(XksProxyVpcEndpointServiceInUseException):
        check_unique(store("two", proxy=other), [store("one", proxy=inside)])


def test_an_endpoint_may_serve_several_paths():
    check_unique(store("two", proxy=proxy(uri_path="/b/kms/xks/v1")), [store("one", proxy=proxy())])


def test_an_account_has_ten_stores_in_a_region():
    check_quota([store(str(number)) for number in range(9)])
    with pytest.raises(LimitExceededException, match="10"):
        check_quota([store(str(number)) for number in range(10)])
