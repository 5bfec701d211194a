// A client with promises, of balena.

import { OCI_MANIFEST, digest, expect, readAll, require } from "./way.mjs";

const { RegistryClientV2 } = require("oci-registry-client");

export const place = { registry: "token", listener: "http" };

function client(way, repository = way.repository, scopes = ["pull"]) {
  const { username, password, scheme } = way;
  const name = `${way.host}/${repository}`;
  return new RegistryClientV2({ name, username, password, scheme, scopes, acceptOCIManifests: true, acceptManifestLists: true });
}

export const operations = {
  async ping(way) {
    const response = await client(way).ping();
    expect(response.status, way.username ? 401 : 200);
  },
  async login(way) {
    await client(way).login();
  },
  async "list tags"(way) {
    const { tags } = await client(way).listTags();
    expect(tags.sort(), ["3.12", "amd64", "docker"]);
  },
  async "pull index"(way) {
    const { resp, manifest } = await client(way).getManifest({ ref: "3.12" });
    expect(resp.headers.get("docker-content-digest"), way.image.index);
    expect(manifest.manifests.length, 2);
  },
  async "pull manifest"(way) {
    const { manifest } = await client(way).getManifest({ ref: "amd64" });
    expect(manifest.layers[0].digest, way.image.layer);
  },
  async "head blob"(way) {
    const [response] = await client(way).headBlob({ digest: way.image.layer });
    expect(response.status, 200);
  },
  async "pull blob"(way) {
    const { stream } = await client(way).createBlobReadStream({ digest: way.image.layer });
    expect(digest(await readAll(stream)), way.image.layer);
  },
  async "push blob"(way) {
    const repository = way.newRepository("blob");
    const content = way.bytes("blob");
    const upload = { digest: digest(content), contentLength: content.length, stream: content };
    await client(way, repository, ["pull", "push"]).blobUpload(upload);
    expect(await way.read(repository, `blobs/${digest(content)}`), content);
  },
  async "push manifest"(way) {
    const repository = way.newRepository("manifest");
    const { manifest } = await way.store(repository, "old");
    const registry = client(way, repository, ["pull", "push"]);
    await registry.putManifest({ manifestData: manifest, mediaType: OCI_MANIFEST, ref: "new" });
    expect(await way.read(repository, "manifests/new"), manifest);
  },
  async delete(way) {
    const repository = way.newRepository("delete");
    const { manifest } = await way.store(repository, "gone");
    await client(way, repository, ["delete"]).deleteManifest({ ref: digest(manifest) });
    expect(await way.read(repository, "manifests/gone"), null);
  },
};
