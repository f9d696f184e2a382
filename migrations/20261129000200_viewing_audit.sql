-- migrate:up

-- Who watched what, from when to when: a row a session. Its parts are what single doors counted.
CREATE TABLE viewing (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL, -- that of its first part
    viewer_id    uuid        NOT NULL, -- as tickets name him
    camera_id    uuid        NOT NULL,
    stream_id    uuid        NOT NULL,
    door         text        NOT NULL CHECK (door IN ('gateway', 'cdn')),
    ticket_id    uuid        NOT NULL, -- the newest
    started_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    segments     bigint      NOT NULL,
    bytes        bigint      NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
-- Pages of a tenant, newest first: ORDER BY started_at DESC, id DESC.
CREATE INDEX viewing_page ON viewing (tenant_id, started_at DESC, id DESC);
CREATE INDEX viewing_camera ON viewing (tenant_id, camera_id, started_at DESC, id DESC);
CREATE INDEX viewing_viewer ON viewing (tenant_id, viewer_id, stream_id, door, last_seen_at DESC);

CREATE TABLE viewing_part (
    tenant_id  uuid   NOT NULL,
    id         uuid   NOT NULL, -- made by the door
    viewing_id uuid   NOT NULL,
    segments   bigint NOT NULL,
    bytes      bigint NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

-- Whose pseudonym it is: kept here, so that no ticket has to tell.
CREATE TABLE viewer (
    tenant_id uuid NOT NULL,
    id        uuid NOT NULL,
    subject   uuid NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

-- Takes one record into its session. Counts of a part only rise, so records may come twice and in
-- any order. What goes on within a minute is one session, whatever door, ticket or api it went by.
-- No record may fail here: the audit would never get past it.
CREATE FUNCTION viewing_fold(
    the_tenant uuid, the_part uuid, the_viewer uuid, the_camera uuid, the_stream uuid,
    the_door text, the_ticket uuid, the_start timestamptz, the_end timestamptz,
    the_segments bigint, the_bytes bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    pause CONSTANT interval := '60 seconds';
    most  CONSTANT bigint := 9007199254740991;
    part  record;
    found_id uuid;
BEGIN
    the_end := greatest(the_start, the_end);
    SELECT p.viewing_id, p.segments, p.bytes INTO part
        FROM viewing_part p WHERE p.tenant_id = the_tenant AND p.id = the_part;
    IF NOT FOUND THEN
        SELECT v.id INTO found_id FROM viewing v
            WHERE v.tenant_id = the_tenant AND v.viewer_id = the_viewer
              AND v.stream_id = the_stream AND v.door = the_door
              AND v.last_seen_at >= the_start - pause AND v.started_at <= the_end + pause
            ORDER BY v.last_seen_at DESC LIMIT 1;
        IF NOT FOUND THEN
            found_id := the_part;
            INSERT INTO viewing VALUES (the_tenant, found_id, the_viewer, the_camera, the_stream,
                the_door, the_ticket, the_start, the_end, 0, 0);
        END IF;
        INSERT INTO viewing_part VALUES (the_tenant, the_part, found_id, 0, 0);
        SELECT found_id AS viewing_id, 0::bigint AS segments, 0::bigint AS bytes INTO part;
    END IF;
    UPDATE viewing_part p SET segments = greatest(p.segments, the_segments),
                              bytes = greatest(p.bytes, the_bytes)
        WHERE p.tenant_id = the_tenant AND p.id = the_part;
    UPDATE viewing v SET
        ticket_id = CASE WHEN the_end >= v.last_seen_at THEN the_ticket ELSE v.ticket_id END,
        started_at = least(v.started_at, the_start),
        last_seen_at = greatest(v.last_seen_at, the_end),
        segments = least(most, v.segments + greatest(0, the_segments - part.segments)),
        bytes = least(most, v.bytes + greatest(0, the_bytes - part.bytes))
        WHERE v.tenant_id = the_tenant AND v.id = part.viewing_id;
END
$$;
REVOKE ALL ON FUNCTION viewing_fold FROM PUBLIC;
GRANT EXECUTE ON FUNCTION viewing_fold TO weir_audit;

ALTER TABLE viewing ENABLE ROW LEVEL SECURITY;
ALTER TABLE viewing FORCE ROW LEVEL SECURITY;
ALTER TABLE viewing_part ENABLE ROW LEVEL SECURITY;
ALTER TABLE viewing_part FORCE ROW LEVEL SECURITY;
ALTER TABLE viewer ENABLE ROW LEVEL SECURITY;
ALTER TABLE viewer FORCE ROW LEVEL SECURITY;
CREATE POLICY viewing_of_tenant ON viewing FOR SELECT TO weir_api
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY viewer_of_tenant ON viewer FOR SELECT TO weir_api
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY viewing_folded ON viewing TO weir_audit USING (true) WITH CHECK (true);
CREATE POLICY viewing_part_folded ON viewing_part TO weir_audit USING (true) WITH CHECK (true);
CREATE POLICY viewer_written ON viewer FOR INSERT TO weir_audit WITH CHECK (true);

GRANT SELECT ON viewing, viewer TO weir_api;
GRANT SELECT, INSERT ON viewing, viewing_part TO weir_audit;
GRANT UPDATE (ticket_id, started_at, last_seen_at, segments, bytes) ON viewing TO weir_audit;
GRANT UPDATE (segments, bytes) ON viewing_part TO weir_audit;
GRANT INSERT ON viewer TO weir_audit;

-- migrate:down
DROP FUNCTION viewing_fold;
DROP TABLE viewer, viewing_part, viewing;
