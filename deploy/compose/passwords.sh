#!/bin/sh
# Gives the roles of the history database their passwords, when its server starts for the first time.
set -eu
for role in migrator writer; do
    psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" \
        --set=role="annals_$role" --set=password="$(cat "/run/secrets/$role-password")" <<'SQL'
alter role :"role" password :'password';
SQL
done
