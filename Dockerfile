# feedmill alone in an image: a static binary and an empty state. README has the commands.
#
#   docker build -t feedmill .                 (podman build --format docker: HEALTHCHECK is none of OCI)
#   docker buildx build --platform linux/amd64,linux/arm64 -t feedmill .

FROM docker.io/library/rust:1-bookworm AS build
WORKDIR /build
COPY . .
# The C library inside the binary, which looks up names (for hubs) without files of the machine since glibc 2.34.
# The allocator takes pages of up to this size; arm64 systems have them of up to 64 KiB, whatever the builder has.
RUN if [ "$(uname -m)" = aarch64 ]; then export JEMALLOC_SYS_WITH_LG_PAGE=16; fi \
 && RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --profile dist --bin feedmill \
      --target "$(rustc -vV | sed -n 's/^host: //p')" \
 && mkdir -p /image/inbox /image/state \
 && cp target/*/dist/feedmill /image/feedmill

FROM scratch
LABEL org.opencontainers.image.title="feedmill" \
      org.opencontainers.image.description="Drop article files in a folder; get RSS, Atom and JSON feeds" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build --chown=65532:65532 /image/ /
USER 65532:65532
ENV FEEDMILL_INBOX=/inbox FEEDMILL_STATE=/state FEEDMILL_LISTEN=0.0.0.0:8080
# Keeps memory together; feedmill would start itself once more with these.
ENV _RJEM_MALLOC_CONF=narenas:1,dirty_decay_ms:5,muzzy_decay_ms:0 \
    MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=1048576
VOLUME ["/state"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=5m CMD ["/feedmill", "healthcheck"]
ENTRYPOINT ["/feedmill"]
CMD ["serve"]
