# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Configures the outputs to Kafka and OpenSearch. A part of sekimori-collector.
#
# What is right is decided by the program that will read it (--check), on a copy: nothing is changed before it agrees.
# Passwords come from a file, a pipe or the keyboard, never from an argument, and lie in files that only root reads;
# systemd hands them to the service (LoadCredential=).

readonly output_program=${SEKIMORI_COLLECTOR_OUTPUT:-/usr/libexec/sekimori-collector-output}
readonly output_state=${SEKIMORI_COLLECTOR_OUTPUT_STATE:-/var/lib/sekimori-output}

output_file() { printf '%s/output-%s.%s' "$etc" "$1" "$2"; }
output_unit() { printf 'sekimori-collector-output@%s.service' "$1"; }
output_is() { command -v systemctl >/dev/null && systemctl --quiet "$1" "$(output_unit "$2")" 2>/dev/null; }

output_usage() {
    text "使い方: sekimori-collector output kafka --brokers ホスト:ポート,... --topic 名前 [--ca ファイル]
            [--user 名前 [--password-file ファイル]] [--certificate ファイル] [--plaintext] [--rebuild]
        sekimori-collector output opensearch --url https://... --index 名前 [--ca ファイル]
            [--user 名前 [--password-file ファイル]] [--certificate ファイル] [--rebuild]
        sekimori-collector output kafka|opensearch --rebuild     最初の記録から送り直す
        sekimori-collector output off [kafka|opensearch]
        sekimori-collector output status [--json]
--password-file - は標準入力。指定がなければ端末から入力
" "usage: sekimori-collector output kafka --brokers HOST:PORT,... --topic NAME [--ca FILE]
           [--user NAME [--password-file FILE]] [--certificate FILE] [--plaintext] [--rebuild]
       sekimori-collector output opensearch --url https://... --index NAME [--ca FILE]
           [--user NAME [--password-file FILE]] [--certificate FILE] [--rebuild]
       sekimori-collector output kafka|opensearch --rebuild     everything again, from the first record
       sekimori-collector output off [kafka|opensearch]
       sekimori-collector output status [--json]
--password-file - is standard input; without it the terminal is asked
"
}

output_wrong() {
    printf 'sekimori-collector: %s\n' "$(text "$1" "$2")" >&2
    output_usage >&2
    exit 2
}

