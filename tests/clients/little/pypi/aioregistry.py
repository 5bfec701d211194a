"""An asynchronous client with its own copy between repositories. It uploads blobs only in chunks."""

import json

from aioregistry import AsyncRegistryClient, DictCredentialStore, RegistryBlobRef, parse_image_name
from aioregistry.models import Manifest

from driver import OCI_MANIFEST, digest, expect, operation

REGISTRY = "token"
LISTENER = "http"


def client(way):
    credentials = {way.host: (way.username, way.password)} if way.username else {}
    return AsyncRegistryClient(creds=DictCredentialStore(credentials))


def image(way, repository, tag):
    return parse_image_name(f"{way.host}/{repository}:{tag}")


def blob(way, repository, reference):
    parsed = image(way, repository, "none")
    return RegistryBlobRef(registry=parsed.registry, repo=parsed.repo, ref=reference)


async def pieces(content, size):
    for start in range(0, len(content), size):
        yield content[start : start + size]


@operation("catalog")
async def catalog(way):
    async with client(way) as registry:
        repositories = await registry.registry_repos(image(way, way.repository, "none").registry)
    expect(way.repository in repositories, True)


@operation("list tags")
async def list_tags(way):
    async with client(way) as registry:
        reference = image(way, way.repository, "none")
        expect(sorted(await registry.registry_repo_tags(reference.registry, reference.repo)), ["3.12", "amd64", "docker"])


@operation("head manifest")
async def head_manifest(way):
    async with client(way) as registry:
        found = await registry.ref_lookup(image(way, way.repository, "3.12"))
    expect(found.digest, way.image["index"])


@operation("head blob")
async def head_blob(way):
    async with client(way) as registry:
        found = await registry.ref_lookup(blob(way, way.repository, way.image["layer"]))
    expect(found.size, len(way.read(way.repository, f"blobs/{way.image['layer']}")))


@operation("pull index")
async def pull_index(way):
    async with client(way) as registry:
        index = await registry.manifest_download(image(way, way.repository, "3.12"))
    expect(index.digest, way.image["index"])


@operation("pull manifest")
async def pull_manifest(way):
    async with client(way) as registry:
        manifest = await registry.manifest_download(image(way, way.repository, "amd64"))
    expect(manifest.digest, way.image["manifest"])


@operation("pull blob")
async def pull_blob(way):
    async with client(way) as registry:
        _, stream = await registry.ref_content_stream(blob(way, way.repository, way.image["layer"]))
        content = b"".join([piece async for piece in stream])
    expect(digest(content), way.image["layer"])


@operation("push chunked")
async def push_chunked(way):
    repository = way.new_repository("chunked")
    content = way.bytes("chunked", 300_000)
    async with client(way) as registry:
        written = await registry.blob_write(blob(way, repository, ""), pieces(content, 100_000))
    expect(written.ref, digest(content))
    expect(way.read(repository, f"blobs/{digest(content)}"), content)


@operation("push manifest")
async def push_manifest(way):
    repository = way.new_repository("manifest")
    way.store(repository, "old")
    text = way.read(repository, "manifests/old").decode()
    manifest = Manifest.parse(json.loads(text), media_type=OCI_MANIFEST)
    async with client(way) as registry:
        await registry.manifest_write(image(way, repository, "new"), manifest)
    expect(way.exists(repository, "manifests/new"), True)


@operation("mount")
async def mount(way):
    repository = way.new_repository("mount")
    layer = way.image["layer"]
    async with client(way) as registry:
        await registry.copy_refs(blob(way, way.repository, layer), blob(way, repository, layer))
    expect(digest(way.read(repository, f"blobs/{layer}")), layer)


@operation("copy")
async def copy(way):
    repository = way.new_repository("copy")
    async with client(way) as registry:
        await registry.copy_refs(image(way, way.repository, "3.12"), image(way, repository, "copied"))
    expect(digest(way.read(repository, "manifests/copied")), way.image["index"])


@operation("delete")
async def delete(way):
    repository = way.new_repository("delete")
    _, _, manifest = way.store(repository, "gone")
    reference = image(way, repository, "gone").copy(update={"ref": digest(manifest)})
    async with client(way) as registry:
        expect(await registry.ref_delete(reference), True)
    expect(way.exists(repository, "manifests/gone"), False)


@operation("delete blob")
async def delete_blob(way):
    repository = way.new_repository("delete-blob")
    _, layer, _ = way.store(repository, "gone")
    async with client(way) as registry:
        expect(await registry.ref_delete(blob(way, repository, digest(layer))), True)
    expect(way.exists(repository, f"blobs/{digest(layer)}"), False)
