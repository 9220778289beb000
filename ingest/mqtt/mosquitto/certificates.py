"""The only file that knows cryptography: a private authority and the broker's certificate under it.

The extensions are those that RFC 5280, section 4.2, asks of an authority and of an end entity; Python 3.13
verifies strictly and refuses certificates that lack them.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from poise.errors import ConfigurationError

AUTHORITY_LIFE: Final = timedelta(days=3652)
"""Project decision: longer than a study, for every gateway must be enrolled again when it ends."""
SERVER_LIFE: Final = timedelta(days=825)
"""The longest that Apple's systems accept of a private authority (https://support.apple.com/en-us/103769)."""
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_EARLY: Final = timedelta(hours=1)
"""A gateway's clock may be behind the broker's."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


def new_authority(now: datetime) -> Pair:
    """Return an authority that can sign certificates of brokers and nothing below them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(f"Poise authority of {now:%Y-%m-%d}")
    usage = _usage(signs_certificates=True)
    builder = _begun(subject, subject, key, now, AUTHORITY_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(_of_authority(key.public_key()), critical=False)
    return _sealed(builder, key, key)


def new_server(authority: Pair, hosts: Iterable[str], now: datetime) -> Pair:
    """Return the certificate of a broker that is reached at `hosts` and, always, over loopback.

    Raises:
        ConfigurationError: if the authority cannot be read or a host cannot stand in a certificate.
    """
    signer, signing_key = _read(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    names = list(dict.fromkeys((*hosts, *LOOPBACK)))
    builder = _begun(_named("Poise broker"), signer.subject, key, now, SERVER_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
    )
    builder = builder.add_extension(_of_authority(signing_key.public_key()), critical=False)
    return _sealed(builder, key, signing_key)


def valid_until(certificate: bytes) -> datetime:
    """Return when a PEM certificate expires, UTC.

    Raises:
        ConfigurationError: if it is none.
    """
    try:
        return x509.load_pem_x509_certificate(certificate).not_valid_after_utc
    except ValueError as exc:
        raise ConfigurationError(f"a certificate of the broker cannot be read: {exc}") from exc


def _read(pair: Pair) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate)
        key = serialization.load_pem_private_key(pair.key, None)
    except (ValueError, TypeError) as exc:
        raise ConfigurationError(f"the authority of the broker cannot be read: {exc}") from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError("the authority of the broker is not one that `poise broker init` made")
    return certificate, key


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - _EARLY).not_valid_after(now + life)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _sealed(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signing: ec.EllipticCurvePrivateKey
) -> Pair:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signed = builder.sign(signing, hashes.SHA256())
    return Pair(signed.public_bytes(serialization.Encoding.PEM), private)


def _of_authority(key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host)
    except ValueError as exc:
        raise ConfigurationError(
            f"the host {host!r} cannot stand in a certificate; write its address, or a name of letters a to "
            "z, digits, hyphens and dots"
        ) from exc


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
