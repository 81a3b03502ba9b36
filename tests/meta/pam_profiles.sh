#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The lines that Debian's own pam-auth-update makes of our profiles, beside those of others, in a folder of the test's own.
# Usage: pam_profiles.sh SOURCE
set -u
cd "$1" || exit 2
if ! [ -x /usr/sbin/pam-auth-update ]; then
    echo "no pam-auth-update on this machine"
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export LC_ALL=C DEBIAN_FRONTEND=noninteractive DEBCONF_SYSTEMRC="$folder/debconf.conf"
failures=0

# Debconf's memory is not the machine's: nothing there is changed or believed, and nobody has to be root.
cat >"$DEBCONF_SYSTEMRC" <<END
Config: config
Templates: templates

Name: config
Driver: File
Filename: $folder/config.dat

Name: templates
Driver: File
Filename: $folder/templates.dat
END

mkdir -p "$folder/etc/pam.d" "$folder/var/lib/pam" "$folder/usr/share/pam-configs"
cp conf/pam/sekimori conf/pam/sekimori-split /usr/share/pam-configs/unix "$folder/usr/share/pam-configs/"
# As of libpam-krb5, which comes before pam_unix.
cat >"$folder/usr/share/pam-configs/krb5" <<'END'
Name: Kerberos authentication
Default: yes
Priority: 704
Auth-Type: Primary
Auth:
	[success=end default=ignore]	pam_krb5.so minimum_uid=1000 try_first_pass
Auth-Initial:
	[success=end default=ignore]	pam_krb5.so minimum_uid=1000
END

/usr/sbin/pam-auth-update --root "$folder" --force --package --enable sekimori sekimori-split unix krb5 >"$folder/said" 2>&1 || {
    echo "FAIL: pam-auth-update: $(cat "$folder/said")"
    exit 1
}
# The code leaves the field before anybody sees the password, and is looked at when the password was right.
sed -n "s/^auth.*\t\(pam_[^#]*[^ ]\) *\$/\1/p" "$folder/etc/pam.d/common-auth" >"$folder/lines"
diff - "$folder/lines" <<'END' || { echo "FAIL: the order of the lines"; failures=1; }
pam_sekimori.so split
pam_krb5.so minimum_uid=1000 try_first_pass
pam_unix.so nullok try_first_pass
pam_deny.so
pam_permit.so
pam_sekimori.so
END
exit "$failures"
