#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who may include whom (ARCHITECTURE.md): each external library in one file, L1 pure, the command without the daemon.
# usage: layering.sh SOURCE_DIR
set -eu
cd "$1"
status=0

fail() {
    echo "layering: $1" >&2
    status=1
}

# An external header belongs to exactly the files named.
only_in() {
    header=$1
    shift
    for file in $(grep -rlE "^#include <$header>" lib agent pam_module collector include 2>/dev/null || true); do
        case " $* " in
            *" $file "*) ;;
            *) fail "$file includes <$header>, which belongs to: $*" ;;
        esac
    done
    for file in "$@"; do
        grep -qE "^#include <$header>" "$file" 2>/dev/null || fail "$file no longer includes <$header>: mend this rule"
    done
}
only_in 'libudev\.h' agent/daemon/udev_source.c
only_in 'libconfig\.h' lib/config_tree.c
only_in 'gnutls/.*\.h' agent/forward/tls.c
only_in 'sodium.*\.h' agent/daemon/sysfs_ops.c agent/daemon/main.c lib/chain.c lib/config_version.c lib/verify_key.c \
    collector/witness/primitives.c pam_module/authd/hmac.c pam_module/authd/recovery.c pam_module/authd/seal.c
only_in 'nettle/.*\.h' pam_module/authd/hmac_sha1.c
only_in 'jansson\.h' agent/cli/record_view.c agent/cli/mfa_person.c collector/witness/verdict.c \
    collector/output/bulk_answer.c
only_in 'librdkafka/.*\.h' collector/output/kafka.c
only_in 'curl/.*\.h' collector/output/opensearch.c
only_in 'qrencode\.h' agent/cli/qr.c
only_in 'libnotify/.*\.h' agent/notify/desktop.c
only_in 'g(lib|io|object)[^>]*\.h' agent/notify/subscription.c agent/notify/main.c

# libpam is known to the module alone; its parts share its types.
for file in $(grep -rlE '^#include <security/' lib agent pam_module/authd include 2>/dev/null || true); do
    fail "$file includes libpam, which belongs to pam_module/module"
done

# The module runs inside login: libc, libpam and what skm_auth keeps (lib/CMakeLists.txt) are all it may take.
for file in pam_module/module/*.[ch] lib/auth_packet.c lib/auth_client.c lib/auth_text.c; do
    for header in $(sed -n 's/^#include "\(sekimori\/[^"]*\)"/\1/p' "$file"); do
        case $header in
            sekimori/auth.h | sekimori/auth_text.h | sekimori/language.h | sekimori/result.h | sekimori/io.h) ;;
            *) fail "$file includes $header, which is not for the module" ;;
        esac
    done
done

# L1: pure. No file, clock, process, socket or log header.
pure='agent/daemon/refusal.c agent/notify/bubble_text.c agent/notify/bubble_limit.c
agent/forward/relp.c agent/forward/message.c agent/forward/position.c agent/forward/backoff.c agent/forward/certificate.c
agent/daemon/flood.c agent/daemon/usb_descriptor.c agent/daemon/policy.c agent/daemon/policy_index.c lib/json.c lib/record.c lib/control.c
lib/chain.c lib/verify.c lib/verify_chain.c lib/verify_clock.c lib/verify_line.c lib/verify_state.c lib/verify_text.c lib/device.c
lib/decision.c lib/rule.c lib/event.c lib/auth_packet.c lib/otp.c lib/config_mfa.c lib/terminal_name.c
pam_module/authd/answer.c pam_module/authd/otp_code.c pam_module/authd/person.c pam_module/authd/throttle.c
pam_module/authd/verify.c pam_module/authd/verify_diagnose.c
collector/store/wire.c collector/store/record_facts.c collector/store/ledger.c collector/store/gap_list.c collector/store/aside.c
collector/witness/tree.c collector/witness/entry.c collector/witness/book.c

collector/output/output_settings.c collector/output/bulk.c collector/output/bulk_answer.c'
for file in $pure; do
    if [ ! -e "$file" ]; then
        fail "$file is gone: mend this rule"
        continue
    fi
    if grep -nE '^#include <(fcntl|unistd|time|stdio_ext|sys/(stat|socket|wait|epoll|time)|dirent|syslog)\.h>|^#include "(log|loop|agent|worker)\.h"' "$file"; then
        fail "$file is pure logic and must not do input or output"
    fi
done

# The command and lib/ know nothing of the daemons, and the daemons and the collector know nothing of each other.
for file in lib/*.[ch] agent/cli/*.[ch] agent/daemon/*.[ch] agent/forward/*.[ch] agent/notify/*.[ch] pam_module/*/*.[ch] collector/*/*.[ch] include/sekimori/*.h; do
    for header in $(sed -n 's/^#include "\([^"]*\)"/\1/p' "$file"); do
        case $header in
            sekimori/*) ;;
            *) [ -e "$(dirname "$file")/$header" ] || fail "$file includes \"$header\", which is not at its level" ;;
        esac
    done
done

# Only the composition roots know all modules.
for file in pam_module/authd/*.c; do
    case $file in
        */service.c | */service_files.c | */service_records.c | */main.c | */key_commands.c | */machine_id.c) ;;
        *) if grep -qE '^#include "(service|service_internal|key_commands)\.h"' "$file"; then fail "$file looks upward to service.h"; fi ;;
    esac
done
for file in agent/daemon/*.c; do
    case $file in
        agent/daemon/agent.c | agent/daemon/main.c) ;;
        *) if grep -qE '^#include "agent\.h"' "$file"; then fail "$file looks upward to agent.h"; fi ;;
    esac
done
for file in collector/store/*.c; do
    case $file in
        */collector.c | */main.c) ;;
        *) if grep -qE '^#include "collector\.h"' "$file"; then fail "$file looks upward to collector.h"; fi ;;
    esac
done
exit $status
