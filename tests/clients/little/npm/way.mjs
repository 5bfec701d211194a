// What the operations of all packages share: the registry that a client reaches, and content for it.

import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { inspect } from "node:util";

// Finds packages by NODE_PATH.
export const require = createRequire(import.meta.url);

export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const KINDS = {
  [OCI_MANIFEST]: ["application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip"],
  [DOCKER_MANIFEST]: [
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
  ],
};

export function digest(content) {
  return "sha256:" + createHash("sha256").update(content).digest("hex");
}

export function expect(actual, expected) {
  if (inspect(actual) !== inspect(expected)) {
    throw new Error(`${inspect(actual).slice(0, 200)} instead of ${inspect(expected).slice(0, 200)}`);
  }
}

export async function readAll(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

// How the client reaches the registry: through regpass without credentials, or directly with them.
export class Way {
  constructor(name, testbed, packageName, { registry, listener }) {
    const isDirect = name === "direct";
    const isKnown = isDirect && registry !== "open";
    this.name = name;
    this.host = isDirect ? testbed.registries[registry] : testbed.regpass[listener];
    this.scheme = (isDirect ? registry !== "token" : listener === "https") ? "https" : "http";
    this.username = isKnown ? testbed.username : undefined;
    this.password = isKnown ? testbed.password : undefined;
    this.url = `${this.scheme}://${this.host}`;
    this.image = testbed.image;
    this.repository = testbed.repository;
    this.packageName = packageName.replace("@", "").replace("/", "-");
    this.check = `http://${testbed.regpass.http}/v2/${isDirect ? registry : "token"}`;
  }

  // A repository for one operation.
  newRepository(operation) {
    return `little/${this.packageName}-${this.name}-${operation}`;
  }

  // Content that no other operation, client or way has.
  bytes(seed, size = 100_000) {
    const piece = createHash("sha512").update(`${this.packageName} ${this.name} ${seed}`).digest();
    return Buffer.alloc(size, piece);
  }

  // A new image: its config, its layer, and its manifest.
  newImage(seed, kind = OCI_MANIFEST) {
    const config = Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", author: `${this.packageName} ${this.name} ${seed}` }));
    const layer = this.bytes(seed);
    const [configType, layerType] = KINDS[kind];
    const descriptor = (mediaType, content) => ({ mediaType, digest: digest(content), size: content.length });
    const manifest = {
      schemaVersion: 2,
      mediaType: kind,
      config: descriptor(configType, config),
      layers: [descriptor(layerType, layer)],
    };
    return { config, layer, manifest: Buffer.from(JSON.stringify(manifest)) };
  }

  // Reads from the client's registry, through regpass, without the client. Returns null for a 404.
  async read(repository, path) {
    const accept = [OCI_INDEX, OCI_MANIFEST, DOCKER_MANIFEST].join(", ");
    const reply = await fetch(`${this.check}/${repository}/${path}`, { headers: { accept } });
    if (reply.status === 404) return null;
    expect(reply.status, 200);
    return Buffer.from(await reply.arrayBuffer());
  }

  // Pushes a new image without the client.
  async store(repository, tag, kind = OCI_MANIFEST) {
    const image = this.newImage(`${repository}:${tag}`, kind);
    await this.storeBlobs(repository, image);
    const headers = { "content-type": kind };
    const reply = await fetch(`${this.check}/${repository}/manifests/${tag}`, { method: "PUT", headers, body: image.manifest });
    expect(reply.status, 201);
    return image;
  }

  async storeBlobs(repository, { config, layer }) {
    for (const blob of [config, layer]) {
      const start = await fetch(`${this.check}/${repository}/blobs/uploads/`, { method: "POST" });
      const url = new URL(start.headers.get("location"), this.check);
      url.searchParams.append("digest", digest(blob));
      const headers = { "content-type": "application/octet-stream" };
      const reply = await fetch(url, { method: "PUT", headers, body: blob });
      expect(reply.status, 201);
    }
  }
}
