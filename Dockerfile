# The image of regpass: one static binary and its configuration, nothing else. Needs neither BuildKit nor buildx.
#
#   docker build --tag regpass .
#   docker run --rm -p 127.0.0.1:5050:5050 regpass
#   docker run --rm -p 127.0.0.1:5050:5050 --read-only --cap-drop ALL --security-opt no-new-privileges --tmpfs /tmp regpass
#
# Behind mirrors, everything that is fetched can be fetched elsewhere; no Debian package is needed beside the builder's:
#   --build-arg BUILDER=mirror.example/library/rust:1.95-slim-bookworm      an image with cargo, cc and libc's static part
#   --build-arg CARGO_REGISTRY=sparse+https://mirror.example/crates/        in place of crates.io
#   --build-arg EXTRA_CA="$(cat corporate-ca.pem)"                          further roots for both the above and HTTPS_PROXY
#   --build-arg HTTPS_PROXY=http://proxy.example:3128                       docker knows these by itself
#
# amd64 is built and tested. `--platform linux/arm64` builds from the same lines (on such a machine or by emulation), but
# nobody has done it yet.

ARG BUILDER=docker.io/library/rust:1.95-slim-bookworm
FROM ${BUILDER} AS build
WORKDIR /build
# Static, C library included: the target has to be named, or else macros would be built that way as well, which fails.
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

# The dependencies take most of the time and change rarely: they are a layer of their own.
COPY Cargo.toml Cargo.lock ./
RUN set -eu; \
    mkdir src; echo 'fn main() {}' >src/main.rs; : >src/lib.rs; \
    cargo build --locked --release --target "$(rustc -vV | sed -n 's/^host: //p')"; \
    rm -r src

# Files that are older than the build above would pass for built.
COPY src src
RUN set -eu; \
    find src -name '*.rs' -exec touch {} +; \
    target=$(rustc -vV | sed -n 's/^host: //p'); \
    cargo build --locked --release --target "$target"; \
    install -D -m 0755 "target/$target/release/regpass" /image/regpass; \
    # A temporary directory, for spools: a read-only container mounts its own there.
    install -d -m 1777 /image/tmp; \
    # An image without a loader runs no other binary.
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
# Exec form: there is no shell in here.
HEALTHCHECK --interval=10s --timeout=3s --start-period=2s CMD ["/regpass", "health"]
ENTRYPOINT ["/regpass"]
CMD ["serve"]
