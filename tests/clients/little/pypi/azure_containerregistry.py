"""The client of Azure's container registry. It escapes the slashes in a repository's name, and lists by an API of Azure."""

import io
import json

from azure.containerregistry import ContainerRegistryClient

from driver import OCI_MANIFEST, digest, expect, operation

REGISTRY = "open"
LISTENER = "https"


def client(way):
    return ContainerRegistryClient(way.url, retry_total=0)


@operation("catalog")
def catalog(way):
    expect(way.repository in list(client(way).list_repository_names()), True)


@operation("list tags")
def list_tags(way):
    tags = [tag.name for tag in client(way).list_tag_properties(way.repository)]
    expect(sorted(tags), ["3.12", "amd64", "docker"])


@operation("pull index")
def pull_index(way):
    expect(client(way).get_manifest(way.repository, "3.12").digest, way.image["index"])


@operation("pull manifest")
def pull_manifest(way):
    expect(client(way).get_manifest(way.repository, "amd64").digest, way.image["manifest"])


@operation("pull blob")
def pull_blob(way):
    content = b"".join(client(way).download_blob(way.repository, way.image["layer"]))
    expect(digest(content), way.image["layer"])


@operation("push chunked")
def push_chunked(way):
    repository = way.new_repository("chunked")
    # The client's chunks have 4 MiB.
    content = way.bytes("chunked", 5 * 1024 * 1024)
    expect(client(way).upload_blob(repository, io.BytesIO(content)), (digest(content), len(content)))
    expect(way.read(repository, f"blobs/{digest(content)}"), content)


@operation("push manifest")
def push_manifest(way):
    repository = way.new_repository("manifest")
    _, _, manifest = way.store(repository, "old")
    pushed = client(way).set_manifest(repository, json.loads(manifest), tag="new", media_type=OCI_MANIFEST)
    expect(digest(way.read(repository, "manifests/new")), pushed)


@operation("delete")
def delete(way):
    repository = way.new_repository("delete")
    _, _, manifest = way.store(repository, "gone")
    client(way).delete_manifest(repository, digest(manifest))
    expect(way.exists(repository, "manifests/gone"), False)


@operation("delete blob")
def delete_blob(way):
    repository = way.new_repository("delete-blob")
    _, layer, _ = way.store(repository, "gone")
    client(way).delete_blob(repository, digest(layer))
    expect(way.exists(repository, f"blobs/{digest(layer)}"), False)
