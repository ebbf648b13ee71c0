"""Attestation documents from a root of our own, and the recipient who opens what is sent to it."""

import datetime as dt

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

import outside

_PROTECTED = cbor2.dumps({1: -35})
_DAY = dt.timedelta(days=1)


class _Certified:
    """A key on P-384 and its certificate: an authority's, or (with an issuer) a host's."""

    def __init__(self, name, issuer=None):
        self.key = ec.generate_private_key(ec.SECP384R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer, is_root = issuer or self, issuer is None
        usage = dict.fromkeys(
            (
                "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                "encipher_only", "decipher_only",
            ),
            False,
        )  # fmt: skip
        usage |= {"digital_signature": not is_root, "key_cert_sign": is_root, "crl_sign": is_root}
        now = dt.datetime.now(dt.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .sign(signer.key, hashes.SHA384())
        )

    @property
    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)


class Recipient:
    """An enclave: a root that vouches for it, its RSA key, and documents that say so."""

    def __init__(self):
        self.root = _Certified("root")
        self._host = _Certified("host", self.root)
        self._key = rsa.generate_private_key(65537, 2048)

    def document(self, **claims):
        """Return a document, fresh and right but for `claims`."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        whole = {
            "module_id": "i-0123456789abcdef0-enc0123456789abcdef",
            "digest": "SHA384",
            "timestamp": int(dt.datetime.now(dt.UTC).timestamp() * 1000),
            "pcrs": {index: bytes(48) for index in range(16)},
            "certificate": self._host.der,
            "cabundle": [self.root.der],
            "public_key": self._key.public_key().public_bytes(serialization.Encoding.DER, form),
            "user_data": None,
            "nonce": None,
        }
        payload = cbor2.dumps(whole | claims)
        signed = cbor2.dumps(["Signature1", _PROTECTED, b"", payload])
        r, s = decode_dss_signature(self._host.key.sign(signed, ec.ECDSA(hashes.SHA384())))
        return cbor2.dumps([_PROTECTED, {}, payload, r.to_bytes(48) + s.to_bytes(48)])

    def asks(self, **claims):
        """Return the `Recipient` member of a request."""
        return {
            "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
            "AttestationDocument": self.document(**claims),
        }

    def opened(self, envelope):
        """Return what is in `CiphertextForRecipient`, opened by openssl."""
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
        key = self._key.private_bytes(*form, serialization.NoEncryption())
        return outside.openssl(
            "cms", "-decrypt", "-inform", "DER", "-in", "envelope", "-inkey", "key", "-out", "out",
            envelope=envelope, key=key,
        )  # fmt: skip
