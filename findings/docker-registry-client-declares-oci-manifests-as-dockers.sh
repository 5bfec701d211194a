#!/usr/bin/env bash
# docker-registry-client 3.4.0 (npm): putManifest() of an OCI image manifest.
#
# Expected: Content-Type is the manifest's mediaType (distribution specification, "Pushing Manifests": "Clients SHOULD set the
# Content-Type header to the type of the manifest being pushed"); getManifest() of this release accepts both formats.
# Observed: the type is made of `schemaVersion`, so every manifest of version 2 is declared as docker's. CNCF Distribution rejects it,
# because header and document differ; other registries store it under the wrong type.
# Known since: 2026-11-29.
source "$(dirname "$0")/lib.bash"
from_npm docker-registry-client@3.4.0
serve <<'PYTHON'
from registry import digest, serve

types = []

def answer(request):
    if request.command == "PUT":
        types.append(request.headers["Content-Type"])
        request.reply(201, b"", {"Docker-Content-Digest": digest(request.body), "Location": request.path})
    else:
        request.reply(200, {"types": types}, {"Docker-Distribution-Api-Version": "registry/2.0"})

serve(answer)
PYTHON
observed=$(cd "$folder" && node --no-deprecation - "$port" <<'NODE'
const { createClientV2 } = require("docker-registry-client");
const host = `127.0.0.1:${process.argv[2]}`;
const mediaType = "application/vnd.oci.image.manifest.v1+json";
const manifest = JSON.stringify({ schemaVersion: 2, mediaType, layers: [] });
const client = createClientV2({ name: `${host}/app`, scheme: "http" });
client.putManifest({ manifest, ref: "v1" }, async (error) => {
  if (error) throw error;
  const reply = await fetch(`http://${host}/`);
  console.log((await reply.json()).types.join());
  process.exit(0);
});
NODE
)
echo "the manifest's mediaType: application/vnd.oci.image.manifest.v1+json"
conclude "Content-Type: $observed" "Content-Type: application/vnd.docker.distribution.manifest.v2+json"
