# SPDX-License-Identifier: Apache-2.0
# Makes chains.json and tokens.json with Python's cryptography and joserfc: python3 make.py (in this folder).
import base64, datetime as dt, ipaddress, json
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

NOW = dt.datetime(2027, 1, 1, tzinfo=dt.timezone.utc)
DAY = dt.timedelta(days=1)


def b64(cert):
    return base64.b64encode(cert.public_bytes(serialization.Encoding.DER)).decode()


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


def key(kind="p256"):
    return {
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }[kind]()


USAGES = ("digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign "
          "crl_sign encipher_only decipher_only").split()


def usage(*on):
    return x509.KeyUsage(**{u: u in on for u in USAGES})


def cert(subject, own, issuer, signer, *, ca=False, pathlen=None, uris=(), days=(-1, 10), ku="default", bc=True,
         extra=(), ids=True, dns=()):
    b = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
    b = b.public_key(own.public_key()).serial_number(x509.random_serial_number())
    b = b.not_valid_before(NOW + days[0] * DAY).not_valid_after(NOW + days[1] * DAY)
    if bc:
        b = b.add_extension(x509.BasicConstraints(ca, pathlen if ca else None), True)
    if ku == "default":
        ku = ("key_cert_sign", "crl_sign") if ca else ("digital_signature",)
    if ku is not None:
        b = b.add_extension(usage(*ku), True)
    names = [x509.UniformResourceIdentifier(u) for u in uris] + [x509.DNSName(d) for d in dns]
    if names:
        b = b.add_extension(x509.SubjectAlternativeName(names), not subject)
    if ids:
        b = b.add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False)
        b = b.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
    for ext, critical in extra:
        b = b.add_extension(ext, critical)
    return b.sign(signer, None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256())


TD = "spiffe://example.org"
WEB = TD + "/web"
rk, ik, jk, lk = key(), key(), key(), key()
root = cert("root", rk, "root", rk, ca=True, uris=[TD])
inter = cert("inter", ik, "root", rk, ca=True, uris=[TD])
sub = cert("sub", jk, "inter", ik, ca=True)
cases = []


def case(title, chain, roots, error=None, hours=0):
    cases.append({"name": title, "chain": [b64(c) for c in chain], "roots": [b64(c) for c in roots],
                  "time": int((NOW + dt.timedelta(hours=hours)).timestamp()), "error": error})


def leaf(signer=rk, issuer="root", uris=(WEB,), **options):
    return cert(options.pop("subject", "leaf"), options.pop("own", lk), issuer, signer, uris=uris, **options)


good = leaf()
case("a leaf under a root", [good], [root])
case("an intermediate between", [leaf(ik, "inter"), inter], [root])
case("two intermediates in any order", [leaf(jk, "sub"), inter, sub], [root])
case("a root sent along is ignored", [good, root], [root])
case("unrelated certificates sent along are ignored", [leaf(ik, "inter"), sub, inter], [root])
case("the intermediate itself is the anchor", [leaf(ik, "inter")], [inter])
case("empty subject", [leaf(subject="")], [root])
k1, k2 = key(), key()
same = [cert("root", k, "root", k, ca=True) for k in (k1, k2)] + [root]
case("the right one of several roots with one name", [good], same)
plain = [cert("root", k, "root", k, ca=True, ids=False) for k in (k1, k2, rk)]
case("the same without key identifiers", [leaf(ids=False)], plain)
old = cert("root", rk, "root", rk, ca=True, days=(-20, -10))
case("an expired root beside its renewal", [good], [old, root])
case("only an expired root", [good], [old], "expired or is not yet valid")
case("an expired leaf", [leaf(days=(-3, -1))], [root], "current time 2027-01-01T00:00:00Z is after 2026-12-31T00:00:00Z")
case("a leaf not yet valid", [leaf(days=(1, 3))], [root], "current time 2027-01-01T00:00:00Z is before 2027-01-02T00:00:00Z")
case("a leaf in its last second", [leaf(days=(-3, 1))], [root], hours=24)
case("an expired intermediate", [leaf(ik, "inter"), cert("inter", ik, "root", rk, ca=True, days=(-9, -1))], [root],
     "expired or is not yet valid")
