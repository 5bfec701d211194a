"""A client that stores files under aliases, which are images in docker's format. It sends passwords only over TLS."""

import json
import os

from dxf import DXF

from driver import DOCKER_MANIFEST, digest, expect, operation

REGISTRY = "password"
LISTENER = "http"


def client(way, repository):
    def authenticate(dxf, response):
        dxf.authenticate(way.username, way.password, response=response)

    insecure = way.scheme == "http"
    return DXF(way.host, repository, authenticate if way.username else None, insecure=insecure)


@operation("ping")
def ping(way):
    text, _ = client(way, way.repository).api_version_check()
    expect(json.loads(text), {})


@operation("login")
def login(way):
    expect(client(way, way.repository).authenticate(way.username, way.password), None)


@operation("catalog")
def catalog(way):
    expect(way.repository in client(way, None).list_repos(batch_size=1), True)


@operation("list tags")
def list_tags(way):
    expect(sorted(client(way, way.repository).list_aliases(batch_size=1)), ["3.12", "amd64", "docker"])


@operation("pull manifest")
def pull_manifest(way):
    manifest = client(way, way.repository).get_manifest("docker")
    expect(manifest.encode(), way.read(way.repository, "manifests/docker"))


@operation("list layers")
def list_layers(way):
    expect(client(way, way.repository).get_alias("docker"), [way.image["layer"]])


@operation("head blob")
def head_blob(way):
    size = client(way, way.repository).blob_size(way.image["layer"])
    expect(size, len(way.read(way.repository, f"blobs/{way.image['layer']}")))


@operation("pull blob")
def pull_blob(way):
    content = b"".join(client(way, way.repository).pull_blob(way.image["layer"]))
    expect(digest(content), way.image["layer"])


@operation("push blob")
def push_blob(way):
    repository = way.new_repository("blob")
    content = way.bytes("blob")
    file = os.path.join(os.environ["HOME"], f"{way.name}.bin")
    with open(file, "wb") as writer:
        writer.write(content)
    expect(client(way, repository).push_blob(file), digest(content))
    expect(way.read(repository, f"blobs/{digest(content)}"), content)


@operation("push blob as a stream")
def push_stream(way):
    repository = way.new_repository("stream")
    content = way.bytes("stream")
    pieces = (content[start : start + 10_000] for start in range(0, len(content), 10_000))
    client(way, repository).push_blob(data=pieces, digest=digest(content))
    expect(way.read(repository, f"blobs/{digest(content)}"), content)


@operation("push manifest")
def push_manifest(way):
    repository = way.new_repository("manifest")
    content = way.bytes("manifest")
    way.store_blob(repository, content)
    client(way, repository).set_alias("pushed", digest(content))
    way.expect_image(repository, "pushed", content, content)


@operation("mount")
def mount(way):
    repository = way.new_repository("mount")
    layer = way.image["layer"]
    expect(client(way, repository).mount_blob(way.repository, layer), layer)
    expect(digest(way.read(repository, f"blobs/{layer}")), layer)


@operation("delete")
def delete(way):
    repository = way.new_repository("delete")
    _, layer, _ = way.store(repository, "gone", DOCKER_MANIFEST)
    expect(client(way, repository).del_alias("gone"), [digest(layer)])
    expect(way.exists(repository, "manifests/gone"), False)


@operation("delete blob")
def delete_blob(way):
    repository = way.new_repository("delete-blob")
    _, layer, _ = way.store(repository, "gone", DOCKER_MANIFEST)
    client(way, repository).del_blob(digest(layer))
    expect(way.exists(repository, f"blobs/{digest(layer)}"), False)
