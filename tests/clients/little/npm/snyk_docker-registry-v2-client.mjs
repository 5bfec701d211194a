// Snyk's client, which only reads, and only over TLS.

import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { OCI_INDEX, OCI_MANIFEST, digest, expect, require } from "./way.mjs";

const registry = require("@snyk/docker-registry-v2-client");

export const place = { registry: "password", listener: "https" };

// The parameters of a function after host and repository.
const login = (way) => [way.username, way.password];

export const operations = {
  async ping(way) {
    await registry.checkSupport(way.host, ...login(way));
  },
  async catalog(way) {
    const repositories = await registry.getRepos(way.host, ...login(way), 1);
    expect(repositories.includes(way.repository), true);
  },
  async "list tags"(way) {
    const tags = await registry.getTags(way.host, way.repository, ...login(way), 1);
    expect(tags.sort(), ["3.12", "amd64", "docker"]);
  },
  async "list tags by the last one"(way) {
    const tags = await registry.getTagsPaginated(way.host, way.repository, ...login(way), 1);
    expect(tags.sort(), ["3.12", "amd64", "docker"]);
  },
  async "pull index"(way) {
    const options = { acceptManifest: `${OCI_INDEX}, ${OCI_MANIFEST}` };
    const platform = { os: "linux", architecture: "amd64" };
    const manifest = await registry.getManifest(way.host, way.repository, "3.12", ...login(way), options, platform);
    expect([manifest.indexDigest, manifest.manifestDigest], [way.image.index, way.image.manifest]);
  },
  async "pull manifest"(way) {
    const options = { acceptManifest: OCI_MANIFEST };
    const manifest = await registry.getManifest(way.host, way.repository, "amd64", ...login(way), options);
    expect([manifest.manifestDigest, manifest.layers[0].digest], [way.image.manifest, way.image.layer]);
  },
  async "pull manifest of docker's format"(way) {
    const manifest = await registry.getManifest(way.host, way.repository, "docker", ...login(way));
    expect(manifest.layers[0].digest, way.image.layer);
  },
  async "pull config"(way) {
    const config = await registry.getImageConfig(way.host, way.repository, way.image.config, ...login(way));
    expect(config.architecture, "amd64");
  },
  async "pull blob"(way) {
    const content = await registry.getLayer(way.host, way.repository, way.image.layer, ...login(way));
    expect(digest(content), way.image.layer);
  },
  async "pull blob to a file"(way) {
    const file = path.join(mkdtempSync(path.join(tmpdir(), "layer-")), "layer");
    await registry.downloadLayer(file, way.host, way.repository, way.image.layer, ...login(way));
    expect(digest(readFileSync(file)), way.image.layer);
  },
  async "size of an image"(way) {
    const size = await registry.getImageSize(way.host, way.repository, "docker", ...login(way));
    const { layers } = JSON.parse(await way.read(way.repository, "manifests/docker"));
    expect(size, layers[0].size);
  },
};
