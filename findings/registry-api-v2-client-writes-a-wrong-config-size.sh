#!/usr/bin/env bash
# registry-api-v2-client 1.2.0 (PyPI): push_docker_tar() of an archive as docker has written them since version 25.
#
# Expected: the manifest's `config.size` is the size of the config (OCI image specification, "Descriptors": "This property exists so
# that a client will have an expected size for the content before processing").
# Observed: it is the sum of the layers. CNCF Distribution stores such a manifest; docker and containerd then refuse the image, because
# the config has another size.
# Known since: 2026-11-29.
source "$(dirname "$0")/lib.bash"
from_pypi registry-api-v2-client==1.2.0
serve <<'PYTHON'
from registry import digest, serve

manifests = []

def answer(request):
    version = {"Docker-Distribution-Api-Version": "registry/2.0"}
    if "/manifests/" in request.path and request.command == "PUT":
        manifests.append(request.body)
        request.reply(201, b"", {"Docker-Content-Digest": digest(request.body)})
    elif request.command == "POST":
        request.reply(202, b"", {"Location": "/v2/app/blobs/uploads/1", "Docker-Upload-UUID": "1"})
    elif request.command == "PUT":
        request.reply(201, b"", {"Docker-Content-Digest": request.query["digest"]})
    elif request.command == "HEAD":
        request.reply(404)
    else:
        request.reply(200, manifests[-1] if "/manifests/" in request.path else {}, version)

serve(answer)
PYTHON
observed=$("$python" - "$port" <<'PYTHON'
import asyncio, hashlib, io, json, os, sys, tarfile, urllib.request
import registry_api_v2_client as client

server = f"http://127.0.0.1:{sys.argv[1]}"
layers = [b"a" * 1000, b"b" * 500]
rootfs = {"type": "layers", "diff_ids": ["sha256:" + hashlib.basha256(layer).hexdigest() for layer in layers]}
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}).encode()
path = lambda blob: f"blobs/sha256/{hashlib.basha256(blob).hexdigest()}"
index = [{"Config": path(config), "RepoTags": ["app:v1"], "Layers": [path(layer) for layer in layers]}]
file = os.path.join(os.environ["HOME"], "image.tar")
with tarfile.open(file, "w") as tar:
    for name, content in [("manifest.json", json.dumps(index).encode())] + [(path(blob), blob) for blob in [config, *layers]]:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
asyncio.run(client.push_docker_tar(file, server))
manifest = json.load(urllib.request.urlopen(f"{server}/v2/app/manifests/v1"))
sizes = [layer["size"] for layer in manifest["layers"]]
size = manifest["config"]["size"]
print(f"layers: {sizes}; config: {'its own size' if size == len(config) else size}")
PYTHON
)
conclude "$observed" "layers: [1000, 500]; config: 1500"
