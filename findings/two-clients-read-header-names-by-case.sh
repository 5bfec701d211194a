#!/usr/bin/env bash
# crpy 0.4.0, registry-api-v2-client 1.2.0 (PyPI): deleting an image at a registry that writes its header names in small letters, as
# everything behind HTTP/2 does, and at one that writes Docker-Content-Digest, as CNCF Distribution does.
#
# Expected: the names of headers mean the same in any case (RFC 9110, section 5.1), and the HTTP library that both use (aiohttp)
# reads them so.
# Observed: both copy the headers into an ordinary dictionary first. crpy then finds the digest only if the name is in small letters,
# registry-api-v2-client only if it is capitalized: no registry satisfies both.
# Known since: 2026-11-29.
source "$(dirname "$0")/lib.bash"
from_pypi crpy==0.4.0 registry-api-v2-client==1.2.0
serve <<'PYTHON'
from registry import digest, serve

MANIFEST = b'{"schemaVersion": 2}'

def answer(request):
    name = "docker-content-digest" if "/small/" in request.path else "Docker-Content-Digest"
    request.reply(202 if request.command == "DELETE" else 200, MANIFEST, {name: digest(MANIFEST)})

serve(answer)
PYTHON
observed=$("$python" - "$port" 2>/dev/null <<'PYTHON'
import asyncio, sys
import crpy, registry_api_v2_client

host = f"127.0.0.1:{sys.argv[1]}"

def outcome(call):
    try:
        asyncio.run(call())
        return "deletes"
    except Exception as error:
        return f"{type(error).__name__}"

for repository in ("small", "capital"):
    print(f"{repository} letters: crpy", outcome(lambda: crpy.RegistryInfo.from_url(f"http://{host}/{repository}/app:v1").delete_tag()), end=", ")
    delete = lambda: registry_api_v2_client.delete_image(f"http://{host}", f"{repository}/app", "v1")
    print("registry-api-v2-client", outcome(delete), end="; ")
PYTHON
)
conclude "$observed" "small letters: crpy deletes, registry-api-v2-client RegistryError; capital letters: crpy KeyError, registry-api-v2-client deletes; "
