#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `sekimori mfa` as people and scripts meet it, with the built verification service behind it and oathtool as the app.
# Usage: mfa_cli.sh SOURCE BINARY
set -u
command="$2/agent/sekimori"
folder=$(mktemp -d)
trap 'kill "${server:-}" "${enrolment:-}" 2>/dev/null; rm -rf "$folder"' EXIT
export LC_ALL=C TZ=Asia/Tokyo
unset SEKIMORI_LANG LANG LC_MESSAGES LISTEN_PID LISTEN_FDS CREDENTIALS_DIRECTORY NOTIFY_SOCKET
failures=0
me=$(id -un)

fail()
{
    echo "FAIL: $1"
    failures=$((failures + 1))
}

# expect EXIT NAME ARGUMENTS…: what is typed is $typed; stdout and stderr are left in $folder/out and $folder/err.
typed=
expect()
{
    wanted=$1
    name=$2
    shift 2
    printf '%s' "$typed" | "$command" "$@" >"$folder/out" 2>"$folder/err"
    code=$?
    [ "$code" = "$wanted" ] || fail "$name: exit $code, not $wanted: $(cat "$folder/err")"
}

prints()
{
    grep -qF -- "$2" "$folder/out" || fail "$1: \"$2\" is not in: $(cat "$folder/out")"
}

says()
{
    grep -qF -- "$2" "$folder/err" || fail "$1: \"$2\" is not on stderr: $(cat "$folder/err")"
}

is_json()
{
    python3 -m json.tool "$folder/out" >/dev/null || fail "$1 is no JSON: $(cat "$folder/out")"
}

# ---- usage ----
for language in ja en; do
    expect 0 "help" --lang $language mfa --help
    for verb in enrol status list recovery resync disable unlock substitute import require enable; do
        prints "the help names $verb" "  $verb "
        "$command" --lang $language mfa $verb --help >"$folder/help" || fail "help of $verb"
        grep -qF "sekimori mfa $verb" "$folder/help" || fail "help of $verb is another verb's"
    done
done
expect 2 "mfa alone" mfa
prints "mfa alone lists the verbs" "  enrol "
says "mfa alone" "a verb is missing"
expect 2 "no such verb" mfa enroll
says "no such verb" "mfa enrol, mfa status"
for wrong in "enrol --digits 7" "enrol --period 15" "enrol --type sms" "enrol --algorithm md5" "enrol --qr braille" \
    "enrol --user" "enrol more" "unlock --user x" "unlock --reason y" "substitute --user x" \
    "substitute --user x --reason y --days 8" "disable --token 0" "disable --user x" "import --secret x" \
    "require" "require --all --enrolled" "require --all --grace-until soon" "require --group no-such-group-here" \
    "status --reason x" "list x"; do
    # shellcheck disable=SC2086 # a list of arguments
    expect 2 "mfa $wrong" mfa $wrong
    [ -s "$folder/err" ] || fail "mfa $wrong: silence"
done
expect 2 "a reason of two lines" mfa unlock --user x --reason "a
b"
expect 2 "a name that is too long" mfa status --user "$(printf '%0300d' 0)"
expect 3 "no service" mfa status --socket "$folder/none"
says "no service" "sekimori-authd.socket"
expect 3 "no service, Japanese" --lang ja mfa status --socket "$folder/none"
says "no service, Japanese" "認証サービス (sekimori-authd) が動いていません"
expect 3 "no service, JSON" mfa status --socket "$folder/none" --json
is_json "no service, JSON"
expect 3 "no list" mfa list --socket "$folder/none" --json
[ ! -s "$folder/out" ] || fail "no list, and a piece of one: $(cat "$folder/out")"

# ---- with a service ----
printf '# why\nmfa: { require = "enrolled"; };\n' >"$folder/conf"
# shellcheck source=tests/meta/authd_service.inc
. "$1/tests/meta/authd_service.inc"
authd_start "$2" "$folder" || exit 1
socket="--socket=$folder/auth"

expect 1 "nothing yet" mfa status "$socket"
prints "nothing yet" "not registered"
expect 0 "nobody yet" mfa list "$socket" --json
[ "$(cat "$folder/out")" = '{"people":[]}' ] || fail "nobody yet: $(cat "$folder/out")"

