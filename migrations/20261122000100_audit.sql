-- migrate:up

-- Where each chain stands. The update of this row is the fence: a writer whose next_off or head is
-- not what it thought writes nothing at all, so two writers can neither double nor skip a record.
CREATE TABLE audit_offset (
    topic     text    NOT NULL,
    part      integer NOT NULL,
    first_off bigint  NOT NULL CHECK (first_off >= 0),
    next_off  bigint  NOT NULL CHECK (next_off >= first_off),
    head      bytea   NOT NULL CHECK (length(head) = 32),
    instance  uuid    NOT NULL, -- decisions: of the log read; nil before the first
    epoch     bigint  NOT NULL, -- decisions: of the leader read last; -1 before the first
    PRIMARY KEY (topic, part)
);

-- Every record, once, as it stood in the log. For operators only: a decision may speak of several
-- tenants.
CREATE TABLE audit_record (
    topic       text        NOT NULL,
    part        integer     NOT NULL,
    off         bigint      NOT NULL,
    recorded_at timestamptz NOT NULL, -- the broker's
    verdict     text        NOT NULL CHECK (verdict IN ('valid', 'void', 'unreadable')),
    parse_error text,
    raw         bytea, -- NULL: the record had no value
    hash        bytea       NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (topic, part, off)
);

-- What a tenant may read: one row for each of its objects that a record touches.
CREATE TABLE audit_event (
    topic       text        NOT NULL,
    part        integer     NOT NULL,
    off         bigint      NOT NULL,
    n           integer     NOT NULL, -- place within the record, from 0
    -- Unique, and in the order of the log when sorted as text.
    id          text        GENERATED ALWAYS AS (
        topic || ':' || part::text || ':' || lpad(off::text, 16, '0') || ':' || lpad(n::text, 3, '0')
    ) STORED,
    recorded_at timestamptz NOT NULL, -- the broker's
    is_void     boolean     NOT NULL, -- a decision that nobody follows
    tenant_id   uuid        NOT NULL,
    at          timestamptz NOT NULL, -- the writer's
    event_id    uuid        NOT NULL,
    type        text        NOT NULL,
    actor       text,
    action      text,
    outcome     text,
    object_type text,
    object_id   uuid,
    stream_id   uuid,
    camera_id   uuid,
    worker_id   uuid,
    generation  bigint,
    state_from  text,
    state_to    text,
    reason      text,
    command_id  uuid,
    request_id  text,
    remote_addr text,
    detail      text,
    PRIMARY KEY (topic, part, off, n)
);

-- Pages of a tenant, newest first: ORDER BY recorded_at DESC, id DESC.
CREATE INDEX audit_event_tenant ON audit_event (tenant_id, recorded_at DESC, id DESC);
CREATE INDEX audit_event_stream ON audit_event (tenant_id, stream_id, recorded_at DESC, id DESC)
    WHERE stream_id IS NOT NULL;

ALTER TABLE audit_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_event FORCE ROW LEVEL SECURITY;
CREATE POLICY audit_event_of_tenant ON audit_event FOR SELECT TO weir_api
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY audit_event_written ON audit_event FOR INSERT TO weir_audit WITH CHECK (true);
CREATE POLICY audit_event_verified ON audit_event FOR SELECT TO weir_owner USING (true);

GRANT SELECT ON audit_event TO weir_api;
GRANT INSERT ON audit_event, audit_record TO weir_audit;
GRANT SELECT, INSERT, UPDATE ON audit_offset TO weir_audit;

-- migrate:down
DROP TABLE audit_event, audit_record, audit_offset;
