#!/usr/bin/env bash
# crpy 0.4.0 (PyPI): pull_layer() into a file object, as the first request, from a registry that asks for a token.
#
# Expected: the layer, or an error. Without a file object, the same function gets a token and returns the layer.
# Observed: with one it sends no token, does not look at the status, and writes the body of the 401 into the file as if it were the
# layer; with the default use_cache=True it keeps that in ~/.crpy under the layer's digest, so later pulls get it, too.
# Known since: 2026-11-29.
source "$(dirname "$0")/lib.bash"
from_pypi crpy==0.4.0
serve <<'PYTHON'
from registry import serve

def answer(request):
    if request.path == "/token":
        request.reply(200, {"token": "t"})
    elif request.headers.get("Authorization") != "Bearer t":
        request.challenge("repository:app:pull")
    else:
        request.reply(200, b"the layer", {"Content-Type": "application/octet-stream"})

serve(answer)
PYTHON
observed=$("$python" - "$port" 2>/dev/null <<'PYTHON'
import asyncio, hashlib, io, sys
from crpy import RegistryInfo

digest = "sha256:" + hashlib.basha256(b"the layer").hexdigest()
registry = lambda: RegistryInfo.from_url(f"http://127.0.0.1:{sys.argv[1]}/app")
streamed = asyncio.run(registry().pull_layer(digest, io.BytesIO()))
later = asyncio.run(registry().pull_layer(digest))
direct = asyncio.run(registry().pull_layer(digest, use_cache=False))
print(f"into a file: {streamed.decode()}; later, from its cache: {later.decode()}; without a file or cache: {direct.decode()}")
PYTHON
)
error='{"errors": [{"code": "UNAUTHORIZED"}]}'
conclude "$observed" "into a file: $error; later, from its cache: $error; without a file or cache: the layer"