# code ALGORITHM [TIME]: as an app shows it for $secret
code()
{
    oathtool --totp="$1" -b "$secret" --now "${2:-now}"
}

# begin NAME ARGUMENTS…: an enrolment that waits; $uri and $secret are what the app reads, 3 is what it is told.
begin()
{
    name=$1
    shift
    mkfifo "$folder/in.$name" "$folder/lines.$name"
    "$command" mfa enrol "$socket" --json "$@" <"$folder/in.$name" >"$folder/lines.$name" 2>"$folder/err" &
    enrolment=$!
    exec 3>"$folder/in.$name" 4<"$folder/lines.$name"
    IFS= read -r line <&4
    secret=$(printf '%s' "$line" | sed 's/.*"secret":"\([^"]*\)".*/\1/; s/ //g')
}

end()
{
    exec 3>&-
    cat <&4 >"$folder/out"
    exec 4<&-
    wait "$enrolment"
    code=$?
    enrolment=
    [ "$code" = "$1" ] || fail "$2: exit $code, not $1: $(cat "$folder/err")"
}

begin sha1
code sha1 >&3
end 1 "an app that knows only SHA-1"
says "an app that knows only SHA-1" "Your app ignored SHA256 and used SHA-1."
begin sha256 --algorithm sha512
code sha256 >&3
end 1 "an app that knows no SHA-512"
says "an app that knows no SHA-512" "--algorithm sha256"
begin digits --digits 8
code sha256 >&3
end 1 "an app that shows six digits"
says "an app that shows six digits" "Your app ignored the number of digits (8). Enrol again with --digits 6."
begin period --period 60
code sha256 >&3
end 1 "an app that counts in 30 s"
says "an app that counts in 30 s" "Your app ignored the period (60 s). Enrol again with --period 30."
begin ninety
code sha256 "$(date -d '90 seconds ago' '+%Y-%m-%d %H:%M:%S %z')" >&3
end 1 "a phone whose clock is behind"
says "a phone whose clock is behind" " s behind this terminal's"
begin clock
code sha256 "$(date -d '10 minutes' '+%Y-%m-%d %H:%M:%S %z')" >&3
end 1 "a phone whose clock is ahead"
says "a phone whose clock is ahead" "s ahead of this terminal's"
expect 1 "nothing was registered by all that" mfa status "$socket"

begin right --label "my phone"
{
    echo 12345
    echo 000000
    # As a Japanese keyboard may give it: full-width, with a blank and a hyphen.
    code sha256 | sed 's/^\(...\)\(.\)/\1　\2－/
        s/0/０/g; s/1/１/g; s/2/２/g; s/3/３/g; s/4/４/g; s/5/５/g; s/6/６/g; s/7/７/g; s/8/８/g; s/9/９/g'
} >&3
end 0 "a right code"
prints "a right code" '"enrolled":true,"recovery_codes":["'
[ "$(tr ',' '\n' <"$folder/out" | grep -c -- '-')" -ge 10 ] || fail "there are not ten recovery codes: $(cat "$folder/out")"
expect 0 "registered" mfa status "$socket"
prints "registered" "my phone"
prints "registered" "10 left"
expect 0 "registered, JSON" mfa status "$socket" --json
prints "registered, JSON" '"state":"ok"'
mkdir -p "$folder/root/etc/pam.d"
echo 'auth required pam_fprintd.so' >"$folder/root/etc/pam.d/gdm-fingerprint"
expect 0 "a way round it" mfa status "$socket" --root "$folder/root"
prints "a way round it" "gdm-fingerprint: pam_fprintd.so alone lets people in (no code)"
expect 0 "a way round it, JSON" mfa status "$socket" --root "$folder/root" --json
prints "a way round it, JSON" '"ways_around":[{"service":"gdm-fingerprint","modules":["pam_fprintd.so"],"autologin":false}]'
is_json "a way round it"
for hidden in "$secret" secret; do
    grep -qF "$hidden" "$folder/out" && fail "status shows a secret"
done

