"""A builder of images with a client of its own. It sends a password with every request if it has one."""

from derpy.registry.client import RegistryClient, RegistryConfig

from driver import OCI_MANIFEST, digest, expect, operation

REGISTRY = "password"
LISTENER = "http"


def client(way):
    return RegistryClient(RegistryConfig(way.url, way.username or "", way.password or ""))


@operation("ping")
def ping(way):
    expect(client(way).check_connectivity(), True)


@operation("login")
def login(way):
    expect(client(way).verify_authentication(), True)


@operation("head blob")
def head_blob(way):
    expect(client(way).blob_exists(way.repository, way.image["layer"]), True)


@operation("pull manifest")
def pull_manifest(way):
    manifest, _ = client(way).download_manifest(way.repository, "amd64")
    expect(digest(manifest), way.image["manifest"])


@operation("pull blob")
def pull_blob(way):
    expect(digest(client(way).download_blob(way.repository, way.image["layer"])), way.image["layer"])


@operation("pull image")
def pull_image(way):
    manifest, _, layers = client(way).pull_image(way.repository, "amd64")
    expect(digest(manifest), way.image["manifest"])
    expect([digest(layer) for _, layer in layers], [way.image["layer"]])


@operation("pull image from an index")
def pull_from_index(way):
    manifest, _, _ = client(way).pull_image(way.repository, "3.12", platform="linux/amd64")
    expect(digest(manifest), way.image["manifest"])


@operation("push blob")
def push_blob(way):
    repository = way.new_repository("blob")
    content = way.bytes("blob")
    client(way).upload_blob(repository, content, digest(content))
    expect(way.read(repository, f"blobs/{digest(content)}"), content)


@operation("push manifest")
def push_manifest(way):
    repository = way.new_repository("manifest")
    _, _, manifest = way.store(repository, "old")
    expect(client(way).upload_manifest(repository, "new", manifest, OCI_MANIFEST), digest(manifest))
    expect(way.read(repository, "manifests/new"), manifest)


@operation("push image")
def push_image(way):
    repository = way.new_repository("image")
    config, layer, manifest = way.image_bytes("image")
    client(way).push_image(f"{repository}:pushed", manifest, config, [(digest(layer), layer)])
    way.expect_image(repository, "pushed", config, layer)
