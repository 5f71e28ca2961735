#!/bin/sh
# A database for each who keeps something, and the two roles. PostgreSQL's image runs this once,
# when its volume is empty; on a server of your own run it with the same variables.
set -eu

psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set owner_password="$DATABASE_PASSWORD" --set reader_password="$READER_PASSWORD" <<'SQL'
CREATE ROLE customer360 LOGIN PASSWORD :'owner_password';
CREATE ROLE customer360_reader LOGIN PASSWORD :'reader_password';
CREATE DATABASE dagster OWNER customer360;
CREATE DATABASE mlflow OWNER customer360;
CREATE DATABASE warehouse OWNER customer360;
REVOKE CONNECT ON DATABASE dagster, mlflow, warehouse FROM PUBLIC;
GRANT CONNECT ON DATABASE warehouse TO customer360_reader;
SQL
