#!/bin/sh
# Runs a command with those secrets of Prefect in its environment that come in files: Prefect itself reads none.
#
#   PREFECT_API_AUTH_STRING_FILE=/run/secrets/prefect-auth entrypoint.sh prefect worker start --pool onc-mirror
#
# What onc-mirror needs (ONC_TOKEN_FILE and its like) it reads from files itself.
set -eu
for name in PREFECT_API_AUTH_STRING PREFECT_SERVER_API_AUTH_STRING PREFECT_API_DATABASE_CONNECTION_URL \
    PREFECT_SERVER_ENCRYPTION_KEY PREFECT_SERVER_DOCKET_URL PREFECT_REDIS_MESSAGING_URL; do
    eval "file=\${${name}_FILE:-}"
    if [ -n "$file" ]; then
        # Without the ends of lines that an editor on Windows makes.
        value=$(tr -d '\r' < "$file")
        # An empty PREFECT_SERVER_API_AUTH_STRING is none: the server would let everybody in.
        if [ -z "$value" ]; then
            echo "entrypoint.sh: $file, of ${name}_FILE, is empty" >&2
            exit 2
        fi
        export "$name=$value"
        unset "${name}_FILE"
    fi
done
exec "$@"
