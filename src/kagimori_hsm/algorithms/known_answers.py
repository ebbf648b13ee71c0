"""Power-on self-tests: each primitive must repeat an answer that NIST published.

`run` is called once before the HSM serves; it raises, and the HSM goes into its error state. This
tests the library as it is installed, not our rooms; those have their tests.

Source: NIST FIPS 140-3 (IG 10.3.A); the vectors are NIST CAVP's and an RFC's,
named above each.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

# CAVS 14.0, gcmEncryptExtIV256.rsp: IVlen 96, PTlen 128, AADlen 0, Taglen 128, Count 0.
_GCM_KEY: Final = bytes.fromhex("31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22")
_GCM_IV: Final = bytes.fromhex("0d18e06c7c725ac9e362e1ce")
_GCM_PLAINTEXT: Final = bytes.fromhex("2db5168e932556f8089a0622981d017d")
_GCM_CIPHERTEXT: Final = bytes.fromhex(
    "fa4362189661d163fcd6a56d8bf0405ad636ac1bbedd5cc3ee727dc2ab4a9489"
)

# CAVS 11.0, SHA256ShortMsg.rsp: Len 8.
_SHA_256_MESSAGE: Final = bytes.fromhex("d3")
_SHA_256_DIGEST: Final = bytes.fromhex(
    "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"
)

# RFC 4231 section 4.3 (test case 2).
_HMAC_KEY: Final = b"Jefe"
_HMAC_MESSAGE: Final = b"what do ya want for nothing?"
_HMAC_TAG: Final = bytes.fromhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")

# CAVS 14.4, SP 800-108 KDF, counter mode: HMAC_SHA256, BEFORE_FIXED, RLEN 32 bits, COUNT 0.
_KDF_KEY: Final = bytes.fromhex("dd1d91b7d90b2bd3138533ce92b272fbf8a369316aefe242e659cc0ae238afe0")
_KDF_FIXED: Final = bytes.fromhex(
    "01322b96b30acd197979444e468e1c5c6859bf1b1cf951b7e725303e237e46b864a145fab25e517b08f8"
    "683d0315bb2911d80a0e8aba17f3b413faac"
)
_KDF_OUTPUT: Final = bytes.fromhex("10621342bfb0fd40046c0e29f2cfdbf0")

# CAVS 11.0, FIPS 186-3 SigVer.rsp: P-256, SHA-256, the first of result P.
_EC_MESSAGE: Final = bytes.fromhex(
    "e1130af6a38ccb412a9c8d13e15dbfc9e69a16385af3c3f1e5da954fd5e7c45fd75e2b8c36699228e928"
    "40c0562fbf3772f07e17f1add56588dd45f7450e1217ad239922dd9c32695dc71ff2424ca0dec1321aa4"
    "7064a044b7fe3c2b97d03ce470a592304c5ef21eed9f93da56bb232d1eeb0035f9bf0dfafdcc4606272b"
    "20a3"
)
_EC_X: Final = 0xE424DC61D4BB3CB7EF4344A7F8957A0C5134E16F7A67C074F82E6E12F49ABF3C
_EC_Y: Final = 0x970EED7AA2BC48651545949DE1DDDAF0127E5965AC85D1243D6F60E7DFAEE927
_EC_R: Final = 0xBF96B99AA49C705C910BE33142017C642FF540C76349B9DAB72F981FD9347F4F
_EC_S: Final = 0x17C55095819089C2E03B9CD415ABDF12444E323075D98F31920B9E0F57EC871C

# CAVS 11.0, SigVer15_186-3.rsp: mod 2048, SHA256, the first of result P (e = 65537).
_RSA_MODULUS: Final = bytes.fromhex(
    "a911245a2cfb33d8ee375df9439f74e669c03a8d9acad25bd27acf3cd8bea7eb9dbe470155c7c72782c9"
    "4861f7b573cd325639fb070e9ba6e621991aefa45106182e4d264be7068035595d7549052989b3e7fd04"
    "cabc94012c1278a0ef8672b1a51dd1a9e276816ba497dea24b4febe3dd8e977707bcd230ca6fb6f8a8bf"
    "f9e6ba24fbadcd93f00126b19b396a38e6ef86d18fef945b9154c1963fb488c7025953511f86d05638bf"
    "e056493730bc6778446e59cd3c5c3acf07a0a3a64943793652f10e3292aa7a6d25a03181cc6f6ba0658d"
    "909e59ce2a02bacc9766fd8c4fbd4ed9c23a866844b8a794d49e505f9f944870a71aadbe5338039825c2"
    "dff81af3"
)
_RSA_MESSAGE: Final = bytes.fromhex(
    "6918d6328ca0a8b64bbe81d91cdea519911b59fc2dbd53af76006fec4b18a320787135ce883b2b2edb26"
    "041bf86aa52c230b9620335b6e7f9ec08c7ed6b70823d819e9ab019e9929249f966fdb2069311a0ddc68"
    "0ac468f514d4ed873b04a6beb0985b91a0cfd8ed51b09f9e6d06da739eaa939d5a00275901c4f8cf2507"
    "6339"
)
_RSA_SIGNATURE: Final = bytes.fromhex(
    "794d0a45bc9fc6febb586e319dfa6924c888594802b9deb9668963fdb309bf02817960a7457106fc474f"
    "91601436e8954cbb6815350b2c51b53c968d2c48cc1799550d5d03b41f6e5a8c3c264d2e2fe0b5b8ff53"
    "fdcb9dd111c985cb488d7086e6548b4077ec00721c9cb500fe07a031c2030e8ad1dd0112c34ffd9091d7"
    "7a187aac8661b298eee39eb615f9715c4c48a6762ede55a466ec7f3cdb6a937cfc80188a85d8f8d3a2a8"
    "0b199ce5e6375af8f02f06d706a34d9cf38318903965db54aaa7d3fa7a7ee58034cd58c8435739c89063"
    "66e2ddba293f2fb2c15f07fa4951014471e7f677d3bdacffc4c68a906e08d68b39f9010746cbacd22980"
    "cee73e8d"
)


class SelfTestFailed(Exception):
    """A primitive gave another answer than the published one; `str` names it."""


def run() -> None:
    """Run every self-test (about 2 ms in all).

    Raises:
        SelfTestFailed: by the first that fails.
    """
    _sha_256()
    _hmac_sha_256()
    _kdf()
    _aes_256_gcm()
    _ecdsa_verify()
    _rsa_verify()


def _sha_256() -> None:
    running = hashes.Hash(hashes.SHA256())
    running.update(_SHA_256_MESSAGE)
    _expect("SHA-256", running.finalize(), _SHA_256_DIGEST)


def _hmac_sha_256() -> None:
    running = HMAC(_HMAC_KEY, hashes.SHA256())
    running.update(_HMAC_MESSAGE)
    _expect("HMAC-SHA-256", running.finalize(), _HMAC_TAG)


def _kdf() -> None:
    kdf = KBKDFHMAC(
        algorithm=hashes.SHA256(),
        mode=Mode.CounterMode,
        length=len(_KDF_OUTPUT),
        rlen=4,
        llen=None,
        location=CounterLocation.BeforeFixed,
        label=None,
        context=None,
        fixed=_KDF_FIXED,
    )
    _expect("SP 800-108 KDF", kdf.derive(_KDF_KEY), _KDF_OUTPUT)


def _aes_256_gcm() -> None:
    cipher = AESGCM(_GCM_KEY)
    _expect("AES-256-GCM", cipher.encrypt(_GCM_IV, _GCM_PLAINTEXT, b""), _GCM_CIPHERTEXT)
    _expect("AES-256-GCM", cipher.decrypt(_GCM_IV, _GCM_CIPHERTEXT, b""), _GCM_PLAINTEXT)
    try:
        cipher.decrypt(_GCM_IV, _spoilt(_GCM_CIPHERTEXT), b"")
    except InvalidTag:
        return
    raise SelfTestFailed("AES-256-GCM accepts a false tag")


def _ecdsa_verify() -> None:
    key = ec.EllipticCurvePublicNumbers(_EC_X, _EC_Y, ec.SECP256R1()).public_key()
    signature = encode_dss_signature(_EC_R, _EC_S)
    scheme = ec.ECDSA(hashes.SHA256())
    try:
        key.verify(signature, _EC_MESSAGE, scheme)
    except InvalidSignature:
        raise SelfTestFailed("ECDSA refuses a right signature") from None
    try:
        key.verify(signature, _spoilt(_EC_MESSAGE), scheme)
    except InvalidSignature:
        return
    raise SelfTestFailed("ECDSA accepts a false signature")


def _rsa_verify() -> None:
    key = rsa.RSAPublicNumbers(65537, int.from_bytes(_RSA_MODULUS, "big")).public_key()
    scheme, digest = padding.PKCS1v15(), hashes.SHA256()
    try:
        key.verify(_RSA_SIGNATURE, _RSA_MESSAGE, scheme, digest)
    except InvalidSignature:
        raise SelfTestFailed("RSA refuses a right signature") from None
    try:
        key.verify(_RSA_SIGNATURE, _spoilt(_RSA_MESSAGE), scheme, digest)
    except InvalidSignature:
        return
    raise SelfTestFailed("RSA accepts a false signature")


def _expect(name: str, got: bytes, published: bytes) -> None:
    if got != published:
        raise SelfTestFailed(f"{name} gives another answer than the published one")


def _spoilt(value: bytes) -> bytes:
    return value[:-1] + bytes((value[-1] ^ 1,))