case("no root at all", [good], [], "signed by unknown authority")
case("an intermediate that was not sent", [leaf(ik, "inter")], [root], "signed by unknown authority")
case("a root with the right name and another key", [good], same[:2], "signed by unknown authority")
flat = cert("root", rk, "root", rk, ca=True, pathlen=0)
case("path length 0 allows leaves", [good], [flat])
case("path length 0 allows no intermediate", [leaf(ik, "inter"), inter], [flat], "too many intermediates")
short = cert("inter", ik, "root", rk, ca=True, pathlen=0)
case("path length of an intermediate", [leaf(jk, "sub"), sub, short], [root], "too many intermediates")
selfissued = cert("root", k1, "root", rk, ca=True)
case("self-issued certificates do not count for path length", [leaf(k1, "root"), selfissued], [flat])
case("a leaf as signer", [leaf(ik, "inter"), cert("inter", ik, "root", rk)], [root], "not authorized to sign")
case("a signer without basic constraints", [leaf(ik, "inter"), cert("inter", ik, "root", rk, bc=False, ku=("key_cert_sign",))],
     [root], "not authorized to sign")
case("a signer without keyCertSign", [leaf(ik, "inter"), cert("inter", ik, "root", rk, ca=True, ku=("crl_sign",))], [root],
     "not authorized to sign")
case("a root that is no authority", [good], [cert("root", rk, "root", rk)], "not authorized to sign")
case("a signer with a workload's ID", [leaf(ik, "inter"), cert("inter", ik, "root", rk, ca=True, uris=[WEB])], [root],
     "SPIFFE ID with a path")
case("a signer with names of another kind", [leaf(ik, "inter"), cert("inter", ik, "root", rk, ca=True, dns=["ca.test"])], [root])
case("a leaf with CA flag", [leaf(ca=True, ku=("digital_signature",))], [root], "CA flag set to true")
case("a leaf with keyCertSign", [leaf(ku=("digital_signature", "key_cert_sign"))], [root], "KeyCertSign")
case("a leaf with cRLSign", [leaf(ku=("digital_signature", "crl_sign"))], [root], "KeyCrlSign")
case("a leaf without digitalSignature", [leaf(ku=("key_agreement",))], [root], "without DigitalSignature")
case("a leaf without key usage", [leaf(ku=None)], [root], "without key usage")
case("a leaf without basic constraints", [leaf(bc=False)], [root])
case("no URI", [leaf(uris=(), dns=["a.test"])], [root], "contains no URI SAN")
case("no names at all", [leaf(uris=())], [root], "contains no URI SAN")
case("two URIs", [leaf(uris=(WEB, TD + "/db"))], [root], "more than one URI SAN")
case("a URI and DNS names", [leaf(dns=["a.test", "b.test"])], [root])
case("a URI of another scheme", [leaf(uris=("https://example.org/web",))], [root], "scheme is missing or invalid")
case("a trust domain's ID", [leaf(uris=(TD,))], [root], "has no path")
case("another trust domain", [leaf(uris=("spiffe://other.org/web",))], [root], "no X.509 bundle for trust domain")
case("upper case in the trust domain", [leaf(uris=("spiffe://Example.org/web",))], [root], "lowercase")
odd = (x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00"), True)
mild = (odd[0], False)
case("an unknown critical extension in the leaf", [leaf(extra=[odd])], [root], "unhandled critical extension")
case("an unknown extension that is not critical", [leaf(extra=[mild])], [root])
case("an unknown critical extension in an intermediate",
     [leaf(ik, "inter"), cert("inter", ik, "root", rk, ca=True, extra=[odd])], [root], "unhandled critical extension")


def constrained(permitted=None, excluded=None, critical=True):
    return [cert("inter", ik, "root", rk, ca=True, extra=[(x509.NameConstraints(permitted, excluded), critical)])]


U, D = x509.UniformResourceIdentifier, x509.DNSName
case("a permitted trust domain", [leaf(ik, "inter")] + constrained([U("example.org")]), [root])
case("a trust domain that is not permitted", [leaf(ik, "inter")] + constrained([U("other.org")]), [root], "not permitted")
case("an excluded trust domain", [leaf(ik, "inter")] + constrained(None, [U("example.org")]), [root], "excluded")
case("constraints on DNS names leave URIs alone", [leaf(ik, "inter")] + constrained([D("a.test")]), [root])
case("a DNS name that is not permitted", [leaf(ik, "inter", dns=["b.test"])] + constrained([D("a.test")]), [root], "not permitted")
case("a DNS name below a permitted one", [leaf(ik, "inter", dns=["x.a.test"])] + constrained([D("a.test")]), [root])
ip = x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))
case("critical constraints of another kind", [leaf(ik, "inter")] + constrained([ip]), [root], "unhandled critical")
for kind in ("p384", "p521", "rsa", "ed25519"):
    k = key(kind)
    case("an authority on " + kind, [leaf(k, "root")], [cert("root", k, "root", k, ca=True)])
