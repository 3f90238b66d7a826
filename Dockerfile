# syntax=docker/dockerfile:1
# Both bases are pinned to their multi-architecture indexes. To move on:
#   docker buildx imagetools inspect gcr.io/distroless/nodejs24-debian13:nonroot
#   docker buildx imagetools inspect node:24-slim
ARG BUILD_IMAGE=node:24-slim@sha256:a9f5f7c91a432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df
ARG BASE_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot@sha256:9eeb7f5887d0e239e78264b06f7f11d2e14be534050481803a9e4728fcdd278e

# On the machine's own architecture, whatever is built for: nothing in the package is native.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /source
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN --mount=type=cache,target=/root/.npm node hack/stage-image.ts /app

# Node.js and its libraries: no shell, no package manager.
FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Kilonova" \
      org.opencontainers.image.description="OpenStack Nova's semantics as a Kubernetes operator for KubeVirt virtual machines" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production
# Owned by root and written by nobody: it runs with a read-only root file system, and logs to standard error.
COPY --from=build /app /app
WORKDIR /app
# By number, for Kubernetes' runAsNonRoot.
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=4", "/app/dist/main.js"]
