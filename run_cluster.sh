#!/usr/bin/env bash
# Start three trikv nodes on this machine:  ./run_cluster.sh [PORT] [MAX_VOLUME] [TIMEOUT]
#   PORT        the first node's client port (8080); the others take the next two
#   MAX_VOLUME  memory cap, such as 256mb     TIMEOUT  idle seconds of a typed connection (300, 0: never)
# TRIKV_DATA=DIR moves the data, TRIKV_LOAD=FILE fills an empty cluster from a backup or dump,
# TRIKV_REQUIREPASS_FILE=FILE has the clients' password; more with --help.
# Ctrl-C stops all three. 'trikv cluster' does the work; this only finds Python and makes .venv.

case ${BASH_SOURCE:-} in
"$0") ;;
*)  # Sourced, or another shell's: run in a child, so that nothing here can end the shell that asked.
    case ${BASH_SOURCE:-} in
    ?*) bash -- "$BASH_SOURCE" "$@" ;;
    *)
        case ${ZSH_EVAL_CONTEXT:-}:${0##*/} in
        *file*:*) bash -- "$0" "$@" ;; # sourced by zsh, which names the file in $0
        *:sh | *:-sh | *:*[adkz]sh) bash ./run_cluster.sh "$@" ;; # sourced by one that does not tell from where
        *) exec bash -- "$0" "$@" ;; # 'sh run_cluster.sh', whatever its name: no shell of a person's
        esac
        ;;
    esac
    return $? 2>/dev/null || exit $? ;;
esac

set -eu
called_from=$PWD
unset CDPATH # with it 'cd' may go elsewhere, and prints where to
for name in TRIKV_DATA TRIKV_LOAD TRIKV_REQUIREPASS_FILE; do # relative to where the person is, not to the project
    case ${!name:-/} in /*) ;; *) export "$name=$PWD/${!name}" ;; esac
done
self=$(readlink -f -- "$0") # it may be a link, as from ~/bin
cd -P -- "${self%/*}"
tools/venv.sh
# By the environment's own path: .venv may lead to another one before this cluster ends.
exec "$(readlink -f .venv)/bin/python" -m trikv cluster --called-from "$called_from" "$@"
