"""A client that carries images between registries in a zip file. It knows only docker's format."""

import io
import zipfile

import docker_charon

from driver import DOCKER_MANIFEST, digest, expect, operation

REGISTRY = "password"
LISTENER = "http"


def options(way):
    return {"registry": way.host, "secure": way.scheme == "https", "username": way.username, "password": way.password}


def payload(way, image, already_transferred=()):
    zipped = io.BytesIO()
    docker_charon.make_payload(zipped, [image], list(already_transferred), **options(way))
    return zipped


@operation("pull image")
def pull_image(way):
    with zipfile.ZipFile(payload(way, f"{way.repository}:docker")) as zipped:
        expect(digest(zipped.read(f"blobs/{way.image['layer']}")), way.image["layer"])


@operation("push image")
def push_image(way):
    source = way.new_repository("source")
    config, layer, _ = way.store(source, "1", DOCKER_MANIFEST)
    zipped = payload(way, f"{source}:1")
    target = way.new_repository("target")
    docker_charon.push_payload(renamed(zipped, source, target), **options(way))
    way.expect_image(target, "1", config, layer)


@operation("mount")
def mount(way):
    """Pushes an image of which the registry has a copy under another name: the blobs are mounted from there."""
    source, target = way.new_repository("mount-source"), way.new_repository("mount")
    config, layer, manifest = way.store(source, "1", DOCKER_MANIFEST)
    way.store_manifest(source, "2", manifest, DOCKER_MANIFEST)
    zipped = payload(way, f"{source}:2", [f"{source}:1"])
    docker_charon.push_payload(renamed(zipped, f"{source}:2", f"{target}:2"), **options(way))
    way.expect_image(target, "2", config, layer)


def renamed(zipped, source, target):
    """The payload with another name of its image, so that the image is new to the registry."""
    result = io.BytesIO()
    with zipfile.ZipFile(zipped) as old, zipfile.ZipFile(result, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content.replace(source.encode(), target.encode()) if name.endswith(".json") else content)
    return result
