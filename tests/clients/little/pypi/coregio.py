"""A client that only reads. It tries a token, a refresh token and a password in turn."""

import base64
import json

from coregio.registry_api import ContainerRegistry

from driver import digest, expect, operation

REGISTRY = "token"
LISTENER = "http"


def client(way):
    auths = {}
    if way.username:
        auths[way.url] = {"auth": base64.b64encode(f"{way.username}:{way.password}".encode()).decode()}
    return ContainerRegistry(way.url, docker_cfg=json.dumps({"auths": auths}))


@operation("ping")
def ping(way):
    expect(client(way).get_request("v2/").json(), {})


@operation("catalog")
def catalog(way):
    repositories = client(way).get_paginated_response("v2/_catalog", "repositories", page_size=1)
    expect(way.repository in repositories, True)


@operation("list tags")
def list_tags(way):
    expect(sorted(client(way).get_tags(way.repository, page_size=1)), ["3.12", "amd64", "docker"])


@operation("pull index")
def pull_index(way):
    index = client(way).get_manifest_raw(way.repository, "3.12", ["oci_index"])
    expect(digest(index.content), way.image["index"])


@operation("pull manifest")
def pull_manifest(way):
    manifest = client(way).get_manifest_raw(way.repository, "amd64")
    expect(digest(manifest.content), way.image["manifest"])


@operation("digest of a tag")
def digest_of_tag(way):
    expect(client(way).get_manifest_headers(way.repository, "amd64")["docker-content-digest"], way.image["manifest"])


@operation("list layers")
def list_layers(way):
    expect(client(way).get_layers(way.repository, "amd64"), [way.image["layer"]])
