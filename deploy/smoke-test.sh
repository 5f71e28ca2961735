#!/bin/sh
# Whether an image works: a run in a container, then the compose file with the way through the
# proxy. Wants a Docker engine; leaves no container and no volume.
#
#   deploy/smoke-test.sh customer360:local
set -eu
cd "$(dirname "$0")"

CUSTOMER360_IMAGE=$1
scratch=$(mktemp -d)
# Of a project and folder of its own, and of a port that is free: what runs here already, and how it
# is set, is not touched.
cp -R Caddyfile postgres "$scratch"
sed 's/ports: \["80:80", "443:443"\]/ports: ["127.0.0.1::443"]/' compose.yaml >"$scratch/compose.yaml"
compose() {
    docker compose --file "$scratch/compose.yaml" --env-file "$scratch/env" \
        --project-name customer360-smoke "$@"
}
clean_up() {
    status=$?
    [ "$status" -eq 0 ] || compose logs --tail 50 || true
    compose down --volumes --timeout 20 || true
    docker volume rm --force customer360-smoke-run >/dev/null || true
    rm -rf "$scratch"
    exit "$status"
}
trap clean_up EXIT

password=$(openssl rand -hex 16)
caddy=$(sed -n 's/^ *image: \(caddy:.*\)/\1/p' compose.yaml)
hash=$(docker run --rm "$caddy" caddy hash-password --plaintext "$password")
sed -e "s/^\([A-Z_]*PASSWORD\|CUSTOMER_KEY_SECRET\)=$/\1=$(openssl rand -hex 24)/" \
    -e "s|^\([A-Z_]*_HASH\)=.*|\1='$hash'|" \
    -e "s|^CUSTOMER360_IMAGE=.*|CUSTOMER360_IMAGE=$CUSTOMER360_IMAGE|" .env.example >"$scratch/env"

echo "A run in a container, that is not root"
[ "$(docker run --rm "$CUSTOMER360_IMAGE" id -u)" -ne 0 ]
# What Spark needs for tables in a store is in the image: nobody could fetch it there.
docker run --rm --network none "$CUSTOMER360_IMAGE" python -m customer360.lakehouse.jars s3a
in_home() {
    docker run --rm --volume customer360-smoke-run:/data "$CUSTOMER360_IMAGE" customer360 "$@"
}
in_home generate --customers 200 --from 2025-01-01 --to 2025-02-28
in_home run --source synthetic --steps etl
in_home reconcile

echo "The services, through the proxy"
compose up --detach
proxy=$(compose port proxy 443)
ask() { # SITE PATH [OPTION...]
    site=$1 path=$2
    shift 2
    curl --silent --insecure --output /dev/null --write-out '%{http_code}' \
        --connect-to "$site:443:$proxy" "$@" "https://$site$path" || true
}
answers() { # SITE PATH USER
    for _ in $(seq 60); do
        [ "$(ask "$1" "$2" --user "$3:$password")" = 200 ] && break
        sleep 3
    done
    [ "$(ask "$1" "$2" --user "$3:$password")" = 200 ]
    [ "$(ask "$1" "$2")" = 401 ]
    echo "$1 answers who is known, and nobody else"
}
answers customers.localhost /_stcore/health marketing
answers dagster.localhost /server_info engineer
answers mlflow.localhost /health engineer