# Nine signers of one name, each signed by the next: every order of them has to be looked at, or given up.
ks = [key() for _ in range(10)]
maze = [cert("maze", ks[i], "maze", ks[i + 1], ca=True, ids=False) for i in range(9)]
case("a maze of signers is given up", [leaf(ks[0], "maze", ids=False)] + list(reversed(maze)), [root], "limit reached")
case("eleven certificates", [good] + [inter] * 10, [root], "more than 10 certificates")
pem = serialization.Encoding.PEM
pkcs8 = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
keys = {}
for kind in ("p256", "p384", "p521", "rsa"):
    k = key(kind)
    sec1 = k.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()).decode()
    keys[kind] = {"pkcs8": base64.b64encode(k.private_bytes(*pkcs8)).decode(), "pem": sec1,
                  "leaf": b64(leaf(own=k))}
json.dump({"cases": cases, "keys": keys, "intermediate": [b64(leaf(ik, "inter")), b64(inter), b64(root)],
           "leafKey": base64.b64encode(lk.private_bytes(*pkcs8)).decode()},
          open("chains.json", "w"), indent=1)

# ---- tokens
T = int(NOW.timestamp())
jw = {"ec": ECKey.generate_key("P-256", {"kid": "ec"}), "ec384": ECKey.generate_key("P-384", {"kid": "ec384"}),
      "ec521": ECKey.generate_key("P-521", {"kid": "ec521"}), "rsa": RSAKey.generate_key(2048, {"kid": "rsa"})}
stranger = ECKey.generate_key("P-256", {"kid": "ec"})
ALGS = "RS256 RS384 RS512 ES256 ES384 ES512 PS256 PS384 PS512 HS256 none".split()
BASE = {"sub": WEB, "aud": ["a", "b"], "exp": T + 300, "iat": T}
tokens = []


def url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw(header, payload, k=None, alg="ES256"):
    """A token out of bytes nobody else would produce, with a true signature."""
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signed = url(header) + "." + url(payload)
    model = jws.JWSRegistry.algorithms[alg]
    return signed + "." + url(model.sign(signed.encode(), (k or jw["ec"])))


def token(title, text, error=None, audience="a", time=0):
    tokens.append({"name": title, "token": text, "error": error, "audience": audience, "time": T + time})


def made(alg="ES256", k="ec", header=(), **claims):
    body = {n: v for n, v in {**BASE, **claims}.items() if v is not ...}
    return jwt.encode({"alg": alg, "kid": k, "typ": "JWT", **dict(header)}, body, jw[k], algorithms=ALGS)


for alg, k in zip(ALGS[:9], "rsa rsa rsa ec ec384 ec521 rsa rsa rsa".split()):
    token(alg, made(alg, k))
H = {"alg": "ES256", "kid": "ec"}
token("typ absent", raw(H, BASE))
token("typ JOSE", raw({**H, "typ": "JOSE"}, BASE))
token("typ of another kind", raw({**H, "typ": "at+jwt"}, BASE), "header type not supported")
token("one audience as a string", made(aud="a"))
token("another audience", made(aud=["c", "d\"e"]), 'expected audience in ["a"] (audience=["c" "d\\"e"])')
token("no audience", made(aud=...), 'expected audience in ["a"] (audience=[])')
token("an empty audience", made(aud=[]), 'expected audience in ["a"] (audience=[])')
token("an audience that is no string", raw(H, {**BASE, "aud": [1]}), "claim aud has an invalid value")
token("no subject", made(sub=...), "token missing subject claim")
token("an empty subject", made(sub=""), "token missing subject claim")
token("a subject that is no SPIFFE ID", made(sub="joe"), "token has in invalid subject claim: scheme is missing or invalid")
token("a subject of another trust domain", made(sub="spiffe://other.org/a"), 'no keys found for trust domain "other.org"')
token("no exp", made(exp=...), "token missing exp claim")
token("exp as text", raw(H, {**BASE, "exp": str(T + 300)}), "claim exp has an invalid value")
token("exp with a fraction", made(exp=T + 300.75))
token("exp beyond every calendar", raw(H, {**BASE, "exp": 1e300}), "claim exp has an invalid value")
token("expired within the leeway", made(), time=359)
token("expired beyond the leeway", made(), "token has expired", time=361)
token("nbf within the leeway", made(nbf=T + 59))
token("nbf beyond the leeway", made(nbf=T + 61), "not valid yet (nbf)")
token("iat in the future", made(iat=T + 61), "issued in the future (iat)")
token("the audience is judged before the time", made(aud="c"), "expected audience", time=9999)
token("no key ID", raw({"alg": "ES256"}, BASE), "token header missing key id")
token("an empty key ID", raw({**H, "kid": ""}, BASE), "token header missing key id")
token("an unknown key ID", raw({**H, "kid": "x"}, BASE), 'public key "x" not found in trust domain "example.org"')
token("a stranger's signature", raw(H, BASE, stranger), "signature verification failed")
token("no algorithm", raw({"kid": "ec"}, BASE), "no signature algorithm")
token("alg none", url(json.dumps({"alg": "none", "kid": "ec"}).encode()) + "." + url(json.dumps(BASE).encode()) + ".",
      'unexpected signature algorithm "none"')
