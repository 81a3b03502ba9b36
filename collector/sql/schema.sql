-- SPDX-License-Identifier: Apache-2.0
-- The records for reading: made from the store's day files, and made again from them at any time. Evidence is the file;
-- nothing here proves anything (jsonb does not even keep the order of members).
--
-- Partitioned by month of arrival, not of the terminal's clock: a terminal that thinks it is 2099 makes no partition, and
-- what is past its keeping time is dropped as a table (drop table sekimori.record_2026_11).
create schema if not exists sekimori;

create table if not exists sekimori.record (
    day date not null,       -- of arrival: the file's name
    chain text not null,     -- skm.c
    n bigint not null,       -- skm.n
    stream text not null,
    terminal text,
    section text,
    time timestamptz,        -- the terminal's clock
    event text,
    outcome text,
    severity text,
    person text,             -- who logged in, or was at the console
    doc jsonb,               -- null when PostgreSQL cannot read it (a \u0000, for instance)
    raw text not null,       -- the line; bytes that are not UTF-8 are left out
    primary key (day, chain, n)
) partition by range (day);

create index if not exists record_time on sekimori.record (time);
create index if not exists record_terminal_time on sekimori.record (terminal, time);
create index if not exists record_event_time on sekimori.record (event, time);
create index if not exists record_chain on sekimori.record (chain, n);

-- How far each file has been loaded: written in the transaction that loads, so that no line is loaded twice or left out.
create table if not exists sekimori.loaded (
    file text primary key,
    bytes bigint not null,
    at timestamptz not null default now()
);

create or replace function sekimori.to_doc(raw text) returns jsonb language plpgsql immutable strict parallel safe as $$
begin
    return raw::jsonb;
exception when others then
    return null;
end $$;

create or replace function sekimori.add_partition(day date) returns void language plpgsql as $$
declare
    first date := date_trunc('month', day)::date;
begin
    execute format('create table if not exists sekimori.%I partition of sekimori.record for values from (%L) to (%L)',
        to_char(first, '"record_"YYYY_MM'), first, (first + interval '1 month')::date);
end $$;

-- Takes the lines of the temporary table `incoming`, which stand in `file` from byte `begins` to byte `ends`. Whatever a
-- record holds fits its columns, since one that is refused would stop all: texts are cut to what an index takes, and a time
-- without a sign, of 15 digits at most, is one.
create or replace function sekimori.take(file text, begins bigint, ends bigint) returns bigint language plpgsql as $$
declare
    arrived date := left(file, 10)::date;
    known bigint;
    added bigint;
begin
    insert into sekimori.loaded (file, bytes) values (take.file, 0) on conflict do nothing;
    select bytes into known from sekimori.loaded where loaded.file = take.file for update;
    if known <> begins then
        raise exception 'file % was loaded to byte %, not %: is another load running?', file, known, begins;
    end if;
    perform sekimori.add_partition(arrived);
    insert into sekimori.record (day, chain, n, stream, terminal, section, time, event, outcome, severity, person, doc, raw)
    select arrived, part[2], part[3]::bigint, part[1],
        left(doc #>> '{terminal,number}', 200), left(doc #>> '{terminal,section}', 200),
        to_timestamp(substring(raw from '^\{"time":([0-9]{1,15}),')::numeric / 1000),
        left(doc ->> 'event', 200), left(doc ->> 'outcome', 200), left(doc ->> 'severity', 200),
        left(coalesce(doc #>> '{user,name}', doc #>> '{actor,login_user}', doc #>> '{actor,user}'), 200),
        doc, raw
    from (
        -- The chain's member is the last of that name, within the last 450 bytes; a quote in a text is escaped.
        select raw, sekimori.to_doc(raw) as doc,
            regexp_match(right(raw, 450), '.*,"skm":\{"stream":"([a-z]{1,16})","c":"([0-9a-f]{32})","n":([0-9]{1,16}),') as part
        from incoming where raw is not null
    ) as line
    where part is not null
    on conflict do nothing;
    get diagnostics added = row_count;
    update sekimori.loaded set bytes = ends, at = now() where loaded.file = take.file;
    return added;
end $$;

-- Complete or not: per chain, from what was loaded.
create or replace view sekimori.completeness as
select chain, stream, max(terminal) as terminal, min(n) as first, max(n) as last, count(distinct n) as records,
    max(n) - count(distinct n) as missing, min(time) as from_time, max(time) as to_time
from sekimori.record group by chain, stream;

create or replace view sekimori.device as
select time, terminal, section, person, event, outcome, doc #>> '{peripheral_device,kind}' as kind,
    doc #>> '{peripheral_device,vid_pid}' as vid_pid, doc #>> '{peripheral_device,serial_number}' as serial_number,
    doc #>> '{peripheral_device,name}' as name, doc #>> '{policy,rule}' as rule, chain, n
from sekimori.record where doc ? 'peripheral_device';

create or replace view sekimori.authentication as
select time, terminal, section, person, event, outcome, doc #>> '{service,name}' as service,
    coalesce(doc #>> '{src_endpoint,ip}', doc #>> '{src_endpoint,hostname}') as source, chain, n
from sekimori.record where doc ? 'auth';

create or replace view sekimori.by_day as
select (time at time zone 'Asia/Tokyo')::date as day, terminal, event, outcome, count(*) as records
from sekimori.record group by 1, 2, 3, 4;
