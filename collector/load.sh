# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Loads the store's day files into PostgreSQL. A part of sekimori-collector.
#
# The place in each file is kept in the database, in the transaction that loads: a load that is killed, or a database that
# is restored from last week, goes on where that database stands. psql does the talking, so that every way of logging in
# (peer, service file, .pgpass) is the administrator's usual one.

readonly chunk_bytes=${SEKIMORI_LOAD_CHUNK:-33554432}

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

# Brings $work/chunk the whole lines of FILE from byte FROM on, up to byte UNTIL. A line longer than the chunk is read whole.
read_chunk() {
    local bytes=$chunk_bytes
    while :; do
        if ((bytes > $3 - $2)); then bytes=$(($3 - $2)); fi
        tail -c "+$(($2 + 1))" "$1" 2>/dev/null | head -c "$bytes" >"$work/part" || true
        # Without its last line when that is not whole.
        if [[ $(tail -c 1 "$work/part" | od -An -tx1) == " 0a" ]]; then
            mv "$work/part" "$work/chunk"
        else
            LC_ALL=C sed '$d' "$work/part" >"$work/chunk" || return 1
        fi
        [[ ! -s $work/chunk ]] && ((bytes < $3 - $2)) || return 0
        bytes=$((bytes * 2))
    done
}

# load_file NAME UNTIL
load_file() {
    local from until=$2 bytes added
    from=$(sql -v file="$1" <<<"select coalesce((select bytes from sekimori.loaded where file = :'file'), 0);")
    while ((from < until)); do
        read_chunk "$state/records/$1" "$from" "$until" || return 1
        bytes=$(stat -c %s "$work/chunk")
        ((bytes > 0)) || return 0
        # Nothing of ours is outside UTF-8; what somebody else made may be, and must not stop the load. By way of UTF-16,
        # since from UTF-8 to itself iconv lets through what is beyond Unicode, and PostgreSQL does not.
        iconv -f UTF-8 -t UTF-16LE -c "$work/chunk" 2>/dev/null | iconv -f UTF-16LE -t UTF-8 >"$work/clean" || true
        # Without a line the place would move over it all the same: the disk is full.
        [[ $(wc -l <"$work/clean") == $(wc -l <"$work/chunk") ]] || return 1
        added=$(sql -v file="$1" -v begins="$from" -v ends="$((from + bytes))" <<END
begin;
create temporary table incoming (raw text) on commit drop;
\\copy incoming from '$work/clean' with (format csv, delimiter E'\\x01', quote E'\\x02', encoding 'UTF8')
select sekimori.take(:'file', :begins, :ends);
commit;
END
        ) || return 1
        total=$((total + added))
        from=$((from + bytes))
    done
}

load() {
    options "database rebuild" "$@"
    ((${#operands[@]} == 0)) || wrong "余分な引数: ${operands[*]}" "extra operand: ${operands[*]}"
    command -v psql >/dev/null || fail 3 "psql がありません（postgresql-client）" "psql is not installed (postgresql-client)"
    [[ -z $database ]] || export PGDATABASE=$database
    export PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning"
    local position end name until total=0 file
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # What lies behind the store's saved state may still be taken back.
    local answer=0
    position=$("$store" --position --folder "$state") || answer=$?
    # 1: nothing has arrived yet.
    ((answer <= 1)) || fail 3 "収集状況を読めません" "cannot read the store's state"
    read -r end until <<<"$position"
    [[ -z $rebuild ]] || sql <<<"drop schema if exists sekimori cascade;" || fail 3 "データベースに接続できません" "cannot use the database"
    sql -1 -f "$share/sql/schema.sql" >/dev/null || fail 3 "データベースを準備できません" "cannot prepare the database"
    for file in "$state"/records/*.jsonl; do
        [[ -e $file ]] || break
        name=${file##*/}
        if [[ $name < $end ]]; then
            load_file "$name" "$(stat -c %s "$file")"
        elif [[ $name == "$end" ]]; then
            load_file "$name" "$until"
        fi || fail 3 "読み込みを中断しました: $name（再実行で続きから再開します）" "stopped in $name; the next load goes on from there"
    done
    say "読み込み: $total 件" "loaded: $total records"
}