secret = OctKey.import_key(jw["rsa"].as_pem(private=False))
token("HS256 with the public key as secret", raw({"alg": "HS256", "kid": "rsa"}, BASE, secret, "HS256"),
      'unexpected signature algorithm "HS256"')
token("EdDSA", raw({**H, "alg": "EdDSA"}, BASE), 'unexpected signature algorithm "EdDSA"')
token("an RSA key named by an EC token", raw({**H, "kid": "rsa"}, BASE), "signature verification failed")
token("RS256 claimed for a PS256 signature", raw({"alg": "RS256", "kid": "rsa"}, BASE, jw["rsa"], "PS256"),
      "signature verification failed")
token("ES384 claimed for a P-256 key", raw({**H, "alg": "ES384"}, BASE), "signature verification failed")
token("critical header parameters", raw({**H, "crit": ["b64"], "b64": False}, BASE), "critical parameters")
token("a key in the header is not used", raw({**H, "jwk": stranger.as_dict(private=False)}, BASE, stranger), "signature verification failed")
token("a URL in the header is not used", raw({**H, "jku": "https://evil.test/keys"}, BASE))
token("repeated claims", raw(H, b'{"sub":"spiffe://example.org/admin",' + json.dumps(BASE)[1:].encode()), "duplicate member name")
token("a repeated header", raw(b'{"alg":"none","alg":"ES256","kid":"ec"}', BASE), "duplicate member name")
token("a repeated header in disguise", raw(b'{"alg":"none","\\u0061lg":"ES256","kid":"ec"}', BASE), "duplicate member name")
token("claims nested too deep", raw(H, json.dumps(BASE)[:-1].encode() + b',"x":' + b"[" * 4000 + b"]" * 4000 + b"}"), "nesting is too deep")
token("a payload that is no object", raw(H, b"[]"), "payload is not a JSON object")
token("a payload that is not UTF-8", raw(H, b'{"sub":"\xff\xfe"}'), "not valid UTF-8")
token("JSON serialization", json.dumps(jws.serialize_json({"protected": H}, json.dumps(BASE), jw["ec"])), "three parts")
token("no token", "", "three parts")
token("two parts", made().rsplit(".", 1)[0], "three parts")
token("four parts", made() + ".x", "three parts")
token("padding", made() + "==", "not base64url")
token("a stray character", made() + "!", "not base64url")
token("an empty signature", made().rsplit(".", 1)[0] + ".", "signature verification failed")
head, body, sig = made().split(".")
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
flat_sig = base64.urlsafe_b64decode(sig + "==")
der_sig = encode_dss_signature(int.from_bytes(flat_sig[:32], "big"), int.from_bytes(flat_sig[32:], "big"))
token("an ECDSA signature in DER", head + "." + body + "." + url(der_sig), "signature verification failed")
token("a changed payload", head + "." + url(json.dumps({**BASE, "sub": TD + "/admin"}).encode()) + "." + sig, "signature verification failed")
token("foreign claims are kept", raw(H, json.dumps(BASE)[:-1].encode() + b',"n":9007199254740993,"f":1.50,"o":{"z":null,"a":[true,"\\u00e9"]}}'))
jwks = {"keys": [k.as_dict(private=False) for k in jw.values()]}
json.dump({"jwks": jwks, "tokens": tokens}, open("tokens.json", "w"), indent=1)
print(len(cases), "chains,", len(tokens), "tokens")
