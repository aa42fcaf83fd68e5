#!/usr/bin/env bash
# The one entry point of Stitchlake: finds Python and Java, makes .venv on first use, hands on to lakehouse/commands/__main__.py.
# Runs on bash 3.2 (macOS) and later. Exit 2: something on this machine is missing, said in one line.
set -euo pipefail

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 2
}

# The folder of this script, also when it is called through a symbolic link.
script=$0
while [ -L "$script" ]; do
  link=$(readlink "$script")
  case $link in
    /*) script=$link ;;
    *) script=$(dirname "$script")/$link ;;
  esac
done
root=$(cd "$(dirname "$script")" && pwd -P)
venv=$root/.venv

find_python() { # prints the first Python that is new enough
  local candidate seen=''
  for candidate in "$venv/bin/python" python3.11 python3.12 python3.13 python3 python; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
    [ -n "$seen" ] || seen=$("$candidate" --version 2>&1 | head -n 1) || true
  done
  fail "Python: got ${seen:-none}, expected 3.11 or newer. Install it, for example: apt install python3.11 python3.11-venv, or brew install python@3.11"
}

java_major() { # 17 for "17.0.15", 8 for "1.8.0_402", nothing when it does not run
  "$1" -version 2>&1 | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9][0-9]*\).*/\2/p' | head -n 1
}

find_java() { # leaves JAVA_HOME or the path pointing at Java 17 or newer
  local major='' found='none'
  if [ -n "${JAVA_HOME:-}" ]; then
    major=$(java_major "$JAVA_HOME/bin/java" || true)
    [ "${major:-0}" -lt 17 ] || return 0
    found="Java ${major:-none} in JAVA_HOME"
  fi
  if command -v java >/dev/null 2>&1; then
    major=$(java_major java || true)
    if [ "${major:-0}" -ge 17 ]; then
      unset JAVA_HOME # it names an older one, and Spark would follow it
      return 0
    fi
    [ "$found" != none ] || [ -z "$major" ] || found="Java $major"
  fi
  fail "Java: got $found, expected 17 or newer. Install it, for example: apt install openjdk-17-jre-headless, or brew install openjdk@17, or set JAVA_HOME"
}

install() { # brings .venv up to a requirements file; the copy beside it says what is installed
  local file=$1 stamp
  stamp=$venv/.installed-$(printf '%s' "$file" | tr '/' '-')
  if ! cmp -s "$root/$file" "$stamp" || ! [ -x "$venv/bin/python" ]; then
    python=$(find_python)
    "$python" "$root/lakehouse/commands/preflight.py" "$file" || exit $?
  fi
}

case ${1:-help} in
  help | -h | --help)
    cat "$root/lakehouse/commands/usage.txt"
    exit 0
    ;;
  demo | test | up | schedule | streaming | whois | consent | identity | person | quarantine | catalogue | sql-server | rules | experiments | *.py | -*)
    find_java
    install requirements.txt
    ;;
  kafka)
    [ "${2:-}" != start ] || find_java
    install requirements.txt
    ;;
  down | key | serve | plan | sources | features | audiences | adopt | model | audit) install requirements.txt ;;
esac
case ${1:-} in
  test | tests/*) install tests/requirements.txt ;; # benchmarks measure against peers that only tests need
esac

python=$venv/bin/python
[ -x "$python" ] || python=$(find_python)
cd "$root" # relative paths, lake.root among them, mean the same wherever this is called from
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
export PYTHONSAFEPATH=1 # a job's own folder is no place to import from
unset PYTHONDONTWRITEBYTECODE # as containers set it: every process of ours would compile some thousand modules anew
# Arrays here are small, and Spark and streams are at work beside them: threads of BLAS would only wait for each other, eight times as long.
export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-1}
exec "$python" -m lakehouse.commands "$@"
