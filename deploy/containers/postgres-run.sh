#!/bin/sh
# As the image `postgres` does: as its own user, a new cluster with POSTGRES_PASSWORD and POSTGRES_DB, and the scripts of
# /docker-entrypoint-initdb.d run while it listens on its socket alone.
set -eu
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chown -R postgres /var/lib/postgresql
    chmod 700 "$PGDATA"
    exec setpriv --reuid postgres --regid postgres --clear-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD}"
    printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
    initdb -U postgres --pwfile /tmp/password --auth-local trust --auth-host scram-sha-256 -E UTF8 --locale C --no-instructions
    rm /tmp/password
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl -w -o "-c listen_addresses='' -c unix_socket_directories=/tmp" start
    export PGHOST=/tmp
    if [ "${POSTGRES_DB:-postgres}" != postgres ]; then
        psql -U postgres -d postgres -v ON_ERROR_STOP=1 -v name="$POSTGRES_DB" <<'SQL'
CREATE DATABASE :"name";
SQL
    fi
    for each in /docker-entrypoint-initdb.d/*.sh; do
        if [ -f "$each" ]; then sh "$each"; fi
    done
    pg_ctl -w -m fast stop
fi
exec "$@" -c listen_addresses='*' -c unix_socket_directories=/tmp
