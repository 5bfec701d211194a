"""An asynchronous client without any credentials. It knows only docker's format."""

import io
import json
import pathlib
import tarfile
import tempfile

import registry_api_v2_client as registry

from driver import DOCKER_MANIFEST, digest, expect, operation

REGISTRY = "open"
LISTENER = "http"


@operation("ping")
async def ping(way):
    expect(await registry.check_registry_connectivity(way.url), True)


@operation("catalog")
async def catalog(way):
    expect(way.repository in await registry.list_repositories(way.url), True)


@operation("list tags")
async def list_tags(way):
    expect(sorted(await registry.list_tags(way.url, way.repository)), ["3.12", "amd64", "docker"])


@operation("pull manifest")
async def pull_manifest(way):
    manifest = await registry.get_manifest(way.url, way.repository, "docker")
    expect(manifest["digest"], digest(way.read(way.repository, "manifests/docker")))


@operation("pull config")
async def pull_config(way):
    info = await registry.get_image_info(way.url, way.repository, "docker")
    expect(info["config"]["architecture"], "amd64")


@operation("push image")
async def push_image(way):
    await push(way, "image", 100_000)


@operation("push chunked")
async def push_chunked(way):
    # Layers of more than 5 MiB are pushed in chunks.
    await push(way, "chunked", 6 * 1024 * 1024)


async def push(way, name, size):
    repository = way.new_repository(name)
    layer = way.bytes(name, size)
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest(layer)]}}
    config = json.dumps(config | {"created": "2026-01-01T00:00:00Z", "history": [], "config": {}}).encode()
    # As docker writes archives since version 25.
    paths = [f"blobs/sha256/{digest(blob).split(':')[1]}" for blob in (config, layer)]
    index = json.dumps([{"Config": paths[0], "RepoTags": [f"{repository}:pushed"], "Layers": paths[1:]}]).encode()
    file = pathlib.Path(tempfile.mkdtemp(), "image.tar")
    with tarfile.open(file, "w") as tar:
        for name, content in {"manifest.json": index, paths[0]: config, paths[1]: layer}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    await registry.push_docker_tar(str(file), way.url)
    way.expect_image(repository, "pushed", config, layer)


@operation("delete")
async def delete(way):
    repository = way.new_repository("delete")
    way.store(repository, "gone", DOCKER_MANIFEST)
    expect(await registry.delete_image(way.url, repository, "gone"), True)
    expect(way.exists(repository, "manifests/gone"), False)
