"""Whom to believe over TLS, and what to say when a broker cannot be believed."""

import ssl
from typing import Final

from ingest.mqtt.settings import BrokerSettings
from poise.errors import ConfigurationError

_NOT_YET: Final = 9
_EXPIRED: Final = 10
_OTHER_NAME: Final = (62, 64)
"""Of OpenSSL's X509_V_ERR_… (x509_vfy.h): what Python tells as `verify_code`."""


class _Socket(ssl.SSLSocket):
    """Closes itself when nobody can be believed; paho would leave it open until it is collected."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as in the class above
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def context(settings: BrokerSettings) -> ssl.SSLContext:
    """Return what verifies the broker's certificate and its name: against its own authority, if one is given.

    Raises:
        ConfigurationError: if the authority cannot be read.
    """
    try:
        made = ssl.create_default_context(cafile=settings.ca_file, cadata=settings.authority or None)
    except (OSError, ValueError) as exc:
        whose = f"the ca_file {settings.ca_file}" if settings.ca_file else "the authority of the enrolment"
        raise ConfigurationError(f"{whose} cannot be read: {exc}") from exc
    made.sslsocket_class = _Socket
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def untrusted(settings: BrokerSettings, exc: ssl.SSLCertVerificationError) -> ConfigurationError:
    """Return the sentence for a certificate that was not believed."""
    return ConfigurationError(
        f"the certificate of the MQTT broker at {settings.place} {_why(settings, exc.verify_code)}"
    )


def _why(settings: BrokerSettings, code: int) -> str:
    if code == _EXPIRED:
        return "has expired (or this clock is wrong): on the broker's machine, `poise broker renew`"
    if code == _NOT_YET:
        return "is not valid yet: set this clock, or the broker's, and then there `poise broker renew`"
    if code in _OTHER_NAME:
        return (
            f"is for other names than {settings.host}: reach the broker by one of its names, or on its "
            f"machine `poise broker renew --host {settings.host}`"
        )
    return (
        "is not trusted, for another authority than the one known here vouches for it: take a new enrolment "
        "with `poise join`, or set ca_file to the broker's authority.pem"
    )
