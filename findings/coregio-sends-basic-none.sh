#!/usr/bin/env bash
# coregio 0.7.1 (PyPI): reading from a registry that needs a login, without any.
#
# Expected: a 401, after one request or one more with an anonymous token.
# Observed: it tries three ways to log in, whatever the challenge says. The third sends `Authorization: Basic None`, the word, which
# is no Base64 of a user and a password; registries count it as a failed login, and some lock out an address that has too many.
# Known since: 2026-11-29.
source "$(dirname "$0")/lib.bash"
from_pypi coregio==0.7.1
serve <<'PYTHON'
from registry import serve

logins = []

def answer(request):
    if request.path == "/logins":
        request.reply(200, ", ".join(logins).encode())
    else:
        logins.append(str(request.headers.get("Authorization", "none")))
        request.reply(401, {"errors": [{"code": "UNAUTHORIZED"}]}, {"WWW-Authenticate": 'Basic realm="registry"'})

serve(answer)
PYTHON
observed=$("$python" - "$port" 2>/dev/null <<'PYTHON'
import sys, urllib.request
import requests
from coregio.registry_api import ContainerRegistry

server = f"http://127.0.0.1:{sys.argv[1]}"
try:
    ContainerRegistry(server).get_tags("team/app")
except requests.HTTPError:
    pass
print(urllib.request.urlopen(f"{server}/logins").read().decode())
PYTHON
)
conclude "Authorization: $observed" "Authorization: none, none, Basic None"
