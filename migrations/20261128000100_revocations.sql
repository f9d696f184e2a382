-- migrate:up

-- What was taken back: tickets whose claim holds `value` and that were issued at `before_s` or
-- before are void; of a subject or session, access tokens too. A row goes when nothing that it
-- concerns can be valid any more. No foreign key: it outlives the tenant.
CREATE TABLE revocation (
    id         uuid        PRIMARY KEY,
    tenant_id  uuid        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('tenant', 'camera', 'subject', 'session', 'ticket')),
    object_id  uuid        NOT NULL, -- as it was named
    value      uuid        NOT NULL, -- as tickets name it: of a subject or session the pseudonym
    at_s       bigint      NOT NULL, -- by this server's clock, Unix seconds, as the next one
    before_s   bigint      NOT NULL CHECK (before_s >= at_s),
    expires_at timestamptz NOT NULL,
    actor      text        NOT NULL CHECK (length(actor) BETWEEN 1 AND 128),
    reason     text        CHECK (length(reason) BETWEEN 1 AND 256)
);
CREATE UNIQUE INDEX revocation_page ON revocation (tenant_id, id);
CREATE INDEX revocation_value ON revocation (tenant_id, kind, value);
CREATE INDEX revocation_age ON revocation (expires_at);

ALTER TABLE revocation ENABLE ROW LEVEL SECURITY;
ALTER TABLE revocation FORCE ROW LEVEL SECURITY;
CREATE POLICY revocation_own ON revocation TO weir_api
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY revocation_platform ON revocation TO weir_api
    USING ((SELECT current_setting('app.platform', true)) = 'on');
CREATE POLICY revocation_loaded ON revocation FOR SELECT TO weir_api
    USING ((SELECT current_setting('app.relay', true)) = 'on');
CREATE POLICY revocation_swept ON revocation FOR DELETE TO weir_api
    USING ((SELECT current_setting('app.relay', true)) = 'on');
GRANT SELECT, INSERT, DELETE ON revocation TO weir_api;

-- A tenant that is stopped keeps what it has, and nobody plays any of it.
ALTER TABLE tenant ADD COLUMN stopped boolean NOT NULL DEFAULT false;

-- Without an event the record is a tombstone: the topic forgets the entity.
ALTER TABLE outbox ALTER COLUMN event DROP NOT NULL;
CREATE POLICY outbox_swept ON outbox FOR INSERT TO weir_api
    WITH CHECK ((SELECT current_setting('app.relay', true)) = 'on' AND event IS NULL);

-- migrate:down
DROP POLICY outbox_swept ON outbox;
DELETE FROM outbox WHERE event IS NULL;
ALTER TABLE outbox ALTER COLUMN event SET NOT NULL;
ALTER TABLE tenant DROP COLUMN stopped;
DROP TABLE revocation;
