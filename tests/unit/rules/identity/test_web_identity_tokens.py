"""Tokens of identity providers: what of them is believed, and what is refused whoever signed it."""

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kagimori.rules.identity.refusals import ExpiredTokenException, InvalidIdentityToken
from kagimori.rules.identity.token_json import read_object
from kagimori.rules.identity.web_token import issuer_and_key, verified

NOW = 1_795_681_800.0
KEY = rsa.generate_private_key(65537, 2048)
CLIENT = "client"
CLAIMS = {"iss": "https://issuer.example", "sub": "alice", "aud": CLIENT, "exp": int(NOW) + 60}


def jwk_of(key, **more):
    made = json.loads(jwt.get_algorithm_by_name(more.pop("by")).to_jwk(key.public_key()))
    return {**made, "kid": "one", **more}


JWK = jwk_of(KEY, by="RS256")


def b64(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(payload, header='{"alg":"RS256","kid":"one"}', key=KEY, algorithm="RS256"):
    """A token whose header and payload are exactly these texts."""
    head = f"{b64(header.encode())}.{b64(payload.encode())}"
    by = jwt.get_algorithm_by_name(algorithm)
    return f"{head}.{b64(by.sign(head.encode(), by.prepare_key(key)))}"


def with_claims(**changed):
    kept = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    return signed(json.dumps(kept))


def believed(token, keys=(JWK,)):
    return verified(token, keys, (CLIENT,), NOW)


def test_a_token_as_it_should_be():
    assert believed(with_claims(iat=int(NOW), nbf=int(NOW) - 5)).subject == "alice"
    assert believed(with_claims(exp=NOW + 0.5)).subject == "alice"


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "text",
    ["NaN", "Infinity", "-Infinity", "1e999", "1" * 400, "true", '"9999999999"', "[1]", "1e300"],
)
def test_a_time_is_a_number_that_there_is(name, text):
    payload = json.dumps({**CLAIMS, name: 0}).replace(f'"{name}": 0', f'"{name}": {text}')
    assert text in payload
    with pytest.raises(InvalidIdentityToken):
        believed(signed(payload))


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"exp": None}, InvalidIdentityToken),
        ({"exp": int(NOW)}, ExpiredTokenException),
        ({"exp": -1, "iat": -2}, ExpiredTokenException),
        ({"nbf": int(NOW) + 3600}, InvalidIdentityToken),
        ({"iat": int(NOW) + 3600, "exp": int(NOW) + 7200}, InvalidIdentityToken),
        ({"iat": int(NOW) + 120}, InvalidIdentityToken),  # issued after its end
    ],
)
def test_times_that_do_not_fit(changed, refusal):
    with pytest.raises(refusal):
        believed(with_claims(**changed))


@pytest.mark.parametrize("member", ['"sub": "bob"', '"exp": 99999999999', '"aud": "other"'])
def test_a_claim_that_is_there_twice_is_no_claim(member):
    payload = json.dumps(CLAIMS)[:-1] + f", {member}}}"
    with pytest.raises(InvalidIdentityToken):
        believed(signed(payload))


@pytest.mark.parametrize(
    "header",
    [
        '{"alg":"none","kid":"one"}',
        '{"alg":"HS256","kid":"one"}',
        '{"alg":"ES256K","kid":"one"}',
        '{"kid":"one"}',
        '{"alg":"RS256","alg":"HS256","kid":"one"}',
        '{"alg":"RS256","kid":"one","crit":["b64"],"b64":false}',
        '{"alg":"RS256","kid":"one","crit":[]}',
        '{"alg":7,"kid":"one"}',
        '{"alg":["RS256"],"kid":"one"}',
        "[]",
        "{",
    ],
)
def test_headers_that_promise_something_else(header):
    with pytest.raises(InvalidIdentityToken):
        believed(signed(json.dumps(CLAIMS), header))


def test_a_key_does_not_do_for_a_secret():
    """The token says RS256, the set has the public key's text as a shared secret."""
    text = json.dumps(JWK).encode()
    header, payload = json.dumps({"alg": "RS256"}), json.dumps(CLAIMS)
    head = f"{b64(header.encode())}.{b64(payload.encode())}"
    by = jwt.get_algorithm_by_name("HS256")
    token = f"{head}.{b64(by.sign(head.encode(), text))}"
    with pytest.raises(InvalidIdentityToken):
        believed(token, [{"kty": "oct", "k": b64(text), "kid": "one"}])
    with pytest.raises(InvalidIdentityToken):
        believed(token)


@pytest.mark.parametrize("bits", [1024, 1536, 2047])
def test_a_short_rsa_key_vouches_for_nobody(bits):
    key = rsa.generate_private_key(65537, bits)
    token = signed(json.dumps(CLAIMS), key=key)
    with pytest.raises(InvalidIdentityToken, match="verification key"):
        believed(token, [jwk_of(key, by="RS256")])


def test_nor_does_one_that_is_dear_to_check_with():
    wide = b64(b"\xc3" + b"\x01" * 2047)
    with pytest.raises(InvalidIdentityToken, match="verification key"):
        believed(with_claims(), [{**JWK, "n": wide}])
    with pytest.raises(InvalidIdentityToken, match="verification key"):
        believed(with_claims(), [{**JWK, "e": b64(b"\x01" * 200)}])
    for low in (b"\x01", b"\x00"):
        with pytest.raises(InvalidIdentityToken):
            believed(with_claims(), [{**JWK, "e": b64(low)}])


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "RSA"},
        {"kty": "RSA", "n": 1, "e": "AQAB"},
        {"kty": ["RSA"]},
        {**JWK, "use": "enc"},
        {**JWK, "kty": "EC"},
        {**JWK, "alg": "HS256"},
        {**JWK, "alg": 7},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "Ed448", "x": "AA"},
    ],
)
def test_a_key_that_is_none(jwk):
    with pytest.raises(InvalidIdentityToken):
        believed(with_claims(), [{**jwk, "kid": "one"}])


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    ],
)
def test_other_kinds_of_keys(key, algorithm):
    header = json.dumps({"alg": algorithm, "kid": "one"})
    token = signed(json.dumps(CLAIMS), header, key, algorithm)
    assert believed(token, [jwk_of(key, by=algorithm)]).subject == "alice"
    other = json.dumps({"alg": "RS256", "kid": "one"})
    with pytest.raises(InvalidIdentityToken):
        believed(signed(json.dumps(CLAIMS), other, key, algorithm), [JWK])


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b", "a.b.c.d", "é.é.é", ".".join(["W10"] * 3), "٣.٣.٣", "a" * 20_000],
)
def test_what_is_no_token(token):
    with pytest.raises(InvalidIdentityToken):
        issuer_and_key(token)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":1,"a":2}', "NaN", "[]", "\ud800", '{"a":"\\ud800"}']
)
def test_json_that_is_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        read_object(text.encode("utf-8", "surrogatepass"))
