# SPDX-License-Identifier: Apache-2.0
"""upstream_calls — what the ${…} of recorded cases stands for.

Facts of upstream's tests that are Go there and have no place in a recorded
case: what its tokens hold, which request a function makes and the status
that it has to get, the formats of a list of hosts.
"""

_ISSUER1 = {"iss": "test-issuer-1@istio.io", "sub": "sub-1",
            "exp": 4715782722, "iat": 1562182722}
_ISSUER2 = {"iss": "test-issuer-2@istio.io", "sub": "sub-2",
            "exp": 4715782783, "iat": 1562182783}

CLAIMS = {
    "TokenIssuer1": _ISSUER1 | {"groups": ["group-1"]},
    "TokenIssuer1WithAud": _ISSUER1 | {"aud": "foo"},
    "TokenIssuer1WithAudList": _ISSUER1 | {"aud": ["foo", "buzz"]},
    "TokenIssuer1WithAzp": _ISSUER1 | {"azp": "bar"},
    "TokenIssuer1WithNestedClaims1": _ISSUER1 | {"nested": {
        "key1": ["valueA", "valueB"],
        "nested-2": {"key1": ["valueA", "valueB"]}}},
    "TokenIssuer1WithNestedClaims2": _ISSUER1 | {"nested": {
        "key2": "valueC", "nested-2": {"key2": "valueC"}}},
    "TokenIssuer2": _ISSUER2 | {"groups": ["group-2"]},
    "TokenIssuer2WithSpaceDelimitedPermission":
        _ISSUER2 | {"permission": "read write"},
    "TokenIssuer2WithSpaceDelimitedScope": _ISSUER2 | {"scope": "write read"},
    "TokenIssuer2WithCustomScopeSpaceDelimitedScope":
        _ISSUER2 | {"custom_scope": "admin user"},
    "TokenIssuer3": _ISSUER1 | {"iss": "test-issuer-3@istio.io",
                                "groups": ["group-1"]},
    "TokenExpired": _ISSUER1 | {"exp": 1562182856, "iat": 1562182855,
                                "groups": ["group-1"]},
}

_HOSTS = ("deny.%s.com", "DENY.%s.COM", "Deny.%s.Com", "deny.suffix.%s.com",
          "DENY.SUFFIX.%s.COM", "Deny.Suffix.%s.Com", "prefix.%s.com",
          "PREFIX.%s.COM", "Prefix.%s.Com")

# The hosts of a test's cases in their order.
FORMATS = {
    "TestAuthz_IngressGateway":
        _HOSTS + ("www.%s.com",) * 3 + ("internal.%s.com",) * 2
        + ("remoteipblocks.%s.com",) * 3 + ("notremoteipblocks.%s.com",) * 2
        + ("remoteipattr.%s.com",) * 3,
}


def _bearer(name):
    return {"authorization": f"Bearer {{{name}}}"}


def _call(name, template, status, **more):
    return {"name": name, "status": status, **more} | (
        {"templates": [f"requestauthn/{template}.yaml.tmpl"]}
        if template else {})


_PREFLIGHT = {"access-control-request-method": "POST"}
_KEYS = {"left out": "keys that cannot be fetched: nobody fetches them here"}


def _request_authentication():
    only, both, params = "authn-only", "authn-authz", "headers-params"
    one, old = _bearer("TokenIssuer1"), _bearer("TokenExpired")
    yield _call("valid-token-noauthz", only, 200, headers=one)
    yield _call("valid-token-2-noauthz", only, 200,
                headers=_bearer("TokenIssuer2"))
    yield _call("expired-token-noauthz", only, 401, headers=old)
    yield _call("expired-token-cors-preflight-request-allowed", only, 200,
                method="OPTIONS",
                headers=old | _PREFLIGHT | {"origin": "https://istio.io"})
    yield _call("expired-token-bad-cors-preflight-request-rejected", only,
                401, method="OPTIONS", headers=old | _PREFLIGHT)
    yield _call("no-token-noauthz", only, 200)
    yield _call("valid-nested-claim-token", only, 200,
                headers=_bearer("TokenIssuer1WithNestedClaims2"))
    yield _call("valid-token", both, 200, headers=one)
    yield _call("expired-token", both, 401, headers=old)
    yield _call("no-token", both, 403)
    yield {"name": "no-authn-authz", "status": 200, "templates": []}
    yield _call("valid-token-forward", "forward", 200, headers=one)
    yield _call("valid-token-forward-remote-jwks", "remote", 200, headers=one)
    yield _call("valid-token-forward-remote-jwks", "timeout", 401,
                headers=one) | _KEYS
    yield _call("invalid-aud", "aud", 403, headers=one)
    yield _call("valid-aud", "aud", 200,
                headers=_bearer("TokenIssuer1WithAud"))
    yield _call("verify-policies-are-combined", "aud", 200,
                headers=_bearer("TokenIssuer2"))
    yield _call("invalid-jwks-valid-token-noauthz", "invalid-jwks", 401,
                headers=one) | _KEYS
    yield _call("invalid-jwks-expired-token-noauthz", "invalid-jwks", 401,
                headers=old)
    yield _call("invalid-jwks-no-token-noauthz", "invalid-jwks", 200)
    token = "/valid-token?{}={{TokenIssuer1}}"
    yield _call("valid-params", params, 200, path=token.format("token"))
    yield _call("valid-params-secondary", params, 200,
                path=token.format("secondary_token"))
    yield _call("invalid-params", params, 403,
                path=token.format("token_value"))
    yield _call("valid-token-set", params, 200, path=token.format("token")
                + "&secondary_token={TokenIssuer1}")
    yield _call("invalid-token-set", params, 401, path=token.format("token")
                + "&secondary_token={TokenExpired}")
    yield _call("valid-header", params, 200,
                headers={"x-jwt-token": "Value {TokenIssuer1}"})
    yield _call("valid-header-secondary", params, 200,
                headers={"auth-token": "Token {TokenIssuer1}"})
    yield _call("invalid-header", params, 403,
                headers={"auth-header-param": "Bearer {TokenIssuer1}"})


def _gateway_request_authentication():
    example, anybody = "example.{to}.com", "any-request-principal-ok.{to}.com"

    def call(name, host, status, token=None, path="/"):
        return _call(name, None, status, host=host, path=path,
                     headers=_bearer(token) if token else {})

    yield call("allow healthz", example, 200, path="/healthz")
    yield call("deny without token", example, 403)
    yield call("allow with sub-1 token", example, 200, "TokenIssuer1")
    yield call('allow with sub-1 token despite "ignored" '
               "RequestAuthentication (enableGatewayAPISelectorPolicies "
               "flag = true)", example, 200, "TokenIssuer3")
    yield call("deny with sub-2 token", example, 403, "TokenIssuer2")
    yield call("deny with expired token", example, 401, "TokenExpired")
    yield call("allow with sub-1 token on any.com", anybody, 200,
               "TokenIssuer1")
    yield call("allow with sub-2 token on any.com", anybody, 200,
               "TokenIssuer2")
    yield call("deny without token on any.com", anybody, 403)
    yield call("deny with token on other host", "other-host.{to}.com", 403,
               "TokenIssuer1")


CALLS = {
    "TestRequestAuthentication": list(_request_authentication()),
    "TestGatewayAPIRequestAuthentication":
        list(_gateway_request_authentication()),
}
