"""An OpenID provider as a process of its own: Authlib's authorization server with its access tokens of RFC 9068, over HTTP.

It is told what to do by `/test/…`: to change keys, to go wrong, to sign whatever is asked for. Run as a program it prints
its address; `providing` runs it for as long as a test needs it.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

CLIENTS = ("system-1", "system-2", "system-3", "ali", "stranger")
"""Its clients; each has its name, turned round, as its secret."""


class Provider:
    """A provider that runs. `issuer`: as its tokens name it."""

    def __init__(self, issuer: str, ca: Path | None) -> None:
        self.issuer = issuer
        verify = ssl.create_default_context(cafile=ca)
        self.http = httpx.Client(base_url=issuer, verify=verify, timeout=30)

    def do(self, what: str, **how: Any) -> Any:
        answer = self.http.post(f"/test/{what}", json=how)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def token(self, client: str, resource: str, scope: str = "") -> str:
        """A token as a client gets it: client credentials, by its secret."""
        form = {"grant_type": "client_credentials", "resource": resource, "scope": scope}
        answer = self.http.post("/token", data=form, auth=(client, client[::-1]))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        """A token that says whatever is asked for, under the provider's newest key."""
        return str(self.do("sign", claims=claims, header=header)["token"])


@contextmanager
def providing(tls: tuple[Path, Path] | None = None, *, alg: str = "RS256") -> Iterator[Provider]:
    """`tls`: a certificate and its key (PEM)."""
    command = [sys.executable, __file__, alg, *(str(p) for p in tls or ())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        provider = Provider(process.stdout.readline().strip(), tls[0] if tls else None)
        try:
            yield provider
        finally:
            provider.http.close()
            process.kill()


def main(alg: str, *tls: str) -> None:
    import time

    from authlib.integrations.flask_oauth2 import AuthorizationServer
    from authlib.oauth2.rfc6749 import ClientMixin, grants
    from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
    from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
    from flask import Flask, Response, jsonify, redirect, request
    from joserfc import jwt
    from joserfc.jwk import ECKey, JWKRegistry, KeySet, OKPKey, RSAKey
    from werkzeug.serving import make_server

    sys.path.insert(0, str(Path(__file__).parent))
    from market import key_of

    app = Flask(__name__)
    state: dict[str, Any] = {"keys": [], "mode": "", "asked": 0, "described": {}}

    def new_key(alg: str) -> Any:
        kid = {"kid": f"key-{len(state['keys'])}-{time.time_ns()}", "alg": alg, "use": "sig"}
        if alg in ("EdDSA", "Ed25519"):
            return OKPKey.generate_key("Ed25519", kid)
        if alg.startswith("ES"):
            curve = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[alg]
            return ECKey.generate_key(curve, kid)
        return RSAKey.generate_key(2048, kid)

    state["keys"].append(new_key(alg))

    class Client(ClientMixin):  # type: ignore[misc]
        def __init__(self, name: str) -> None:
            self.name = name

        def get_client_id(self) -> str:
            return self.name

        def get_allowed_scope(self, scope: str) -> str:
            return scope or ""

        def check_client_secret(self, secret: str) -> bool:
            return secret == self.name[::-1]

        def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
            return True

        def check_grant_type(self, grant: str) -> bool:
            return grant == "client_credentials"

    class Grant(grants.ClientCredentialsGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "client_assertion_jwt")

    class Generator(JWTBearerTokenGenerator):  # type: ignore[misc]
        def get_jwks(self) -> Any:
            return KeySet([state["keys"][-1]])

        def get_audiences(self, client: Any, user: Any, scope: Any) -> str:
            return str(request.form["resource"])

    class Assertion(JWTBearerClientAssertion):  # type: ignore[misc]
        def get_audiences(self) -> list[str]:
            return [f"{issuer}/token"]

        def validate_jti(self, claims: Any, jti: str) -> bool:
            return True

        def resolve_client_public_key(self, client: Any) -> Any:
            return JWKRegistry.import_key(dict(key_of(client.name).public.jwk))

    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=tls or None)
    issuer = f"{'https' if tls else 'http'}://localhost:{server.server_port}"
    authority = AuthorizationServer(
        app, query_client=lambda name: Client(name) if name in CLIENTS else None, save_token=lambda *_: None
    )
    authority.register_token_generator(
        "default", Generator(issuer, alg=alg, expires_generator=lambda client, grant: 300)
    )
    authority.register_grant(Grant)
    authority.register_client_auth_method(Assertion.CLIENT_AUTH_METHOD, Assertion())

    @app.post("/token")
    def token() -> Any:
        return authority.create_token_response()

    @app.get("/.well-known/openid-configuration")
    def described() -> Any:
        told = {"issuer": issuer, "jwks_uri": f"{issuer}/keys", "token_endpoint": f"{issuer}/token"}
        return jsonify({**told, **state["described"]})

    @app.get("/keys")
    def keys() -> Any:
        state["asked"] += 1
        if state["mode"] == "away":
            return Response("away", status=503)
        if state["mode"] == "redirect":
            return redirect(f"{issuer}/elsewhere")
        if state["mode"] == "large":
            return Response(b" " * 1_000_000, mimetype="application/json")
        if state["mode"] == "packed":
            import gzip

            packed = gzip.compress(json.dumps(KeySet(state["keys"]).as_dict(private=False)).encode())
            return Response(packed, mimetype="application/json", headers={"content-encoding": "gzip"})
        if state["mode"] == "silent":
            time.sleep(30)
        return jsonify({"keys": KeySet(state["keys"]).as_dict(private=state["mode"] == "open")["keys"]})

    @app.get("/elsewhere")
    def elsewhere() -> Any:
        return jsonify(KeySet(state["keys"]).as_dict(private=False))

    @app.post("/test/mode")
    def mode() -> Any:
        state["mode"] = request.json["mode"]
        return jsonify({})

    @app.post("/test/describe")
    def describe() -> Any:
        state["described"] = request.json
        return jsonify({})

    @app.post("/test/roll")
    def roll() -> Any:
        """A new key signs; the old ones stay, or are gone."""
        kept = state["keys"] if request.json.get("keep") else []
        state["keys"] = [*kept, new_key(alg)]
        return jsonify({})

    @app.post("/test/asked")
    def asked() -> Any:
        return jsonify({"asked": state["asked"]})

    @app.post("/test/public")
    def public() -> Any:
        return jsonify(
            {"pem": state["keys"][-1].as_pem(private=False).decode(), "kid": state["keys"][-1].kid}
        )

    @app.post("/test/sign")
    def sign() -> Any:
        key = state["keys"][-1]
        header = {"alg": alg, "typ": "at+jwt", "kid": key.kid, **request.json["header"]}
        header = {k: v for k, v in header.items() if v is not None}
        return jsonify({"token": jwt.encode(header, request.json["claims"], key, algorithms=[header["alg"]])})

    print(issuer, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
