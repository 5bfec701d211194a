"""The library of the Open Containers Initiative's types, with a client that builds single requests."""

from opencontainers.distribution.reggie import (
    NewClient,
    WithDefaultName,
    WithDigest,
    WithName,
    WithReference,
    WithUsernamePassword,
)

from driver import MANIFESTS, OCI_MANIFEST, digest, expect, operation

REGISTRY = "token"
LISTENER = "http"


def client(way, repository):
    credentials = [WithUsernamePassword(way.username, way.password)] if way.username else []
    return NewClient(way.url, WithDefaultName(repository), *credentials)


def send(registry, request, status):
    response = registry.Do(request)
    expect((response.status_code, response.text[:200] if response.status_code != status else ""), (status, ""))
    return response


def get(way, path, *options):
    registry = client(way, way.repository)
    return send(registry, registry.NewRequest("GET", path, *options).SetHeader("Accept", MANIFESTS), 200)


@operation("ping")
def ping(way):
    get(way, "/v2/")


@operation("catalog")
def catalog(way):
    expect(way.repository in get(way, "/v2/_catalog").json()["repositories"], True)


@operation("list tags")
def list_tags(way):
    expect(sorted(get(way, "/v2/<name>/tags/list").json()["tags"]), ["3.12", "amd64", "docker"])


@operation("pull index")
def pull_index(way):
    index = get(way, "/v2/<name>/manifests/<reference>", WithReference("3.12"))
    expect(digest(index.content), way.image["index"])


@operation("pull manifest")
def pull_manifest(way):
    manifest = get(way, "/v2/<name>/manifests/<reference>", WithReference("amd64"))
    expect(digest(manifest.content), way.image["manifest"])


@operation("pull blob")
def pull_blob(way):
    blob = get(way, "/v2/<name>/blobs/<digest>", WithDigest(way.image["layer"]))
    expect(digest(blob.content), way.image["layer"])


@operation("push blob")
def push_blob(way):
    repository = way.new_repository("blob")
    registry = client(way, repository)
    content = way.bytes("blob")
    location = start(registry)
    put(registry, location, content, digest(content))
    expect(way.read(repository, f"blobs/{digest(content)}"), content)


@operation("push chunked")
def push_chunked(way):
    repository = way.new_repository("chunked")
    registry = client(way, repository)
    content = way.bytes("chunked")
    location = start(registry)
    for first in range(0, len(content), 40_000):
        chunk = content[first : first + 40_000]
        request = registry.NewRequest("PATCH", location).SetBody(chunk)
        request.SetHeader("Content-Type", "application/octet-stream").SetHeader("Content-Length", str(len(chunk)))
        request.SetHeader("Content-Range", f"{first}-{first + len(chunk) - 1}")
        location = send(registry, request, 202).headers["Location"]
    put(registry, location, b"", digest(content))
    expect(way.read(repository, f"blobs/{digest(content)}"), content)


def start(registry):
    return send(registry, registry.NewRequest("POST", "/v2/<name>/blobs/uploads/"), 202).headers["Location"]


def put(registry, location, content, name):
    request = registry.NewRequest("PUT", location).SetQueryParam("digest", name).SetBody(content)
    request.SetHeader("Content-Type", "application/octet-stream").SetHeader("Content-Length", str(len(content)))
    send(registry, request, 201)


@operation("push manifest")
def push_manifest(way):
    repository = way.new_repository("manifest")
    _, _, manifest = way.store(repository, "old")
    registry = client(way, repository)
    request = registry.NewRequest("PUT", "/v2/<name>/manifests/<reference>", WithReference("new"))
    send(registry, request.SetHeader("Content-Type", OCI_MANIFEST).SetBody(manifest), 201)
    expect(way.read(repository, "manifests/new"), manifest)


@operation("mount")
def mount(way):
    repository = way.new_repository("mount")
    registry = client(way, repository)
    request = registry.NewRequest("POST", "/v2/<name>/blobs/uploads/")
    request.SetQueryParam("mount", way.image["layer"]).SetQueryParam("from", way.repository)
    send(registry, request, 201)
    expect(digest(way.read(repository, f"blobs/{way.image['layer']}")), way.image["layer"])


@operation("delete")
def delete(way):
    repository = way.new_repository("delete")
    _, _, manifest = way.store(repository, "gone")
    registry = client(way, "unused")
    options = [WithName(repository), WithReference(digest(manifest))]
    send(registry, registry.NewRequest("DELETE", "/v2/<name>/manifests/<reference>", *options), 202)
    expect(way.exists(repository, "manifests/gone"), False)
