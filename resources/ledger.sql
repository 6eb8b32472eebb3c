-- The ledger: what was committed, which attempt may still commit, what was released and who moved
-- the champion. Every statement can run any number of times.
create schema if not exists leeway;
create sequence if not exists leeway.token;

-- The newest attempt at a node. An older one holds a smaller token and is refused at commit.
create table if not exists leeway.attempts (
    use_case text not null,
    node text not null,
    batch text not null,
    token bigint not null,
    run_id text not null,
    started_at timestamptz not null default now(),
    primary key (use_case, node, batch)
);

create table if not exists leeway.commits (
    id bigint generated always as identity primary key,
    use_case text not null,
    node text not null,
    batch text not null,
    input_digest text not null,
    token bigint not null,
    digest text not null,
    uri text not null,
    rows bigint,
    facts jsonb not null,
    run_id text not null,
    committed_at timestamptz not null default now(),
    -- False when the run failed or was killed between this commit and Dagster's record of it.
    told boolean not null default true,
    unique (use_case, node, batch, input_digest)
);

-- What a node's readers see.
create table if not exists leeway.current (
    use_case text not null,
    node text not null,
    batch text not null,
    commit_id bigint not null references leeway.commits,
    primary key (use_case, node, batch)
);

create table if not exists leeway.batches (
    use_case text not null,
    batch text not null,
    ordinal bigint generated always as identity,
    discovered_at timestamptz not null default now(),
    primary key (use_case, batch)
);

-- Which source of a use case this installation reads: its own, or what stands in for it. Decided
-- once; batches of one never mix with those of another.
create table if not exists leeway.sources (
    use_case text primary key,
    read_from text not null check (read_from in ('source', 'stand_in.source', 'stand_in.synthetic')),
    reason text not null,
    decided_at timestamptz not null default now()
);

create table if not exists leeway.releases (
    use_case text not null,
    version integer not null,
    digest text not null,
    training_key text not null,
    algorithm text not null,
    verdict text not null check (verdict in ('promote', 'hold', 'reject')),
    reason text not null,
    facts jsonb not null,
    incident text,
    run_id text not null,
    released_at timestamptz not null default now(),
    primary key (use_case, version),
    unique (use_case, training_key)
);

-- Who moved the champion, when and why. Append-only; the champion is the newest move.
create table if not exists leeway.moves (
    id bigint generated always as identity primary key,
    use_case text not null,
    version integer not null,
    previous_version integer,
    action text not null check (action in ('promote', 'rollback')),
    who text not null,
    why text not null,
    moved_at timestamptz not null default now(),
    foreign key (use_case, version) references leeway.releases
);

-- What the aliases of an MLflow were last made to say. They follow the moves, which alone decide.
create table if not exists leeway.aliases (
    registry text not null,
    use_case text not null,
    champion integer,
    newest integer,
    told_at timestamptz not null default now(),
    primary key (registry, use_case)
);
drop table if exists leeway.told; -- what it was before it named the MLflow

create table if not exists leeway.incidents (
    use_case text not null,
    digest text not null,
    batch text not null,
    columns text[] not null,
    release_digest text not null,
    run_id text not null,
    found_at timestamptz not null default now(),
    primary key (use_case, digest)
);

-- Raises when a newer attempt at the node has begun; else holds the row until the transaction ends,
-- so that no newer attempt begins between this check and the commit.
create or replace function leeway.fence(a_use_case text, a_node text, a_batch text, a_token bigint)
returns void language plpgsql as $$
declare
    newest bigint;
begin
    select token into newest from leeway.attempts
    where use_case = a_use_case and node = a_node and batch = a_batch for update;
    if newest is distinct from a_token then
        raise exception 'stale attempt: % of % % was overtaken by %', a_token, a_use_case, a_node, newest
            using errcode = 'LW001';
    end if;
end $$;

-- Which offsets of a topic of Kafka are which batch, for each group that reads it. Written before
-- anything of a batch is stored, so that a batch means the same messages however often it is read.
create table if not exists leeway.topic_ranges (
    reader text not null,
    topic text not null,
    partition integer not null,
    first_offset bigint not null,
    after_offset bigint not null check (after_offset > first_offset),
    batch text not null,
    ordinal bigint generated always as identity,
    cut_at timestamptz not null default now(),
    primary key (reader, topic, partition, first_offset)
);