# Brings the first line of what is named into FILE. output_password FROM USER FILE
output_password() {
    local password=''
    if [[ $1 == - ]]; then
        IFS= read -r password || [[ $password ]] || fail 2 "標準入力にパスワードがありません" "there is no password on standard input"
    elif [[ $1 ]]; then
        [[ -r $1 && ! -d $1 ]] || fail 2 "--password-file: $1 を読めません" "--password-file: cannot read $1"
        IFS= read -r password <"$1" || :
    elif [[ -t 0 ]]; then
        IFS= read -r -s -p "$(text "$2 のパスワード: " "password of $2: ")" password || :
        printf '\n' >&2
    else
        output_wrong "--user には --password-file が必要です" "--user needs --password-file"
    fi
    local LC_ALL=C
    [[ $password && ${#password} -le 256 && $password != *[$'\x01'-$'\x1f\x7f']* ]] ||
        fail 2 "パスワード: 1 - 256 バイト、制御文字は不可" "password: allowed: 1 - 256 bytes without control characters"
    printf '%s\n' "$password" >"$3"
}

need_program() {
    [[ -x $output_program ]] || fail 1 "出力のプログラムがありません。パッケージ sekimori-collector-output を導入してください" \
        "the output's program is not there; install the package sekimori-collector-output"
}

# output_set KIND OPTION...
output_set() {
    local kind=$1 ca='' login='' from='' certificate='' again='' line='' lines=()
    shift
    while (($#)); do
        case $1 in
        --rebuild)
            again=1
            shift
            continue
            ;;
        --plaintext)
            lines+=("plaintext=yes")
            shift
            continue
            ;;
        --brokers | --topic | --url | --index | --ca | --user | --password-file | --certificate) ;;
        -h | --help)
            output_usage
            exit 0
            ;;
        --*) output_wrong "使えないオプション: $1" "unknown option: $1" ;;
        *) output_wrong "余分な引数: $1" "extra operand: $1" ;;
        esac
        (($# >= 2)) || output_wrong "$1 に値がありません" "$1 needs a value"
        [[ $2 && $2 != *$'\n'* ]] || output_wrong "$1: 空の値または改行" "$1: found: nothing, or a line break"
        case $1 in
        --ca) ca=$2 ;;
        --certificate) certificate=$2 ;;
        --password-file) from=$2 ;;
        --user) login=$2 lines+=("user=$2") ;;
        *) lines+=("${1#--}=$2") ;;
        esac
        shift 2
    done
    need_init
    need_program
    lock
    if ((${#lines[@]} == 0)) && [[ $again && -z $ca$from$certificate ]]; then
        [[ -e $(output_file "$kind" conf) ]] || fail 1 "$kind への出力は設定されていません" "there is no output to $kind"
        output_begin "$kind" 1
        return
    fi
    [[ $login || -z $from ]] || output_wrong "--password-file には --user が必要です" "--password-file needs --user"
    work=$(mktemp -d "$etc/.work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    if [[ $ca ]]; then
        openssl x509 -in "$ca" -noout 2>/dev/null || fail 2 "--ca: $ca は PEM の証明書ではありません" "--ca: $ca is no certificate in PEM"
        cp "$ca" "$work/ca"
        lines+=("ca=$(output_file "$kind" ca)")
    fi
    : >"$work/password"
    : >"$work/pem"
    [[ -z $login ]] || output_password "$from" "$login" "$work/password"
    if [[ $certificate ]]; then
        { openssl x509 -in "$certificate" -noout && openssl pkey -in "$certificate" -passin pass: -noout; } 2>/dev/null ||
            fail 2 "--certificate: $certificate に PEM の証明書と（パスフレーズなしの）秘密鍵が必要です" \
                "--certificate: $certificate has to hold a certificate and its key, without a passphrase, in PEM"
        cp "$certificate" "$work/pem"
    fi
    {
        printf '# sekimori-collector output\noutput=%s\n' "$kind"
        for line in "${lines[@]}"; do printf '%s\n' "$line"; done
    } >"$work/output-$kind.conf"
    "$output_program" --config "$work/output-$kind.conf" --check || {
        output_usage >&2
        fail 2 "何も変更していません" "nothing was changed"
    }
    if [[ $ca ]]; then
        replace "$(output_file "$kind" ca)" 0644 <"$work/ca"
    else
        rm -f "$(output_file "$kind" ca)"
    fi
    # Always there, since systemd starts nothing whose credential is missing; empty when there is none.
    replace_for_root "$(output_file "$kind" password)" <"$work/password"
    replace_for_root "$(output_file "$kind" pem)" <"$work/pem"
    replace "$(output_file "$kind" conf)" 0640 <"$work/output-$kind.conf"
    output_begin "$kind" "$again"
}

replace_for_root() {
    # shellcheck disable=SC2034 # replace() gives what it makes to this one's group
    local user=''
    replace "$1" 0600
}

# output_begin KIND REBUILD
output_begin() {
    local unit active=''
    unit=$(output_unit "$1")
    ! output_is is-active "$1" || active=1
    if [[ $2 ]]; then
        [[ -z $active ]] || systemctl stop "$unit"
        rm -f "$output_state/$1.state"
        say "最初の記録から送り直します。同じ識別子（チェーン-番号）の記録は置き換わります" \
            "everything goes again from the first record, under the same identities (CHAIN-NUMBER)"
    fi
    if [[ $active ]]; then
        systemctl restart "$unit"
        say "$1 への出力を再開しました" "the output to $1 was started anew"
    else
        say "設定しました。開始するには: systemctl enable --now $unit" "configured; to start it: systemctl enable --now $unit"
    fi
}

output_off() {
    local kind kinds=("$@") found=''
    ((${#kinds[@]})) || kinds=(kafka opensearch)
    for kind in "${kinds[@]}"; do
        [[ $kind == kafka || $kind == opensearch ]] || output_wrong "出力: $kind" "output: found: $kind; allowed: kafka, opensearch"
    done
    need_init
    lock
    for kind in "${kinds[@]}"; do
        [[ -e $(output_file "$kind" conf) ]] || continue
        found=1
        if output_is is-active "$kind" || output_is is-enabled "$kind"; then
            systemctl --quiet disable --now "$(output_unit "$kind")"
        fi
        rm -f "$(output_file "$kind" conf)" "$(output_file "$kind" password)" "$(output_file "$kind" pem)" "$(output_file "$kind" ca)"
        say "$kind への出力を止め、設定とパスワードを消去しました。送信済みの位置は残ります" \
            "the output to $kind is off, its configuration and password are gone; how far it had come is kept"
    done
    [[ $found ]] || say "設定された出力はありません" "there is no output"
}

output_status() {
    local kind json='' status=0 worst=0 between='['
    while (($#)); do
        [[ $1 == --json ]] || output_wrong "使えない引数: $1" "found: $1; allowed: --json"
        json=1
        shift
    done
    for kind in kafka opensearch; do
        [[ -e $(output_file "$kind" conf) ]] || continue
        need_program
        [[ -z $json ]] || printf '%s' "$between"
        status=0
        "$output_program" --config "$(output_file "$kind" conf)" --store "$state" --state "$output_state" --status ${json:+--json} || status=$?
        if [[ ! $json ]] && command -v systemctl >/dev/null && [[ -d /run/systemd/system ]] && ! output_is is-active "$kind"; then
            say "    停止しています: systemctl start $(output_unit "$kind")" "    it is not running: systemctl start $(output_unit "$kind")"
            ((status)) || status=1
        fi
        ((status <= worst)) || worst=$status
        between=,
    done
    if [[ $json ]]; then
        [[ $between == , ]] || printf '['
        printf ']\n'
    elif [[ $between != , ]]; then
        say "設定された出力はありません" "there is no output"
    fi
    exit "$worst"
}

output() {
    local what=${1:-}
    (($# == 0)) || shift
    case $what in
    kafka | opensearch) output_set "$what" "$@" ;;
    off) output_off "$@" ;;
    status) output_status "$@" ;;
    -h | --help | help) output_usage ;;
    *) output_wrong "${what:+使えない語: $what}" "${what:+found: $what; }allowed: kafka, opensearch, off, status" ;;
    esac
}
