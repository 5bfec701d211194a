#!/usr/bin/env bash
# containerimage-py 1.1.4 (PyPI): upload_blob() in one piece to a registry that asks for a token.
#
# Expected: the PUT that ended with 401 is sent again with the token.
# Observed: it is sent again as a POST to the upload's URL, which no registry knows. And its Content-Range is one byte too long:
# 0-9 of the nine bytes 0 to 8. Chunked uploads of the same package do both correctly.
# Known since: 2026-11-29.
source "$(dirname "$0")/lib.bash"
from_pypi containerimage-py==1.1.4
serve <<'PYTHON'
from registry import serve

requests = []

def answer(request):
    if request.path == "/requests":
        request.reply(200, ", ".join(requests).encode())
    elif request.path == "/token":
        request.reply(200, {"token": "t"})
    elif request.command == "HEAD":
        request.reply(404)
    else:
        token = "with" if request.headers.get("Authorization") == "Bearer t" else "without"
        requests.append(f"{request.command} {request.headers['Content-Range']} {token} a token")
        if token == "without":
            request.challenge("repository:app:pull,push")
        else:
            request.reply(201 if request.command == "PUT" else 404)

serve(answer)
PYTHON
observed=$("$python" - "$port" <<'PYTHON'
import hashlib, sys, urllib.request
import requests
from image.client import ContainerImageRegistryClient
from image.descriptor import ContainerImageDescriptor

server = f"127.0.0.1:{sys.argv[1]}"
digest = "sha256:" + hashlib.basha256(b"the layer").hexdigest()
blob = ContainerImageDescriptor({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": 9})
try:
    upload = ContainerImageRegistryClient.upload_blob
    upload(f"{server}/app:v1", f"http://{server}/v2/app/blobs/uploads/1", blob, b"the layer", chunked=False, http=True)
    result = "it succeeds"
except requests.HTTPError as error:
    result = f"it fails: {error.response.status_code}"
sent = urllib.request.urlopen(f"http://{server}/requests").read().decode()
print(f"{result}; requests: {sent}")
PYTHON
)
conclude "$observed" "it fails: 404; requests: PUT 0-9 without a token, POST 0-9 with a token"
