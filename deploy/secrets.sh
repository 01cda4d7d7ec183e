#!/bin/sh
# Make the passwords that compose.yaml hands to its services as files; what is there already stays.
set -eu
umask 077
folder="$(dirname "$0")/secrets"
mkdir -p "$folder"

random() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

for name in postgres_password valkey_password grafana_password; do
    [ -e "$folder/$name" ] || random > "$folder/$name"
done
[ -e "$folder/metrics_key" ] || : > "$folder/metrics_key"
[ -e "$folder/database_url" ] ||
    printf 'postgresql://birthdays:%s@postgres:5432/birthdays' "$(cat "$folder/postgres_password")" \
        > "$folder/database_url"

# In their containers the services are not the owner of the files. On this machine the folder keeps others out.
chmod 0444 "$folder/postgres_password" "$folder/valkey_password" "$folder/grafana_password" "$folder/database_url"
chmod 0644 "$folder/metrics_key"
chmod 0700 "$folder"
