# SPDX-License-Identifier: Apache-2.0
"""TLS contexts made anew from a source whenever its identity or bundle has changed.

spiffe-tls changes the context it once made, which pyOpenSSL refuses after the first connection: its listeners go on with
the certificate they began with. Here OpenSSL verifies the chain, and the SPIFFE ID is compared.
"""
import os
import ssl
import tempfile

from cryptography.hazmat.primitives import serialization

PEM = serialization.Encoding.PEM


class Contexts:
    def __init__(self, source, purpose):
        self.source, self.purpose, self.made = source, purpose, (None, None)

    def current(self):
        update = self.source.get_x509_context()
        svid = update.default_svid
        authorities = update.x509_bundle_set.get_bundle_for_trust_domain(svid.spiffe_id.trust_domain).x509_authorities
        key = (svid.leaf.serial_number, frozenset(authority.serial_number for authority in authorities))
        if key != self.made[0]:
            context = ssl.SSLContext(self.purpose)
            context.check_hostname, context.verify_mode = False, ssl.CERT_REQUIRED
            context.load_verify_locations(cadata="".join(authority.public_bytes(PEM).decode() for authority in authorities))
            with tempfile.NamedTemporaryFile() as file:
                file.write(svid.private_key.private_bytes(
                    PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
                file.write(b"".join(certificate.public_bytes(PEM) for certificate in svid.cert_chain))
                file.flush()
                os.fchmod(file.fileno(), 0o600)
                context.load_cert_chain(file.name)
            self.made = (key, context)
        return self.made[1], svid


def identity(connection):
    names = [value for kind, value in connection.getpeercert()["subjectAltName"] if kind == "URI"]
    assert len(names) == 1, names
    return names[0]
