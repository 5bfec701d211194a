"""The client of the ORAS project for Python."""

import json
import os
import pathlib
import tempfile

import oras.client

from driver import OCI_INDEX, digest, expect, operation

REGISTRY = "token"
LISTENER = "http"


def client(way):
    registry = oras.client.OrasClient(hostname=way.host, insecure=way.scheme == "http")
    if way.username:
        registry.auth.set_basic_auth(way.username, way.password)
    return registry


def file_with(way, name, size=100_000):
    file = os.path.join(tempfile.mkdtemp(), name)
    pathlib.Path(file).write_bytes(way.bytes(name, size))
    return file


@operation("login")
def login(way):
    registry = oras.client.OrasClient(insecure=way.scheme == "http", auth_backend="basic")
    user, password = way.username or "nobody", way.password or "nothing"
    registry.login(hostname=way.host, username=user, password=password, config_path=tempfile.mkdtemp() + "/config.json")


@operation("list tags")
def list_tags(way):
    tags = client(way).get_tags(f"{way.host}/{way.repository}")
    expect(sorted(tags), ["3.12", "amd64", "docker"])


@operation("pull index")
def pull_index(way):
    index = client(way).get_manifest(f"{way.host}/{way.repository}:3.12", [OCI_INDEX])
    expect(index, json.loads(way.read(way.repository, "manifests/3.12")))


@operation("pull manifest")
def pull_manifest(way):
    manifest = client(way).get_manifest(f"{way.host}/{way.repository}:amd64")
    expect(manifest, json.loads(way.read(way.repository, "manifests/amd64")))


@operation("pull blob")
def pull_blob(way):
    reply = client(way).get_blob(f"{way.host}/{way.repository}", way.image["layer"])
    expect(digest(reply.content), way.image["layer"])


@operation("pull image")
def pull_image(way):
    files = client(way).pull(target=f"{way.host}/{way.repository}:amd64", outdir=tempfile.mkdtemp())
    expect(len(files), 1)


@operation("push image")
def push_image(way):
    push(way, "whole")


@operation("push chunked")
def push_chunked(way):
    push(way, "chunked", do_chunked=True, chunk_size=30_000)


def push(way, name, **options):
    repository = way.new_repository(name)
    file = file_with(way, name)
    target = f"{way.host}/{repository}:pushed"
    client(way).push(target, files=[file], disable_path_validation=True, quiet=True, **options)
    expect(way.read(repository, f"blobs/{digest(way.bytes(name))}"), way.bytes(name))
    expect(way.exists(repository, "manifests/pushed"), True)


@operation("delete")
def delete(way):
    repository = way.new_repository("delete")
    way.store(repository, "gone")
    expect(client(way).delete_tag(f"{way.host}/{repository}:gone", "gone"), True)
    expect(way.exists(repository, "manifests/gone"), False)
