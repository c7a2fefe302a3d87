# SPDX-License-Identifier: Apache-2.0
"""Any call to a server, from its `.proto` files; and callers with an identity of their own."""
import pathlib
import select
import socket
import ssl
import tempfile
import threading

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

from programs import ROOT

PROTOS = ROOT / "Protos"


class Api:
    """Every service of the server, by descriptor."""

    def __init__(self):
        files = [
            path for folder in ("spire/api/server", "swiftspire", "grpc/health")
            for path in sorted((PROTOS / folder).rglob("*.proto"))]
        include = pathlib.Path(protoc.__file__).parent / "_proto"
        with tempfile.NamedTemporaryFile() as out:
            code = protoc.main(["protoc", f"-I{PROTOS}", f"-I{include}", "--include_imports", f"--descriptor_set_out={out.name}",
                                *map(str, files)])
            assert code == 0
            found = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes())
        self.pool = descriptor_pool.DescriptorPool()
        for file in found.file:
            self.pool.Add(file)
        self.methods = {}
        for file in found.file:
            for service in file.service:
                for method in self.pool.FindServiceByName(f"{file.package}.{service.name}").methods:
                    self.methods[f"{service.name}.{method.name}"] = method

    def message(self, name):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))

    def request(self, name, **fields):
        return message_factory.GetMessageClass(self.methods[name].input_type)(**fields)


class Caller:
    """Calls methods by name with a message or with bytes; answers are messages, refusals `grpc.RpcError`."""

    OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
               ("grpc.max_metadata_size", 1 << 20), ("grpc.absolute_max_metadata_size", 1 << 20)]

    def __init__(self, api, target):
        self.api = api
        self.channel = grpc.insecure_channel(target, options=self.OPTIONS)

    def __call__(self, name, request=None, timeout=30, **fields):
        method = self.api.methods[name]
        if request is None:
            request = self.api.request(name, **fields)
        data = request if isinstance(request, bytes) else request.SerializeToString()
        answer = message_factory.GetMessageClass(method.output_type)
        path = f"/{method.containing_service.full_name}/{method.name}"
        if not (method.client_streaming or method.server_streaming):
            return self.channel.unary_unary(path, response_deserializer=answer.FromString)(data, timeout=timeout)
        if method.client_streaming:
            call = self.channel.stream_stream(path, response_deserializer=answer.FromString)(iter([data]), timeout=timeout)
        else:
            call = self.channel.unary_stream(path, response_deserializer=answer.FromString)(data, timeout=timeout)
        first = next(iter(call), None)
        if method.server_streaming and not method.client_streaming:
            call.cancel()
        return first

    def close(self):
        self.channel.close()


class TLSGateway:
    """A UNIX socket whose connections go on to a server by TLS: grpcio cannot leave out the check of a host's name."""

    def __init__(self, path, port, chain=None, key=None):
        self.port = port
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.set_alpn_protocols(["h2"])
        if chain:
            both = pathlib.Path(f"{path}.pem")
            both.write_bytes(chain + key)
            self.context.load_cert_chain(both)
        self.target = f"unix:{path}"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = self.context.wrap_socket(socket.create_connection(("127.0.0.1", self.port)))
            threading.Thread(target=self.carry, args=(near, far), daemon=True).start()

    @staticmethod
    def carry(near, far):
        """Both directions on one thread: Python before 3.13 does not lock a TLS connection, and one that is read and written
        by two threads at the same time breaks off now and then."""
        with near, far:
            near.setblocking(False)
            far.setblocking(False)
            outward, inward = b"", b""
            while True:
                poll = select.poll()
                poll.register(near, (0 if outward else select.POLLIN) | (select.POLLOUT if inward else 0))
                poll.register(far, (0 if inward else select.POLLIN) | (select.POLLOUT if outward else 0))
                if inward or not far.pending():
                    poll.poll()
                try:
                    outward = outward or TLSGateway.received(near)
                    outward = TLSGateway.unsent(outward, far)
                    inward = inward or TLSGateway.received(far)
                    inward = TLSGateway.unsent(inward, near)
                except (OSError, EOFError):
                    return

    WAITS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

    @staticmethod
    def received(source):
        try:
            part = source.recv(16384)
        except TLSGateway.WAITS:
            return b""
        if not part:
            raise EOFError
        return part

    @staticmethod
    def unsent(data, sink):
        try:
            return data[sink.send(data):] if data else data
        except TLSGateway.WAITS:
            return data

    def close(self):
        self.listener.close()


def signing_request(*uris, key=None):
    """A request for a certificate, and its key as PEM."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if uris:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris])
        builder = builder.add_extension(names, critical=False)
    request = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return request, pem


def chain_pem(chain):
    return b"".join(x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM) for der in chain)


def attested_agent(anonymous, token):
    """Attests with a join token. Returns the agent's chain and key as PEM."""
    request, key = signing_request()
    message = anonymous.api.request("Agent.AttestAgent")
    message.params.data.type = "join_token"
    message.params.data.payload = token.encode()
    message.params.params.csr = request
    answer = anonymous("Agent.AttestAgent", message)
    return chain_pem(answer.result.svid.cert_chain), key


def minted(local, spiffe_id):
    """An identity the operator mints. Returns its chain and key as PEM."""
    request, key = signing_request(spiffe_id)
    answer = local("SVID.MintX509SVID", csr=request)
    return chain_pem(answer.svid.cert_chain), key
