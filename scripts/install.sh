#!/bin/sh
# Install the packages of uv.lock into .venv, and say in one line why that failed if it did.
set -u
cd "$(dirname "$0")/.." || exit 1

log=$(mktemp)
code=$(mktemp)
trap 'rm -f "$log" "$code"' EXIT

echo "Packages of uv.lock: installing into .venv"
# Progress is shown as it comes, without the two hundred packages that uv lists at the end. Its
# error is kept back until it is known whether one line says it better.
{
    scripts/uv sync --frozen --all-extras --compile-bytecode 2>&1
    echo $? >"$code"
} | tee "$log" | grep --line-buffered -vE '^ [+~-] |^error:|^  cause:|^hint:|^$'
status=$(cat "$code")
[ "$status" -eq 0 ] && exit 0

if grep -q '^error: uv .* could not be installed' "$log"; then
    grep '^error: uv ' "$log" >&2
elif grep -qi 'No space left' "$log"; then
    echo "error: the disk is full: free 5 GB where $(pwd) or uv's cache is, and run make setup again" >&2
elif grep -qiE 'dns error|error sending request|failed to (fetch|download)|connection|timed out|offline|network' "$log"; then
    echo "error: the packages could not be downloaded: connect this machine to a network and run make setup again; later runs need none" >&2
else
    grep -E '^error:|^  cause:|^hint:' "$log" >&2
    echo "error: the packages of uv.lock could not be installed, for the reason above" >&2
fi
exit "$status"
