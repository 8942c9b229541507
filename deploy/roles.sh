#!/bin/sh
# Run once by the postgres image, on empty data: for each service an owner of the schema of its name, which migrates it, and the
# service's own role, to which the migration grants what it needs.
set -eu
for role in journey promises recovery workbench; do
    variable="$(echo "$role" | tr '[:lower:]' '[:upper:]')"
    psql --quiet -v ON_ERROR_STOP=1 -v role="$role" -v owner="${role}_owner" -v password="$(printenv "${variable}_PASSWORD")" \
        -v owners="$(printenv "${variable}_OWNER_PASSWORD")" -U postgres -d makegood <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
ALTER ROLE :"role" SET search_path = :"role";
CREATE ROLE :"owner" LOGIN PASSWORD :'owners';
ALTER ROLE :"owner" SET search_path = :"role";
CREATE SCHEMA :"role" AUTHORIZATION :"owner";
SQL
done
