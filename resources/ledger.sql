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

-- One order of incidents, releases and decisions, which no clock decides.
create sequence if not exists leeway.recorded;

-- What the controller decided, each time that it decided something else. Append-only; `after` is
-- the decision before it, so that of two who decide at once one is recorded.
create table if not exists leeway.decisions (
    seq bigint primary key default nextval('leeway.recorded'),
    use_case text not null,
    after bigint not null,
    at timestamptz not null,
    state text not null,
    action text not null check (action in ('retrain', 'wait', 'nothing', 'alert')),
    incident text,
    attempt integer not null,
    cause text,
    reason text not null,
    diagnosis text not null,
    policy text not null,
    unique (use_case, after)
);

-- What installations from before the controller lack. Only where it is missing: to alter a table or to
-- make an index that is there takes a lock all the same, which a sensor may wait for meanwhile.
do $$ begin
    if to_regclass('leeway.decisions_to_train') is not null then
        return;
    end if;
    -- Who moved, where it is known: the world, or our own pipeline, for which nothing is trained.
    alter table leeway.incidents
        add column if not exists cause text not null default 'drift'
            check (cause in ('drift', 'damage', 'freshness', 'performance')),
        add column if not exists origin text not null default 'unknown'
            check (origin in ('world', 'pipeline', 'unknown')),
        add column if not exists seq bigint not null default nextval('leeway.recorded');
    -- After the incidents: what was released before has its answer.
    alter table leeway.releases
        add column if not exists seq bigint not null default nextval('leeway.recorded');
    -- The sensor looks every half minute for ever: what is newest is found without what is old.
    create index if not exists incidents_newest on leeway.incidents (use_case, release_digest, seq);
    create index if not exists releases_newest on leeway.releases (use_case, seq);
    create index if not exists moves_newest on leeway.moves (use_case, id);
    create index if not exists batches_newest on leeway.batches (use_case, ordinal);
    create index if not exists decisions_newest on leeway.decisions (use_case, seq);
    create index if not exists decisions_to_train on leeway.decisions (use_case, seq)
        where action = 'retrain';
end $$;

-- Each attempt at an incident: the run that trains for it, for good (of one that is made again, the
-- first), and what it came to: a release, or why it was refused. Releases of an installation from before
-- this table are the results that are known there.
do $$ begin
    if to_regclass('leeway.trainings') is not null then
        return;
    end if;
    create table leeway.trainings (
        use_case text not null,
        incident text not null,
        attempt integer not null,
        run_id text not null,
        begun_at timestamptz not null default now(),
        version integer,
        -- It came to the very release that the incident is about.
        unchanged boolean not null default false,
        refused text,
        -- When it came to that, and its place in the order of what is recorded.
        ended_at timestamptz,
        seq bigint,
        primary key (use_case, incident, attempt)
    );
    create index trainings_newest on leeway.trainings (use_case, seq) where seq is not null;
    insert into leeway.trainings
        (use_case, incident, attempt, run_id, begun_at, version, unchanged, ended_at, seq)
    select use_case, incident,
        coalesce((select max(attempt) from leeway.decisions
                  where (decisions.use_case, decisions.incident) = (r.use_case, r.incident)), 1),
        run_id, released_at, version,
        exists (select from leeway.incidents
                where (incidents.use_case, incidents.digest, release_digest)
                    = (r.use_case, r.incident, r.digest)),
        released_at, seq
    from (select distinct on (use_case, incident) * from leeway.releases
          where incident is not null order by use_case, incident, seq desc) as r;
end $$;

-- What a digest is of, where it is no object: the code and the YAML that decided a node's result, and
-- the policy of a decision. As text, since jsonb would change how numbers are written.
create table if not exists leeway.definitions (
    digest text primary key,
    content text not null,
    recorded_at timestamptz not null default now()
);

-- What a commit was made from: the digest of its definition, and those of what its node read. Commits of
-- installations from before these columns do not say.
do $$ begin
    if exists (select from pg_attribute
               where attrelid = 'leeway.commits'::regclass and attname = 'inputs') then
        return;
    end if;
    alter table leeway.commits add column version text, add column inputs jsonb;
end $$;

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

-- Labels as their source gave them, one row each, for good: what was known at a time can be told
-- later. A batch of labels that changed is read again: its rows from before are withdrawn, and stay.
-- `id` and `withdrawn_by` come of one sequence, so that their largest says whether anything changed.
do $$ begin
    if to_regclass('leeway.labels') is not null then
        return;
    end if;
    create table leeway.label_batches (
        use_case text not null,
        batch text not null,
        fingerprint text,
        rows bigint not null,
        problems bigint not null,
        read_at timestamptz not null,
        primary key (use_case, batch)
    );
    create sequence leeway.label_changes;
    create table leeway.labels (
        id bigint primary key default nextval('leeway.label_changes'),
        use_case text not null,
        batch text not null,
        row_number bigint not null,
        row_key text,
        label text,
        event_at timestamptz,
        arrived_at timestamptz not null,
        problem text,
        read_at timestamptz not null,
        withdrawn_at timestamptz,
        withdrawn_by bigint
    );
    create index labels_of_key on leeway.labels (use_case, row_key) where problem is null;
    create index labels_of_batch on leeway.labels (use_case, batch) where withdrawn_at is null;
end $$;

-- Releases that are or were tried beside a champion before they take its place, each with the policy
-- as it stood. A release is tried once beside a champion; one trial of a use case runs at a time.
do $$ begin
    if to_regclass('leeway.trials') is not null then
        return;
    end if;
    create table leeway.trials (
        id bigint generated always as identity primary key,
        use_case text not null,
        version integer not null,
        release_digest text not null,
        champion integer not null,
        policy jsonb not null,
        began_at timestamptz not null,
        ended_at timestamptz,
        judged_at timestamptz, -- when the reason and the evidence were found; a verdict ends it
        verdict text check (verdict in ('promoted', 'back', 'failed', 'superseded', 'stopped')),
        reason text,
        evidence jsonb,
        check ((ended_at is null) = (verdict is null)),
        foreign key (use_case, version) references leeway.releases,
        unique (use_case, release_digest, champion)
    );
    create unique index trials_running on leeway.trials (use_case) where ended_at is null;
end $$;

-- Windows of live traffic, each with answers from `since` on and before `until`: batches that no source
-- gives. Their bounds stay, so that an answer that is logged late belongs to one of them.
do $$ begin
    if to_regclass('leeway.windows') is not null then
        return;
    end if;
    create table leeway.windows (
        use_case text not null,
        batch text not null,
        since timestamptz,
        until timestamptz not null,
        ordinal bigint generated always as identity,
        discovered_at timestamptz not null default now(),
        primary key (use_case, batch)
    );
    -- The node that found an incident, where that is not called after its cause.
    alter table leeway.incidents add column if not exists node text;
end $$;