if [ "$(id -u)" = 0 ]; then
    # ---- who has no role ----
    chmod 711 "$folder"
    cp "$command" "$folder/sekimori" # the build folder itself may be closed to others
    for verb in "status --user root" list; do
        # shellcheck disable=SC2086 # a list of arguments
        setpriv --reuid 65534 --regid 65534 --clear-groups "$folder/sekimori" mfa $verb "$socket" --json \
            >"$folder/out" 2>"$folder/err"
        [ $? = 3 ] || fail "$verb without a role: $(cat "$folder/err")"
        is_json "$verb without a role"
        prints "$verb without a role" '"outcome":"denied"'
    done

    # ---- what takes an administrator ----
    expect 0 "the URI alone" mfa enrol "$socket" --user daemon --no-confirm --uri
    [ "$(wc -l <"$folder/out")" = 1 ] || fail "the URI alone: $(cat "$folder/out")"
    grep -q '^otpauth://totp/.*algorithm=SHA256' "$folder/out" || fail "the URI alone: $(cat "$folder/out")"
    expect 0 "recovery codes" mfa recovery "$socket" --user daemon
    [ "$(grep -cE '^[0-9]+-[A-Z-]+$' "$folder/out")" = 10 ] || fail "recovery codes: $(cat "$folder/out")"
    expect 0 "a substitute code" mfa substitute "$socket" --user daemon --reason "left at home"
    grep -qE '^00-[A-Z-]+$' "$folder/out" || fail "a substitute code: $(cat "$folder/out")"
    expect 0 "unlock" --lang ja mfa unlock "$socket" --user daemon --reason 忘れた
    prints "unlock" "daemon: 停止を解除しました。"
    expect 3 "unlock oneself" mfa unlock "$socket" --user "$me" --reason x
    expect 1 "nobody of that name" mfa unlock "$socket" --user no-such-user-here --reason x
    says "nobody of that name" "there is no such user"
    typed='GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ
'
    expect 0 "import" mfa import "$socket" --user bin --secret - --algorithm sha256 --digits 8 --label "token 7"
    expect 1 "SHA-1 is not allowed" mfa import "$socket" --user bin --secret - --algorithm sha1
    says "SHA-1 is not allowed" "mfa.algorithms"
    typed=
    expect 0 "list" mfa list "$socket"
    prints "list" "3 people"
    expect 0 "one token goes" mfa disable "$socket" --user bin --token 1 --reason broken
    expect 1 "it is gone" mfa status "$socket" --user bin
    expect 0 "all goes" mfa disable "$socket" --user daemon --reason left --json
    expect 0 "the list is shorter" mfa list "$socket" --json
    grep -q daemon "$folder/out" && fail "daemon is still in the list"
    expect 0 "one is left" mfa list "$socket"
    prints "one is left" "1 person"

    # ---- the machine's login, below a root of its own ----
    root=$folder/root
    mkdir -p "$root/etc/pam.d" "$root/var/lib/sekimori"
    printf 'root:x:0:0::/root:/bin/sh\n' >"$root/etc/passwd"
    printf 'sekimori-admin:x:990:\n' >"$root/etc/group"
    echo "auth required pam_unix.so" >"$root/etc/pam.d/common-auth"
    # What pam-auth-update would do; and whether the record was there before it.
    cat >"$folder/switch" <<EOF
