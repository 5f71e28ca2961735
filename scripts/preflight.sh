#!/bin/sh
# What `make setup` needs before any Python package exists: Python, Java, disk. Plain sh, so that
# a machine that lacks them is told so in one line. `customer360 doctor` checks the rest later.
#
#   scripts/preflight.sh          check all; exit 1 and say what is missing and what to do
#   scripts/preflight.sh python   print the interpreter to use
#   scripts/preflight.sh uv MIN   print a uv on PATH of at least version MIN, or nothing
set -u

MINIMUM_PYTHON=3.11
MINIMUM_JAVA=17
# The packages take 2.3 GB, the demo 1 GB; a first install needs room for the downloads as well.
FIRST_INSTALL_MB=${CUSTOMER360_FIRST_INSTALL_MB:-5000}
LATER_MB=${CUSTOMER360_LATER_MB:-1000}

# at_least FOUND WANTED: compare the first two numbers of dotted versions.
at_least() {
    awk -v found="$1" -v wanted="$2" 'BEGIN {
        split(found, f, /[^0-9]+/); split(wanted, w, /[^0-9]+/)
        exit !(f[1] + 0 > w[1] + 0 || (f[1] + 0 == w[1] + 0 && f[2] + 0 >= w[2] + 0))
    }'
}

python_version() {
    "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null
}

# The first interpreter that will do. A name on PATH can be a shim of a version manager that
# answers nothing, so each one is run.
find_python() {
    seen=
    for name in ${PYTHON:-} python3 python3.12 python3.11 python; do
        version=$(python_version "$name") || continue
        [ -n "$version" ] || continue
        if at_least "$version" "$MINIMUM_PYTHON"; then
            "$name" -c 'import sys; print(sys.executable)'
            return 0
        fi
        seen=${seen:-$version}
    done
    if [ -n "$seen" ]; then
        echo "Python $MINIMUM_PYTHON or newer is needed, found $seen: install it, or name one by PYTHON=/path/to/python3 make setup" >&2
    else
        echo "Python $MINIMUM_PYTHON or newer is needed, found none on PATH: install it (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.12)" >&2
    fi
    return 1
}

check_venv_module() {
    # Debian ships python3 without the modules that make a virtual environment.
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return 0
    echo "$1 cannot make virtual environments: install its venv module (Debian, Ubuntu: apt-get install python3-venv)" >&2
    return 1
}

check_java() {
    remedy="install Java $MINIMUM_JAVA or newer (Debian, Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17), or set JAVA_HOME to one"
    if [ -n "${JAVA_HOME:-}" ]; then
        java=$JAVA_HOME/bin/java
        where="JAVA_HOME=$JAVA_HOME"
    else
        java=java
        where="PATH"
    fi
    if ! said=$("$java" -version 2>&1); then
        echo "Java $MINIMUM_JAVA or newer is needed, found none by $where: $remedy" >&2
        return 1
    fi
    # openjdk version "17.0.15" …; before Java 9 it was "1.8.0_402".
    version=$(printf '%s\n' "$said" | sed -n 's/.*version "\([^"]*\)".*/\1/p' | head -n 1)
    case $version in 1.*) version=${version#1.} ;; esac
    if ! at_least "$version" "$MINIMUM_JAVA"; then
        echo "Java $MINIMUM_JAVA or newer is needed, found ${version:-an unknown version} by $where: $remedy" >&2
        return 1
    fi
}

check_disk() {
    wanted=$FIRST_INSTALL_MB
    [ -e .venv/.synced ] && wanted=$LATER_MB
    free=$(df -Pm . | awk 'NR == 2 { print $4 }')
    if [ "${free:-0}" -lt "$wanted" ]; then
        echo "$wanted MB of free disk are needed in $(pwd), found ${free:-0} MB: free some, or clone to another disk" >&2
        return 1
    fi
}

case ${1:-check} in
python)
    find_python
    ;;
uv)
    version=$(uv --version 2>/dev/null | awk '{ print $2 }')
    if [ -n "$version" ] && at_least "$version" "$2"; then
        command -v uv
    fi
    ;;
check)
    status=0
    if [ -x .venv/bin/python ]; then
        .venv/bin/python -c '' 2>/dev/null || {
            echo ".venv is of a Python that is gone: remove it (rm -r .venv) and run make setup again" >&2
            status=1
        }
    elif python=$(find_python); then
        check_venv_module "$python" || status=1
    else
        status=1
    fi
    check_java || status=1
    check_disk || status=1
    exit $status
    ;;
*)
    echo "usage: scripts/preflight.sh [check | python | uv MINIMUM]" >&2
    exit 2
    ;;
esac
