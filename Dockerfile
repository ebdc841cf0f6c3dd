# One image for all roles; the command says which. NODE_IMAGE is any image with Node 24 and npm: `npm start` sets it in .env.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# npm's configuration and the machine's certificates are mounted for this step only and never become part of the image.
RUN --mount=type=secret,id=npmrc \
    --mount=type=secret,id=ca \
    --mount=type=cache,target=/var/cache/npm \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    npm ci --omit=dev --ignore-scripts --no-audit --no-fund --no-update-notifier \
      --cache=/var/cache/npm --userconfig=/run/secrets/npmrc

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY services ./services
RUN mkdir .compile-cache && chown 1000:1000 .compile-cache
# By number: it is the user `node` of the official image, and needs no entry in /etc/passwd.
USER 1000:1000
# Each role and health check runs once, so that Node keeps what it has compiled: a container then starts in half the time.
# The cache is per user, and a role without it only starts more slowly, so nothing here may break the build.
ENV NODE_COMPILE_CACHE=/app/.compile-cache
RUN timeout -k 10 3 node services/proxy/main.ts >/dev/null 2>&1 & \
    SERVER_POLICY=1 timeout -k 10 3 node services/server/main.ts >/dev/null 2>&1 & \
    sleep 1.5; \
    node services/client/main.ts client_packet_1.json >/dev/null 2>&1; \
    node services/shared/healthcheck.ts http 10081; \
    node services/shared/healthcheck.ts server 9000; \
    wait; true
CMD ["node", "services/proxy/main.ts"]
