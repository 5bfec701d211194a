#!/usr/bin/env bash
# derpy-tool 0.3.2 (PyPI): pull_image() of an image for several platforms in OCI's format.
#
# Expected: pull_image() chooses the platform: its code looks for docker's manifest list and for OCI's index.
# Observed: the Accept header of its requests names docker's list, but not OCI's index. Registries that honour it, like CNCF
# Distribution, answer 404, and the message says that there is no such image.
# Known since: 2026-11-29.
source "$(dirname "$0")/lib.bash"
from_pypi derpy-tool==0.3.2
serve <<'PYTHON'
from registry import digest, serve

INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = b"{}"
MANIFEST = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":' \
    b'"application/vnd.oci.image.config.v1+json","digest":"%s","size":2},"layers":[]}' % digest(CONFIG).encode()

def answer(request):
    if request.path.endswith("/manifests/v1"):
        if INDEX not in request.headers.get("Accept", ""):
            return request.reply(404, {"errors": [{"code": "MANIFEST_UNKNOWN"}]})
        platform = {"os": "linux", "architecture": "amd64"}
        entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(MANIFEST), "size": len(MANIFEST)}
        return request.reply(200, {"schemaVersion": 2, "manifests": [entry | {"platform": platform}]}, {"Content-Type": INDEX})
    request.reply(200, MANIFEST if "/manifests/" in request.path else CONFIG)

serve(answer)
PYTHON
observed=$("$python" - "$port" 2>/dev/null <<'PYTHON'
import sys
from derpy.core.exceptions import RegistryError
from derpy.registry.client import RegistryClient, RegistryConfig

client = RegistryClient(RegistryConfig(f"http://127.0.0.1:{sys.argv[1]}", "", ""))
try:
    client.pull_image("app", "v1", platform="linux/amd64")
    print("it pulls the image")
except RegistryError as error:
    print(error)
PYTHON
)
conclude "$observed" "Manifest not found: app:v1"
