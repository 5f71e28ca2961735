#!/bin/sh
# A database for each who keeps something, and the two roles. PostgreSQL's image runs this once,
# when its volume is empty; on a server of your own run it with the same variables, PGHOST and, where
# it asks, PGPASSWORD, by a psql of release 14 or newer.
set -eu
: "${DATABASE_PASSWORD:?}" "${READER_PASSWORD:?}"

# psql takes the passwords from the environment: its options are in the list of processes.
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" \
    --dbname postgres <<'SQL'
\getenv owner_password DATABASE_PASSWORD
\getenv reader_password READER_PASSWORD
CREATE ROLE customer360 LOGIN PASSWORD :'owner_password';
CREATE ROLE customer360_reader LOGIN PASSWORD :'reader_password';
CREATE DATABASE dagster OWNER customer360;
CREATE DATABASE mlflow OWNER customer360;
CREATE DATABASE warehouse OWNER customer360;
REVOKE CONNECT ON DATABASE dagster, mlflow, warehouse FROM PUBLIC;
GRANT CONNECT ON DATABASE warehouse TO customer360_reader;
SQL
