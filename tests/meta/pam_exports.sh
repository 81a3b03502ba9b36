#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the module brings into a login process: its two functions, libc and libpam, and nothing that can be written.
# Built here as it is shipped, since the tests' own build carries the sanitizers.
# usage: pam_exports.sh SOURCE_DIR BINARY_DIR
set -eu
source_dir=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
status=0

fail() {
    echo "pam_exports: $1" >&2
    status=1
}

cmake -S "$source_dir" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSKM_TESTS=OFF >"$folder/log" 2>&1 &&
    cmake --build "$folder" --target pam_sekimori -j 2 >>"$folder/log" 2>&1 || {
    cat "$folder/log" >&2
    exit 1
}
module=$folder/pam_module/pam_sekimori.so

exports=$(nm -D --defined-only "$module" | awk '{ print $3 }' | sort | tr '\n' ' ')
[ "$exports" = "pam_sm_authenticate pam_sm_setcred " ] || fail "exports: $exports"

needed=$(readelf -d "$module" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
for library in $needed; do
    case $library in
        libc.so.* | libpam.so.* | ld-linux*.so.*) ;;
        *) fail "needs $library" ;;
    esac
done
case $needed in
    *libpam.so.*) ;;
    *) fail "does not name libpam, which gives it its symbols" ;;
esac

# Process-wide things that a module must leave alone; the environment is the caller's even where we are root.
for symbol in $(nm -D --undefined-only "$module" | awk '{ print $2 }' | sed 's/@.*//'); do
    case $symbol in
        getenv | setlocale | signal | sigaction | fork | vfork | posix_spawn* | exec* | exit | _exit | abort | openlog | closelog | \
            umask | chdir | pthread_create | setuid | seteuid | setresuid | setenv | putenv | malloc_trim | sleep | usleep | alarm | \
            dlopen | pam_get_authtok | __assert_fail)
            fail "calls $symbol"
            ;;
    esac
done

flags=$(readelf -d "$module")
case $flags in *NODELETE*) ;; *) fail "can be unloaded (no NODELETE)" ;; esac
case $flags in *BIND_NOW* | *"Flags: NOW"*) ;; *) fail "binds late (no BIND_NOW)" ;; esac
readelf -lW "$module" | grep -q 'GNU_RELRO' || fail "has no RELRO segment"
readelf -lW "$module" | awk '$1 == "GNU_STACK" && $7 ~ /E/ { bad = 1 } END { exit bad }' || fail "has an executable stack"
if readelf -d "$module" | grep -q TEXTREL; then fail "has text relocations"; fi

# No object in .data or .bss but the compiler's own; what is relocated once (.data.rel.ro) is read-only after that.
objects=$(nm "$module" | awk '$2 ~ /^[bBdDgGsSC]$/ { print $3 }' |
    grep -vE '^(__dso_handle|completed\.[0-9]+|_edata|_end|__bss_start|__TMC_END__|_DYNAMIC|_GLOBAL_OFFSET_TABLE_|__(frame_dummy_init|do_global_dtors_aux_fini)_array_entry)$' || true)
for object in $objects; do
    section=$(readelf -sW "$module" | awk -v name="$object" '$8 == name { print $7; exit }')
    name=$(readelf -SW "$module" | sed -n "s/^ *\[ *$section\] \([^ ]*\).*/\1/p")
    [ "$name" = .data.rel.ro ] || fail "holds a writable object: $object in $name"
done
exit $status
