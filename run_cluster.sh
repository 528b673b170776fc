#!/usr/bin/env bash
# Start three trikv nodes on this machine:  ./run_cluster.sh [PORT] [MAX_VOLUME] [TIMEOUT]
#   PORT        the first node's client port (8080); the others take the next two
#   MAX_VOLUME  memory cap, such as 256mb     TIMEOUT  idle seconds of a typed connection (300, 0: never)
# TRIKV_DATA=DIR moves the data, TRIKV_LOAD=FILE fills an empty cluster from a backup or dump.
# Ctrl-C stops all three. 'trikv cluster' does the work; this only finds Python and makes .venv.

case ${BASH_SOURCE:-} in
"$0") ;;
*)  # Sourced, or another shell's: run in a child, so that nothing here can end the shell that asked.
    case ${BASH_SOURCE:-$0} in
    *run_cluster.sh) bash "${BASH_SOURCE:-$0}" "$@" ;;
    *) bash ./run_cluster.sh "$@" ;;
    esac
    return $? 2>/dev/null || exit $? ;;
esac

set -eu
for name in TRIKV_DATA TRIKV_LOAD TRIKV_REQUIREPASS_FILE; do # relative to where the person is, not to the project
    case ${!name:-/} in /*) ;; *) export "$name=$PWD/${!name}" ;; esac
done
cd "$(dirname "$0")"
tools/venv.sh
exec .venv/bin/trikv cluster "$@"
