# syntax=docker/dockerfile:1
# The server as one program, alone with its database: see "Deploying" in the README.

FROM oven/bun:1.4.5-debian AS build
WORKDIR /build
COPY package.json bun.lock bunfig.toml tsconfig.json ./
COPY core/package.json core/
COPY desktop/package.json desktop/
COPY server/package.json server/
COPY test/package.json test/
RUN bun install --frozen-lockfile --production --filter @porchlight/server --filter @porchlight/desktop
COPY core core
COPY desktop desktop
COPY server server
COPY build build
RUN bun desktop/page.ts && bun build/server.ts dist

FROM debian:12-slim
RUN useradd --system --user-group --uid 10001 --no-create-home --shell /usr/sbin/nologin porchlight \
  && install -d -o porchlight -g porchlight /data
COPY --from=build /build/dist/porchlight /usr/local/bin/porchlight
USER 10001:10001
WORKDIR /data
VOLUME /data
ENV PORCHLIGHT_HOST=0.0.0.0 \
    PORCHLIGHT_PORT=8787 \
    PORCHLIGHT_DATABASE_URL=sqlite:/data/porchlight.db
EXPOSE 8787
STOPSIGNAL SIGTERM
# The program is Bun, too: with BUN_BE_BUN it runs what it is given.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["env", "BUN_BE_BUN=1", "porchlight", "-e", "process.exit((await fetch(`http://127.0.0.1:${process.env.PORCHLIGHT_PORT}/healthz`)).ok ? 0 : 1)"]
ENTRYPOINT ["porchlight"]
CMD ["serve"]
