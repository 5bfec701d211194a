# The image of regpass: one static binary and its configuration. Builds without BuildKit and buildx.
#
#   docker build --tag regpass .
#   docker run --rm -p 127.0.0.1:5050:5050 regpass
#   docker run --rm -p 127.0.0.1:5050:5050 --read-only --cap-drop ALL --security-opt no-new-privileges --tmpfs /tmp regpass
#
# All downloads can come from mirrors; no Debian packages are installed in addition to those of the builder image:
#   --build-arg BUILDER=mirror.example/library/rust:1.95-slim-bookworm      an image with cargo, cc and the static libc
#   --build-arg CARGO_REGISTRY=sparse+https://mirror.example/crates/        replaces crates.io
#   --build-arg EXTRA_CA="$(cat corporate-ca.pem)"                          more certificate authorities to trust, for downloads and HTTPS_PROXY
#   --build-arg HTTPS_PROXY=http://proxy.example:3128                       a predefined build argument of docker
#
# Built and tested on amd64. `--platform linux/arm64` should build on an arm64 machine or by emulation, but is untested.

ARG BUILDER=docker.io/library/rust:1.95-slim-bookworm
FROM ${BUILDER} AS build
WORKDIR /build
# Static, including the C library. The builds below name a target, because without one these flags also apply to
# procedural macros, which cannot be static.
ENV RUSTFLAGS="-C target-feature=+crt-static" CARGO_TERM_COLOR=never

ARG EXTRA_CA
ARG CARGO_REGISTRY
RUN set -eu; \
    home=${CARGO_HOME:-$HOME/.cargo}; mkdir -p "$home"; \
    if [ -n "${EXTRA_CA:-}" ]; then printf '%s\n' "$EXTRA_CA" >>/etc/ssl/certs/ca-certificates.crt; fi; \
    if [ -n "${CARGO_REGISTRY:-}" ]; then \
        printf '[source.crates-io]\nreplace-with = "mirror"\n[source.mirror]\nregistry = "%s"\n' "$CARGO_REGISTRY" \
            >>"$home/config.toml"; \
    fi

# The dependencies have a layer of their own, because they take most of the build time and change rarely.
COPY Cargo.toml Cargo.lock ./
RUN set -eu; \
    mkdir src; echo 'fn main() {}' >src/main.rs; : >src/lib.rs; \
    cargo build --locked --release --target "$(rustc -vV | sed -n 's/^host: //p')"; \
    rm -r src

# `touch`, because cargo does not rebuild files that are older than the build above.
COPY src src
RUN set -eu; \
    find src -name '*.rs' -exec touch {} +; \
    target=$(rustc -vV | sed -n 's/^host: //p'); \
    cargo build --locked --release --target "$target"; \
    install -D -m 0755 "target/$target/release/regpass" /image/regpass; \
    # For upload bodies; a read-only container mounts a tmpfs here.
    install -d -m 1777 /image/tmp; \
    # The image has no dynamic loader, so the binary must be static.
    if ldd /image/regpass | grep -F '=>'; then echo 'the binary is not static' >&2; exit 1; fi
COPY config/container.toml /image/etc/regpass/config.toml

FROM scratch
ARG VERSION=0.1.0
ARG REVISION
LABEL org.opencontainers.image.title="regpass" \
    org.opencontainers.image.description="A local authenticating reverse proxy for OCI registries: plain clients, no credentials, no token dance" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image/ /
USER 65532:65532
EXPOSE 5050 5051
# Exec form, because the image has no shell.
HEALTHCHECK --interval=10s --timeout=3s --start-period=2s CMD ["/regpass", "health"]
ENTRYPOINT ["/regpass"]
CMD ["serve"]
