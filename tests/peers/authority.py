# SPDX-License-Identifier: Apache-2.0
"""A CA of one's own, and Istio's service of certificates in front of it."""

import concurrent.futures
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM


class Authority:
    """A root of P-256 that signs what it is asked for."""

    def __init__(self, domain):
        self.domain = domain
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(
            x509.NameOID.ORGANIZATION_NAME, domain)])
        self.cert = self.sign(self.key.public_key(), self.name, [
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (usage(key_cert_sign=True, crl_sign=True), True)])
        self.pem = self.cert.public_bytes(PEM)

    def sign(self, public, subject, extensions):
        now = datetime.datetime.utcnow()
        maker = (x509.CertificateBuilder().subject_name(subject)
                 .issuer_name(self.name).public_key(public)
                 .serial_number(x509.random_serial_number())
                 .not_valid_before(now - datetime.timedelta(hours=1))
                 .not_valid_after(now + datetime.timedelta(days=1)))
        for extension, critical in extensions:
            maker = maker.add_extension(extension, critical)
        return maker.sign(self.key, hashes.SHA256())

    def leaf(self, public, names):
        """PEM of a certificate for peers of either side."""
        uses = [x509.ExtendedKeyUsageOID.SERVER_AUTH,
                x509.ExtendedKeyUsageOID.CLIENT_AUTH]
        return self.sign(public, x509.Name([]), [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (usage(digital_signature=True, key_encipherment=True), True),
            (x509.ExtendedKeyUsage(uses), False),
            (x509.SubjectAlternativeName(names), True)]).public_bytes(PEM)

    def write(self, folder):
        """The root's certificate and its key, in files of these names."""
        cert, key = folder / "root.pem", folder / "root.key"
        cert.write_bytes(self.pem)
        key.write_bytes(private_pem(self.key))
        key.chmod(0o600)
        return cert, key


def usage(**what):
    names = ("digital_signature", "content_commitment", "key_encipherment",
             "data_encipherment", "key_agreement", "key_cert_sign",
             "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: what.get(name, False) for name in names})


def private_pem(key):
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def text_field(message, wanted):
    """The first field of that number and of a length, of protobuf."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        if tag & 7 == 2:
            length, at = varint(message, at)
            if tag >> 3 == wanted:
                return message[at:at + length]
            at += length
        elif tag & 7 == 0:
            _, at = varint(message, at)
        else:
            raise ValueError(f"wire type {tag & 7}")
    raise ValueError(f"no field {wanted}")


def text(number, data):
    length, out = len(data), b""
    while length > 0x7f:
        out += bytes([length & 0x7f | 0x80])
        length >>= 7
    return bytes([number << 3 | 2]) + out + bytes([length]) + data


def serve(authority, machine):
    """istio.v1.auth.IstioCertificateService on the machine's loopback.

    It gives everybody what the request names. Returns the server and its port.
    """
    import grpc  # pylint: disable=import-outside-toplevel

    def create(request, _):
        csr = x509.load_pem_x509_csr(text_field(request, 1))
        names = csr.extensions.get_extension_for_class(
            x509.SubjectAlternativeName).value
        leaf = authority.leaf(csr.public_key(), list(names))
        return text(1, leaf) + text(1, authority.pem)

    key = ec.generate_private_key(ec.SECP256R1())
    own = authority.leaf(key.public_key(), [x509.DNSName("localhost")])
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
        "istio.v1.auth.IstioCertificateService",
        {"CreateCertificate": grpc.unary_unary_rpc_method_handler(create)})])
    port = machine.inside(lambda: server.add_secure_port(
        machine.at(0), grpc.ssl_server_credentials(
            [(private_pem(key), own)])))
    server.start()
    return server, port