#!/bin/sh
grep -c MFA_LOGIN_ "$folder"/log/*.jsonl >>"$folder/switched"
case \$2 in
--enable) echo "auth required pam_sekimori.so" >>"$root/etc/pam.d/common-auth" ;;
--remove) sed -i /pam_sekimori/d "$root/etc/pam.d/common-auth" ;;
esac
EOF
    chmod 755 "$folder/switch"
    set -- "$socket" --root "$root" --pam-auth-update "$folder/switch"
    typed='GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
'
    expect 0 "another token for root" mfa import "$socket" --user root --secret -
    typed="$(oathtool --totp=sha256 -b GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ)
"
    expect 0 "the login is switched on" mfa enable "$@" --user root
    typed=
    expect 0 "it is on already" mfa enable "$@" --user root
    expect 0 "and off again" mfa disable "$@" --yes --reason "the office moves"
    [ "$(tr '\n' ' ' <"$folder/switched")" = "1 2 " ] || fail "the record was not there first: $(cat "$folder/switched")"
    grep MFA_LOGIN_ON "$folder"/log/*.jsonl | grep -qF '"object":"sekimori, sekimori-split"' || fail "the profiles are not on record"
    grep MFA_LOGIN_ON "$folder"/log/*.jsonl | grep -qF '"user":{"name":"root"' || fail "whose code it was is not on record"
    grep MFA_LOGIN_OFF "$folder"/log/*.jsonl | grep -qF '"reason":"the office moves"' || fail "why is not on record"
    grep -rqF "$secret" "$folder/log" && fail "a secret is on record"
    grep -rqF "left at home" "$folder/log" || fail "the reason is not on record"
fi

# ---- the configuration ----
chmod 640 "$folder/conf"
group=$(id -gn)
expect 0 "require a group" mfa require --config "$folder/conf" --group "$group" --grace-until "$(date -d '30 days' +%F)"
prints "require a group" "mfa.require: enrolled -> $group"
grep -q '^# why$' "$folder/conf" || fail "the comment is gone: $(cat "$folder/conf")"
grep -qF "require = [ \"$group\" ];" "$folder/conf" || fail "it is not written: $(cat "$folder/conf")"
[ "$(stat -c %a "$folder/conf")" = 640 ] || fail "the mode of the configuration changed"
cp "$folder/conf" "$folder/before"
expect 0 "the same again" mfa require --config "$folder/conf" --group "$group"
prints "the same again" "It is so already"
cmp -s "$folder/conf" "$folder/before" || fail "the same again changed the file"
expect 1 "a grace without an end" mfa require --config "$folder/conf" --all --grace-until 2099-01-01
says "a grace without an end" "at most 366 days ahead"
cmp -s "$folder/conf" "$folder/before" || fail "a wrong value reached the file"
expect 0 "everybody, no grace" --lang ja mfa require --config "$folder/conf" --all --grace-until none --json
[ "$(cat "$folder/out")" = "{\"file\":\"$folder/conf\",\"changed\":true,\"require\":\"all\",\"grace_until\":null}" ] ||
    fail "everybody, no grace: $(cat "$folder/out")"
grep -q grace_until "$folder/conf" && fail "the grace is still there"
# An image that is being made: its register is where only the image has it.
printf 'usb: { register = "/no/such/folder/register.csv"; };\n' >"$folder/image"
expect 0 "a register elsewhere" mfa require --config "$folder/image" --all --grace-until "$(date -d '30 days' +%F)"
prints "a register elsewhere" "mfa.grace_until: - -> "
if [ "$(id -u)" = 0 ]; then
    # By root, of the file that is in force: on record with who, before the service sees it.
    expect 0 "of enrolled people again" mfa require "$socket" --config "$folder/conf" --enrolled
    expect 1 "the service sees it" mfa status "$socket" --user games
    grep POLICY_CHANGED "$folder"/log/*.jsonl | grep -F '"object":"mfa.require"' | grep -qF '"caller_uid":0' ||
        fail "who changed the policy is not on record"
fi
if [ "$(id -u)" = 0 ] && unshare --mount true 2>"$folder/err"; then
    # Nobody answers; and by another name the file in force is what it is.
    mkdir -p "$folder/etc/sekimori"
    echo 'mfa: { require = "all"; };' >"$folder/etc/sekimori/sekimori.conf"
    cp "$folder/etc/sekimori/sekimori.conf" "$folder/before"
    # shellcheck disable=SC2016 # the inner shell expands it
    unshare --mount sh -c 'mount --bind "$1/etc" /etc && mount -t tmpfs none /run && cd /etc/sekimori &&
        exec "$2" mfa require --enrolled --config sekimori.conf' sh "$folder" "$command" >"$folder/out" 2>"$folder/err"
    [ $? = 3 ] || fail "the file in force by another name: $(cat "$folder/out" "$folder/err")"
    says "the file in force by another name" "nothing was changed, since it could not be put on record"
    cmp -s "$folder/etc/sekimori/sekimori.conf" "$folder/before" || fail "the file in force was changed without a record"
fi
echo 'usb: {' >>"$folder/conf"
cp "$folder/conf" "$folder/before"
expect 1 "a broken file" mfa require --config "$folder/conf" --enrolled
says "a broken file" "the configuration is broken already"
cmp -s "$folder/conf" "$folder/before" || fail "a broken file was changed"
ln -s "$folder/before" "$folder/link"
expect 1 "a link" mfa require --config "$folder/link" --enrolled
[ -z "$(find "$folder" -name 'conf.*')" ] || fail "a draft is left"

[ "$failures" = 0 ] || exit 1
