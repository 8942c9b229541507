#!/bin/sh
# Run once by the postgres image, on empty data: each service's role, owning the schema of its name.
set -eu
for role in journey promises recovery workbench; do
    variable="$(echo "$role" | tr '[:lower:]' '[:upper:]')_PASSWORD"
    password="$(printenv "$variable")"
    psql --quiet -v ON_ERROR_STOP=1 -v role="$role" -v password="$password" -U postgres -d makegood <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
ALTER ROLE :"role" SET search_path = :"role";
CREATE SCHEMA :"role" AUTHORIZATION :"role";
SQL
done
