#!/usr/bin/env bash
# oras 0.2.43 (PyPI): push() with a user and a password to a registry that issues tokens as the token specification says.
#
# Expected: a 401 whose challenge asks for `pull,push` leads to a token with that scope.
# Observed: push() first looks for the blob and gets a token to pull. To the 401 of the upload it sends the same token again; a new one is
# requested only after a 403. So no push to a registry like CNCF Distribution succeeds, although the user may push.
# Known since: 2026-11-29.
source "$(dirname "$0")/lib.bash"
from_pypi oras==0.2.43
serve <<'PYTHON'
from registry import serve

scopes = []

def answer(request):
    if request.path == "/scopes":
        request.reply(200, ", ".join(scopes).encode())
    elif request.path == "/token":
        scopes.append(request.query["scope"])
        request.reply(200, {"token": request.query["scope"]})
    else:
        actions = "pull" if request.command in ("GET", "HEAD") else "pull,push"
        granted = request.headers.get("Authorization", "").rpartition(":")[2]
        if actions not in granted:
            request.challenge(f"repository:app:{actions}")
        elif request.command in ("GET", "HEAD"):
            request.reply(404)
        else:
            request.reply(202, b"", {"Location": "/v2/app/blobs/uploads/1"})

serve(answer)
PYTHON
observed=$("$python" - "$port" 2>/dev/null <<'PYTHON'
import os, sys, urllib.request
import oras.client

host = f"127.0.0.1:{sys.argv[1]}"
os.chdir(os.environ["HOME"])
with open("file", "w") as file:
    file.write("content")
client = oras.client.OrasClient(insecure=True)
client.auth.set_basic_auth("user", "password")
try:
    client.push(f"{host}/app:v1", files=["file"])
    result = "it pushes"
except ValueError as error:
    result = "it fails: UNAUTHORIZED" if "UNAUTHORIZED" in str(error) else f"it fails: {error}"
scopes = urllib.request.urlopen(f"http://{host}/scopes").read().decode()
print(f"{result}; tokens requested: {scopes}")
PYTHON
)
conclude "$observed" "it fails: UNAUTHORIZED; tokens requested: repository:app:pull"
