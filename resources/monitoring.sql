-- What was scored when and by which release, and how good that was by segment: for SQL and
-- dashboards. The ledger decides; these tables are written in its transactions. Every statement can
-- run any number of times.
create schema if not exists monitoring;

-- One row per batch that a run scored; the same run again replaces its own.
create table if not exists monitoring.scoring_runs (
    use_case text not null,
    batch text not null,
    run_id text not null,
    version integer not null,
    release_digest text not null,
    rows bigint not null,
    scored_at timestamptz not null default now(),
    primary key (use_case, batch, run_id)
);

-- One row per metric and segment of a batch and a release. A value that is missing is undefined, and
-- the reason says why; a missing bound: too few rows for an interval.
create table if not exists monitoring.segment_metrics (
    use_case text not null,
    batch text not null,
    version integer not null,
    segment text not null,
    metric text not null,
    value double precision,
    low double precision,
    high double precision,
    unit text not null,
    rows bigint not null,
    reason text,
    run_id text not null,
    measured_at timestamptz not null default now(),
    primary key (use_case, batch, version, segment, metric)
);

-- One row per instance that the service answered: what it was asked, what it said, and which release
-- said so. The key makes a chunk that is written again no news.
do $$ begin
    if to_regclass('monitoring.inference_log') is not null then
        return;
    end if;
    create table monitoring.inference_log (
        prediction_id uuid primary key,
        use_case text not null,
        version integer not null,
        release_digest text not null,
        at timestamptz not null,
        latency_seconds double precision not null,
        row_key text,
        inputs jsonb not null,
        answer jsonb not null
    );
    create index inference_log_newest on monitoring.inference_log (use_case, at, prediction_id);
end $$;

-- One row per request while a release is tried: what the challenger answered behind the champion's
-- answer (shadow), or which of both was to answer (a canary), and whether the challenger failed.
-- `prediction_ids` are those of the answer that went out, in the order of the instances, and
-- `answers` those of a shadow in the same order; `key_at` is where among them the key that decided
-- is, from 1, and null where no instance had one.
do $$ begin
    if to_regclass('monitoring.trial_log') is not null then
        return;
    end if;
    create table monitoring.trial_log (
        request_id uuid primary key,
        trial bigint not null,
        at timestamptz not null,
        role text not null check (role in ('shadow', 'challenger', 'champion')),
        latency_seconds double precision,
        prediction_ids uuid[] not null,
        key_at integer,
        answers jsonb,
        error text
    );
    create index trial_log_of_trial on monitoring.trial_log (trial);
end $$;

-- Answers of which the client said what the row is called: those that can get a label.
do $$ begin
    if to_regclass('monitoring.inference_log_of_key') is null then
        create index inference_log_of_key on monitoring.inference_log (use_case, row_key)
            where row_key is not null;
    end if;
end $$;
