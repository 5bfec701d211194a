// The operations of docker-registry-client and of renovate's copy of it, which have the same functions.

import { Readable } from "node:stream";

import { DOCKER_MANIFEST, digest, expect, readAll, require } from "./way.mjs";

export const place = { registry: "token", listener: "http" };

export function operationsOf(packageName) {
  const { createClientV2 } = require(packageName);

  function client(way, repository = way.repository) {
    const { username, password } = way;
    const credentials = username ? { username, password } : {};
    const name = `${way.host}/${repository}`;
    return createClientV2({ name, ...credentials, maxSchemaVersion: 2, acceptManifestLists: true, scheme: way.scheme });
  }

  // Calls a function of the client that ends with a callback, whose first results after the error are returned.
  function call(registry, name, ...parameters) {
    return new Promise((resolve, reject) => {
      const done = (error, ...results) => (error ? reject(error) : resolve(results));
      registry[name](...parameters, done);
    });
  }

  return {
    // Like the client's own supportsV2(): an answer of 401 is as good.
    async ping(way) {
      await call(client(way), "ping").catch((error) => expect(error.statusCode, 401));
    },
    async login(way) {
      await call(client(way), "login");
    },
    async "list tags"(way) {
      const [{ tags }] = await call(client(way), "listTags");
      expect(tags.sort(), ["3.12", "amd64", "docker"]);
    },
    async "pull index"(way) {
      const [, , text] = await call(client(way), "getManifest", { ref: "3.12" });
      expect(digest(text), way.image.index);
    },
    async "pull manifest"(way) {
      const [, , text] = await call(client(way), "getManifest", { ref: "amd64" });
      expect(digest(text), way.image.manifest);
    },
    async "pull manifest of docker's format"(way) {
      const [manifest] = await call(client(way), "getManifest", { ref: "docker" });
      expect(manifest.layers[0].digest, way.image.layer);
    },
    async "head blob"(way) {
      const [responses] = await call(client(way), "headBlob", { digest: way.image.layer });
      expect(responses[0].headers["docker-content-digest"], way.image.layer);
    },
    async "pull blob"(way) {
      const [stream] = await call(client(way), "createBlobReadStream", { digest: way.image.layer });
      expect(digest(await readAll(stream)), way.image.layer);
    },
    async "push blob"(way) {
      const repository = way.newRepository("blob");
      const content = way.bytes("blob");
      const stream = Readable.from([content]);
      await call(client(way, repository), "blobUpload", { digest: digest(content), contentLength: content.length, stream });
      expect(await way.read(repository, `blobs/${digest(content)}`), content);
    },
    async "push manifest"(way) {
      const repository = way.newRepository("manifest");
      const { manifest } = await way.store(repository, "old", DOCKER_MANIFEST);
      await call(client(way, repository), "putManifest", { manifest: manifest.toString(), ref: "new" });
      expect(await way.read(repository, "manifests/new"), manifest);
    },
  };
}
