#!/bin/sh
# Makes the secrets of compose.yaml in the folder secrets/ beside it; those that are there stay.
# make-secrets.sh SOURCE-URL, e.g. make-secrets.sh postgres://annals_source:PASSWORD@HOST/identityiq
set -eu
[ $# -eq 1 ] || { echo "usage: $0 SOURCE-URL" >&2; exit 2; }
cd "$(dirname "$0")"
# The users in the containers must read the files, and nobody else come near them.
mkdir -p secrets
chmod 0700 secrets
umask 022
secret() { [ -s "secrets/$1" ] || printf '%s\n' "$2" > "secrets/$1"; }
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

secret source-url "$1"
secret secret-hash-key "$(random)"
# For ../nats alone; NATS takes what begins with a digit for a number.
secret nats-password "n$(random)"
secret postgres-password "$(random)"
for role in migrator writer; do
    secret "$role-password" "$(random)"
    secret "$role-url" "postgres://annals_$role:$(cat "secrets/$role-password")@history/annals"
done
