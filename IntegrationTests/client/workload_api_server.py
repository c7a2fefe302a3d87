# SPDX-License-Identifier: Apache-2.0
"""A Workload API made with grpcio and cryptography, for the Swift client to speak to. Argument: socket path.

Reads commands from standard input, one a line: `rotate` makes new SVIDs under a new authority, `deny` refuses from now
on, `allow` ends that. Prints `ready` and then `done` after each command.
"""
import datetime as dt
import json
import pathlib
import sys
import tempfile
import threading
from concurrent import futures

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from grpc_tools import protoc
from joserfc import jwt
from joserfc.jwk import ECKey

TD = "spiffe://example.org"
PROTO = pathlib.Path(__file__).resolve().parents[2] / "Protos" / "workload"
out = tempfile.mkdtemp()
wellknown = str(pathlib.Path(protoc.__file__).parent / "_proto")
assert protoc.main(["", f"-I{PROTO}", f"-I{wellknown}", f"--python_out={out}", f"--grpc_python_out={out}", "workload.proto"]) == 0
sys.path.insert(0, out)
import workload_pb2 as pb  # noqa: E402
import workload_pb2_grpc as rpc  # noqa: E402

DER = serialization.Encoding.DER


class State:
    """What is served; streams wait on `changed`."""

    def __init__(self):
        self.changed = threading.Condition()
        self.version = 0
        self.denied = False
        self.jwt_key = ECKey.generate_key("P-256", {"kid": "key1"})
        self.rotate()

    def rotate(self):
        now = dt.datetime.now(dt.timezone.utc)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"authority {self.version}")])

        def build(subject, public, ca, uri, usage):
            return (x509.CertificateBuilder().subject_name(subject).issuer_name(name).public_key(public)
                    .serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(minutes=1))
                    .not_valid_after(now + dt.timedelta(hours=1)).add_extension(x509.BasicConstraints(ca, None), True)
                    .add_extension(x509.KeyUsage(not ca, False, not ca, False, not ca, ca, ca, False, False), True)
                    .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), False)
                    .add_extension(x509.ExtendedKeyUsage(usage), False).sign(key, hashes.SHA256()))

        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        root = build(name, key.public_key(), True, TD, both).public_bytes(DER)
        svids = []
        for path in ("/client", "/server"):
            own = ec.generate_private_key(ec.SECP256R1())
            leaf = build(x509.Name([]), own.public_key(), False, TD + path, both)
            svids.append(pb.X509SVID(
                spiffe_id=TD + path, x509_svid=leaf.public_bytes(DER), bundle=root, hint=path[1:],
                x509_svid_key=own.private_bytes(DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())))
        with self.changed:
            self.x509 = pb.X509SVIDResponse(svids=svids)
            self.bundles = pb.X509BundlesResponse(bundles={TD: root})
            self.version += 1
            self.changed.notify_all()

    def refuse(self, denied):
        with self.changed:
            self.denied = denied
            self.version += 1
            self.changed.notify_all()


class Service(rpc.SpiffeWorkloadAPIServicer):
    def __init__(self, state):
        self.state = state

    def check(self, context):
        if dict(context.invocation_metadata()).get("workload.spiffe.io") != "true":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "security header missing from request")
        if self.state.denied:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no identity issued")

    def stream(self, context, message):
        seen = 0
        while context.is_active():
            with self.state.changed:
                self.state.changed.wait_for(lambda: self.state.version > seen, timeout=0.2)
                if self.state.version == seen:
                    continue
                seen = self.state.version
            self.check(context)
            yield message()

    def FetchX509SVID(self, request, context):
        yield from self.stream(context, lambda: self.state.x509)

    def FetchX509Bundles(self, request, context):
        yield from self.stream(context, lambda: self.state.bundles)

    def jwks(self):
        key = {k: v for k, v in self.state.jwt_key.as_dict(private=False).items() if k in ("kty", "kid", "crv", "x", "y")}
        return json.dumps({"keys": [key]}).encode()

    def FetchJWTBundles(self, request, context):
        yield from self.stream(context, lambda: pb.JWTBundlesResponse(bundles={TD: self.jwks()}))

    def FetchJWTSVID(self, request, context):
        self.check(context)
        if not request.audience:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "audience must be specified")
        now = int(dt.datetime.now().timestamp())
        svids = []
        for path in ("/client", "/server"):
            if request.spiffe_id in ("", TD + path):
                claims = {"sub": TD + path, "aud": list(request.audience), "iat": now, "exp": now + 300}
                token = jwt.encode({"alg": "ES256", "kid": "key1", "typ": "JWT"}, claims, self.state.jwt_key)
                svids.append(pb.JWTSVID(spiffe_id=TD + path, svid=token, hint=path[1:]))
        if not svids:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no identity issued")
        return pb.JWTSVIDResponse(svids=svids)

    def ValidateJWTSVID(self, request, context):
        self.check(context)
        try:
            claims = jwt.decode(request.svid, self.state.jwt_key).claims
            assert request.audience in claims["aud"]
        except Exception as error:  # noqa: BLE001
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        answer = pb.ValidateJWTSVIDResponse(spiffe_id=claims["sub"])
        answer.claims.update(claims)
        return answer


def main():
    state = State()
    server = grpc.server(futures.ThreadPoolExecutor(32))
    rpc.add_SpiffeWorkloadAPIServicer_to_server(Service(state), server)
    server.add_insecure_port("unix:" + sys.argv[1])
    server.start()
    print("ready", flush=True)
    for line in sys.stdin:
        command = line.strip()
        if command == "rotate":
            state.rotate()
        elif command in ("deny", "allow"):
            state.refuse(command == "deny")
        print("done", flush=True)
    server.stop(0)


main()
