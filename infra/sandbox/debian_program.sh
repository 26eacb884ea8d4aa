# Sourced by the scripts of programs that are installed and found, and no more than that:
#
#   debian_program TITLE PACKAGE FOLDER PROGRAMS COMMAND
#
# COMMAND is `install`: install Debian's PACKAGE unless all of PROGRAMS are there; or `find`: say where the first of
# them is. They are looked for in FOLDER, when that is not empty, before the PATH, and are all in one folder.
#
# Exit codes: 0 done, 2 usage, 3 not installed.
# shellcheck shell=bash

debian_program() {
    local title=$1 package=$2 folder=$3 programs=$4 command=${5:-} found
    case $command in
    install) find_programs "$folder" "$programs" >/dev/null ||
        "$(dirname "$(realpath "$0")")/debian_packages.sh" "$package" ;;
    find)
        if ! found=$(find_programs "$folder" "$programs"); then
            echo "$(basename "$0"): $title is not installed; run: $0 install" >&2
            exit 3
        fi
        echo "$found"
        ;;
    *)
        echo "usage: $(basename "$0") install | find" >&2
        exit 2
        ;;
    esac
}

find_programs() { # FOLDER PROGRAMS: where the first is
    local first program
    # Debian keeps servers where only root's PATH leads.
    first=$(PATH="${1:+$1:}$PATH:/usr/sbin" command -v "${2%% *}") || return
    for program in $2; do
        [ -x "$(dirname "$first")/$program" ] || return
    done
    echo "$first"
}
