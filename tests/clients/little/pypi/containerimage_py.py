"""A client that copies images between registries. It follows only absolute Locations of uploads."""

import base64
import pathlib
import tempfile

from image.client import ContainerImageRegistryClient
from image.containerimage import ContainerImage
from image.descriptor import ContainerImageDescriptor

from driver import OCI_MANIFEST, descriptor, digest, expect, operation

REGISTRY = "token"
LISTENER = "absolute"


def options(way):
    auths = {}
    if way.username:
        auths[way.host] = {"auth": base64.b64encode(f"{way.username}:{way.password}".encode()).decode()}
    return {"auth": {"auths": auths}, "http": way.scheme == "http"}


def image(way, repository, tag):
    return ContainerImage(f"{way.host}/{repository}:{tag}")


@operation("list tags")
def list_tags(way):
    tags = image(way, way.repository, "3.12").list_tags(**options(way))
    expect(sorted(tags["tags"]), ["3.12", "amd64", "docker"])


@operation("digest of a tag")
def digest_of_tag(way):
    expect(image(way, way.repository, "3.12").get_digest(**options(way)), way.image["index"])


@operation("pull index")
def pull_index(way):
    index = ContainerImageRegistryClient.get_manifest(f"{way.host}/{way.repository}:3.12", **options(way))
    expect(digest(index), way.image["index"])


@operation("pull manifest")
def pull_manifest(way):
    manifest = ContainerImageRegistryClient.get_manifest(f"{way.host}/{way.repository}:amd64", **options(way))
    expect(digest(manifest), way.image["manifest"])


@operation("pull config")
def pull_config(way):
    config = image(way, way.repository, "amd64").get_config(**options(way))
    expect(config.get_architecture(), "amd64")


@operation("pull image")
def pull_image(way):
    folder = tempfile.mkdtemp()
    image(way, way.repository, "amd64").download(folder, **options(way))
    expect(digest(pathlib.Path(folder, way.image["layer"].split(":")[1]).read_bytes()), way.image["layer"])


@operation("push blob")
def push_blob(way):
    push(way, "blob", chunked=False)


@operation("push chunked")
def push_chunked(way):
    push(way, "chunked", chunked=True, chunk_size=40_000)


def push(way, name, **how):
    repository = way.new_repository(name)
    reference = f"{way.host}/{repository}:new"
    content = way.bytes(name)
    blob = ContainerImageDescriptor(descriptor("application/vnd.oci.image.layer.v1.tar+gzip", content))
    location = ContainerImageRegistryClient.initialize_upload(reference, **options(way))
    ContainerImageRegistryClient.upload_blob(reference, location, blob, content, **how, **options(way))
    expect(way.read(repository, f"blobs/{digest(content)}"), content)


@operation("push manifest")
def push_manifest(way):
    repository = way.new_repository("manifest")
    _, _, manifest = way.store(repository, "old")
    target = f"{way.host}/{repository}:new"
    ContainerImageRegistryClient.upload_manifest(target, manifest, OCI_MANIFEST, **options(way))
    expect(way.read(repository, "manifests/new"), manifest)


@operation("copy")
def copy(way):
    repository = way.new_repository("copy")
    how = options(way)
    target = f"{way.host}/{repository}:copied"
    image(way, way.repository, "3.12").copy(target, how["auth"], src_http=how["http"], dest_http=how["http"])
    expect(way.exists(repository, "manifests/copied"), True)
    expect(digest(way.read(repository, f"blobs/{way.image['layer']}")), way.image["layer"])


@operation("delete")
def delete(way):
    repository = way.new_repository("delete")
    _, _, manifest = way.store(repository, "gone")
    ContainerImage(f"{way.host}/{repository}@{digest(manifest)}").delete(**options(way))
    expect(way.exists(repository, "manifests/gone"), False)
