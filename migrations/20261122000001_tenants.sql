-- migrate:up

-- Row-level security reads the tenant from app.tenant_id, set for one transaction only. Two more
-- switches are set by the api for its own work: app.platform (a token with the platform scope) and
-- app.relay (the outbox's publisher).

CREATE TABLE tenant (
    id             uuid        PRIMARY KEY,
    name           text        NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    max_streams    integer     NOT NULL CHECK (max_streams BETWEEN 0 AND 1000000),
    max_cameras    integer     NOT NULL CHECK (max_cameras BETWEEN 0 AND 1000000),
    idle_timeout_s integer     CHECK (idle_timeout_s BETWEEN 1 AND 86400),
    version        bigint      NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE camera (
    id              uuid        PRIMARY KEY,
    tenant_id       uuid        NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    name            text        NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    url             text        NOT NULL CHECK (length(url) BETWEEN 8 AND 2048), -- no credentials
    host            text        NOT NULL CHECK (length(host) BETWEEN 1 AND 255),
    transport       text        NOT NULL CHECK (transport IN ('tcp', 'udp')),
    has_credentials boolean     NOT NULL,
    sealed          bytea       NOT NULL, -- url, transport and credentials, for workers only
    source_version  bigint      NOT NULL, -- the version of the row that was sealed
    warm            boolean     NOT NULL DEFAULT false,
    exclusive       boolean     NOT NULL DEFAULT false,
    idle_timeout_s  integer     CHECK (idle_timeout_s BETWEEN 1 AND 86400),
    labels          jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(labels) = 'object'),
    version         bigint      NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

-- Pages of a tenant in the order of creation: ids are version 7.
CREATE UNIQUE INDEX camera_page ON camera (tenant_id, id);

-- What changed and is not published yet. Order of commit is not order of id: the relay reads
-- ORDER BY (xid, id) below pg_snapshot_xmin(pg_current_snapshot()).
CREATE TABLE outbox (
    id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid       xid8        NOT NULL DEFAULT pg_current_xact_id(),
    tenant_id uuid        NOT NULL,
    cell      integer     CHECK (cell BETWEEN 0 AND 1023), -- NULL: every cell
    entity_id uuid        NOT NULL, -- the record's key
    event_id  uuid        NOT NULL UNIQUE,
    event     jsonb       NOT NULL, -- the whole event as it will be published; no secrets
    made_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_order ON outbox (xid, id);

CREATE FUNCTION outbox_ring() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('weir_outbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_made AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_ring();

-- Answers to requests that carried an Idempotency-Key and changed rows here.
CREATE TABLE idempotency (
    tenant_id   uuid        NOT NULL,
    key         text        NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea       NOT NULL CHECK (length(fingerprint) = 32), -- of route and body
    status      integer     NOT NULL,
    object_id   uuid        NOT NULL, -- what was made
    made_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_age ON idempotency (made_at);

ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;
ALTER TABLE camera ENABLE ROW LEVEL SECURITY;
ALTER TABLE camera FORCE ROW LEVEL SECURITY;
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_own ON tenant FOR SELECT TO weir_api
    USING (id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY tenant_platform ON tenant TO weir_api
    USING ((SELECT current_setting('app.platform', true)) = 'on');
CREATE POLICY camera_own ON camera TO weir_api
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY idempotency_own ON idempotency TO weir_api
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY outbox_made ON outbox FOR INSERT TO weir_api
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid)
        OR (SELECT current_setting('app.platform', true)) = 'on');
CREATE POLICY outbox_relayed ON outbox FOR SELECT TO weir_api
    USING ((SELECT current_setting('app.relay', true)) = 'on');
CREATE POLICY outbox_sent ON outbox FOR DELETE TO weir_api
    USING ((SELECT current_setting('app.relay', true)) = 'on');

GRANT SELECT, INSERT, UPDATE, DELETE ON tenant, camera TO weir_api;
GRANT SELECT, INSERT, DELETE ON outbox, idempotency TO weir_api;

-- migrate:down
DROP TABLE idempotency, outbox, camera, tenant;
DROP FUNCTION outbox_ring();
