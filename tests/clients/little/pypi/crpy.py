"""A client that pulls and pushes archives of docker. It authenticates only where a registry asks for tokens."""

import io
import json
import tarfile

from crpy import RegistryInfo
from crpy.storage import save_credentials

from driver import digest, expect, operation

REGISTRY = "token"
LISTENER = "http"


def client(way, repository, tag="latest"):
    if way.username:
        save_credentials(way.host, way.username, way.password)
    return RegistryInfo.from_url(f"{way.url}/{repository}:{tag}")


@operation("login")
async def login(way):
    await RegistryInfo.from_url(f"{way.url}/").auth(username=way.username, password=way.password)


@operation("catalog")
async def catalog(way):
    expect(way.repository in await client(way, "").list_repositories(), True)


@operation("list tags")
async def list_tags(way):
    expect(sorted(await client(way, way.repository).list_tags()), ["3.12", "amd64", "docker"])


@operation("pull index")
async def pull_index(way):
    index = await client(way, way.repository, "3.12").get_manifest(fat=True)
    expect(digest(index.data), way.image["index"])


@operation("pull manifest")
async def pull_manifest(way):
    manifest = await client(way, way.repository, "amd64").get_manifest()
    expect(digest(manifest.data), way.image["manifest"])


@operation("pull config")
async def pull_config(way):
    config = await client(way, way.repository, "amd64").get_config()
    expect(digest(config.data), way.image["config"])


@operation("pull blob")
async def pull_blob(way):
    content = await client(way, way.repository).pull_layer(way.image["layer"], use_cache=False)
    expect(digest(content), way.image["layer"])


@operation("pull blob as a stream")
async def pull_stream(way):
    content = await client(way, way.repository).pull_layer(way.image["layer"], io.BytesIO(), use_cache=False)
    expect(digest(content), way.image["layer"])


@operation("pull image")
async def pull_image(way):
    archive = io.BytesIO()
    await client(way, way.repository, "3.12").pull(archive, "linux/amd64", use_cache=False)
    names = tarfile.open(fileobj=io.BytesIO(archive.getvalue())).getnames()
    expect(any(way.image["layer"].split(":")[1] in name for name in names), True)


@operation("push blob")
async def push_blob(way):
    repository = way.new_repository("blob")
    content = way.bytes("blob")
    await client(way, repository).push_layer(content)
    expect(way.read(repository, f"blobs/{digest(content)}"), content)


@operation("push image")
async def push_image(way):
    repository = way.new_repository("image")
    config, layer, _ = way.image_bytes("image")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        index = json.dumps([{"Config": "config.json", "RepoTags": [], "Layers": ["layer.tar.gz"]}]).encode()
        for name, content in {"manifest.json": index, "config.json": config, "layer.tar.gz": layer}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    archive.seek(0)
    await client(way, repository, "pushed").push(archive)
    way.expect_image(repository, "pushed", config, layer)


@operation("delete")
async def delete(way):
    repository = way.new_repository("delete")
    way.store(repository, "gone")
    response = await client(way, repository, "gone").delete_tag()
    expect(response.status, 202)
    expect(way.exists(repository, "manifests/gone"), False)
