// The client of Azure's container registry. It escapes the slashes in a repository's name, and lists by an API of Azure.

import { digest, expect, readAll, require } from "./way.mjs";

const { ContainerRegistryClient, ContainerRegistryContentClient } = require("@azure/container-registry");

export const place = { registry: "open", listener: "https" };

const options = { retryOptions: { maxRetries: 0 } };

// Used only if the registry sends a challenge.
const credential = { getToken: async () => ({ token: "none", expiresOnTimestamp: Date.now() + 3_600_000 }) };

function client(way, repository = way.repository) {
  return new ContainerRegistryContentClient(way.url, repository, credential, options);
}

export const operations = {
  async catalog(way) {
    const names = [];
    for await (const name of new ContainerRegistryClient(way.url, options).listRepositoryNames()) names.push(name);
    expect(names.includes(way.repository), true);
  },
  async "list tags"(way) {
    const tags = [];
    const artifact = new ContainerRegistryClient(way.url, options).getArtifact(way.repository, "3.12");
    for await (const { name } of artifact.listTagProperties()) tags.push(name);
    expect(tags.sort(), ["3.12", "amd64", "docker"]);
  },
  async "pull index"(way) {
    const index = await client(way).getManifest("3.12");
    expect(digest(index.content), way.image.index);
  },
  async "pull manifest"(way) {
    const manifest = await client(way).getManifest("amd64");
    expect(digest(manifest.content), way.image.manifest);
  },
  async "pull blob"(way) {
    const blob = await client(way).downloadBlob(way.image.layer);
    expect(digest(await readAll(blob.content)), way.image.layer);
  },
  async "push chunked"(way) {
    const repository = way.newRepository("chunked");
    // The client's chunks have 4 MiB.
    const content = way.bytes("chunked", 5 * 1024 * 1024);
    const pushed = await client(way, repository).uploadBlob(content);
    expect(pushed, { digest: digest(content), sizeInBytes: content.length });
    expect(digest(await way.read(repository, `blobs/${digest(content)}`)), digest(content));
  },
  async "push manifest"(way) {
    const repository = way.newRepository("manifest");
    const { manifest } = await way.store(repository, "old");
    await client(way, repository).setManifest(manifest, { tag: "new" });
    expect(await way.read(repository, "manifests/new"), manifest);
  },
  async delete(way) {
    const repository = way.newRepository("delete");
    const { manifest } = await way.store(repository, "gone");
    await client(way, repository).deleteManifest(digest(manifest));
    expect(await way.read(repository, "manifests/gone"), null);
  },
  async "delete blob"(way) {
    const repository = way.newRepository("delete-blob");
    const { layer } = await way.store(repository, "gone");
    await client(way, repository).deleteBlob(digest(layer));
    expect(await way.read(repository, `blobs/${digest(layer)}`), null);
  },
};
