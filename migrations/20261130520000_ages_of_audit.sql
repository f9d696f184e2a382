-- migrate:up

-- What is older than it is kept goes, in batches, by the functions below. weir_audit may delete
-- records and their rows for that, but none that is younger than half a day, and sees of the rows
-- only where they stand: what is taken out elsewhere than at the start of a chain is found by the
-- verifier. The functions leave alone what is younger than a day, so that no record they come to is
-- one that they cannot see.

-- The start of a chain moves when its oldest records go: what the first one left was hashed on, and
-- how the log stood there. `weirctl audit verify` begins with these.
ALTER TABLE audit_offset
    ADD COLUMN start_head     bytea  NOT NULL DEFAULT decode(repeat('00', 32), 'hex')
        CHECK (length(start_head) = 32),
    ADD COLUMN start_instance uuid   NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    ADD COLUMN start_epoch    bigint NOT NULL DEFAULT -1;

ALTER TABLE audit_record ENABLE ROW LEVEL SECURITY; -- its owner verifies
CREATE POLICY audit_record_written ON audit_record FOR INSERT TO weir_audit WITH CHECK (true);
CREATE POLICY audit_record_read ON audit_record FOR SELECT TO weir_audit
    USING (recorded_at < now() - interval '12 hours');
CREATE POLICY audit_record_aged ON audit_record FOR DELETE TO weir_audit
    USING (recorded_at < now() - interval '12 hours');
CREATE POLICY audit_event_read ON audit_event FOR SELECT TO weir_audit
    USING (recorded_at < now() - interval '12 hours');
CREATE POLICY audit_event_aged ON audit_event FOR DELETE TO weir_audit
    USING (recorded_at < now() - interval '12 hours');
GRANT SELECT, DELETE ON audit_record TO weir_audit;
GRANT SELECT (topic, part, off), DELETE ON audit_event TO weir_audit;

-- Takes at most `most` records that are older than `age` off the start of a chain, with the rows
-- that tell of them. Returns how many went; 0 also where another instance did the same just now;
-- -1, and takes none, where they are not those that were hashed.
CREATE FUNCTION audit_prune_chain(the_topic text, the_part integer, age interval, most integer)
RETURNS bigint STRICT LANGUAGE plpgsql AS $$
DECLARE
    until    CONSTANT timestamptz := now() - greatest(age, interval '1 day');
    chain    audit_offset;
    item     record;
    said     json;
    upto     bigint;
    gone     bigint := 0;
    was_none boolean;
BEGIN
    SELECT * INTO chain FROM audit_offset o WHERE o.topic = the_topic AND o.part = the_part;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    upto := chain.first_off;
    was_none := chain.start_instance = '00000000-0000-0000-0000-000000000000';
    FOR item IN SELECT r.off, r.recorded_at, r.verdict, r.raw, r.hash FROM audit_record r
        WHERE r.topic = the_topic AND r.part = the_part AND r.off >= chain.first_off
          -- Not from one end to the other where all are young; facts are few and have holes.
          AND (r.off < chain.first_off + most OR the_topic = 'weir.facts.v1')
        ORDER BY r.off LIMIT most
    LOOP
        EXIT WHEN item.recorded_at >= until;
        IF (item.off <> upto AND the_topic <> 'weir.facts.v1')
            OR sha256(chain.start_head
                || convert_to(the_topic || ':' || the_part || ':' || item.off || ':', 'UTF8')
                || coalesce(item.raw, '')) <> item.hash THEN
            RETURN -1;
        END IF;
        IF the_topic = 'weir.decisions.v1' AND item.verdict <> 'unreadable' THEN
            said := convert_from(item.raw, 'UTF8')::json -> 'data';
            IF was_none THEN
                chain.start_instance := said ->> 'instance';
                was_none := false;
            END IF;
            IF item.verdict = 'valid' THEN
                chain.start_epoch := CASE WHEN said ->> 'kind' = 'takeover' THEN item.off
                                          ELSE (said ->> 'epoch')::bigint END;
            END IF;
        END IF;
        chain.start_head := item.hash;
        upto := item.off + 1;
        gone := gone + 1;
    END LOOP;
    UPDATE audit_offset o SET first_off = upto, start_head = chain.start_head,
            start_instance = chain.start_instance, start_epoch = chain.start_epoch
        WHERE o.topic = the_topic AND o.part = the_part AND o.first_off = chain.first_off
          AND gone > 0;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    DELETE FROM audit_event e WHERE e.topic = the_topic AND e.part = the_part
        AND e.off >= chain.first_off AND e.off < upto;
    DELETE FROM audit_record r WHERE r.topic = the_topic AND r.part = the_part
        AND r.off >= chain.first_off AND r.off < upto;
    RETURN gone;
END
$$;
REVOKE ALL ON FUNCTION audit_prune_chain FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_prune_chain TO weir_audit;

-- When a part was last told of, to a day: an index entry for each record would cost more.
ALTER TABLE viewing_part ADD COLUMN told_at timestamptz NOT NULL DEFAULT now();
CREATE FUNCTION viewing_part_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.told_at < now() - interval '1 day' THEN
        NEW.told_at := now();
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER viewing_part_told BEFORE UPDATE ON viewing_part
    FOR EACH ROW EXECUTE FUNCTION viewing_part_told();

-- When a viewer was last given a ticket, to a day.
ALTER TABLE viewer ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now();
GRANT SELECT (tenant_id, id, seen_at), UPDATE (seen_at), DELETE ON viewer TO weir_audit;
GRANT DELETE ON viewing, viewing_part TO weir_audit;
CREATE POLICY viewer_found ON viewer FOR SELECT TO weir_audit USING (true);
CREATE POLICY viewer_seen ON viewer FOR UPDATE TO weir_audit USING (true) WITH CHECK (true);
CREATE POLICY viewer_aged ON viewer FOR DELETE TO weir_audit USING (true);

CREATE INDEX viewing_age ON viewing (last_seen_at);
CREATE INDEX viewing_part_age ON viewing_part (told_at);
CREATE INDEX viewer_age ON viewer (seen_at);

-- Tenants that were deleted, as the log of accesses tells.
CREATE TABLE viewing_gone (
    id      uuid        PRIMARY KEY,
    gone_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, DELETE, UPDATE (gone_at) ON viewing_gone TO weir_audit;

-- Takes at most `most` rows of each kind: viewings that ended longer than `age` ago, viewers who
-- were given no ticket for that long and have none left (`age` NULL: none of both); parts that were
-- not told of for a month, which is longer than their topic keeps the records that say all of a
-- part so far. Returns the most that went of one kind.
CREATE FUNCTION viewing_prune(age interval, most integer)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    until CONSTANT timestamptz := now() - greatest(age, interval '1 day');
    n     bigint;
    gone  bigint := 0;
BEGIN
    DELETE FROM viewing_part p WHERE (p.tenant_id, p.id) IN (
        SELECT q.tenant_id, q.id FROM viewing_part q
        WHERE q.told_at < now() - interval '30 days' ORDER BY q.told_at LIMIT most);
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF age IS NOT NULL THEN
        DELETE FROM viewing v WHERE (v.tenant_id, v.id) IN (
            SELECT w.tenant_id, w.id FROM viewing w
            WHERE w.last_seen_at < until ORDER BY w.last_seen_at LIMIT most);
        GET DIAGNOSTICS n = ROW_COUNT;
        gone := greatest(gone, n);
        DELETE FROM viewer v WHERE (v.tenant_id, v.id) IN (
            SELECT w.tenant_id, w.id FROM viewer w
            WHERE w.seen_at < until AND NOT EXISTS (
                SELECT FROM viewing o WHERE o.tenant_id = w.tenant_id AND o.viewer_id = w.id)
            ORDER BY w.seen_at LIMIT most);
        GET DIAGNOSTICS n = ROW_COUNT;
        gone := greatest(gone, n);
    END IF;
    RETURN gone;
END
$$;
REVOKE ALL ON FUNCTION viewing_prune FROM PUBLIC;
GRANT EXECUTE ON FUNCTION viewing_prune TO weir_audit;

-- Takes at most `most` viewings and as many viewers of one deleted tenant; those of one that was
-- made anew with the same id stay. Returns how many went. A month after, none can come any more.
CREATE FUNCTION viewing_prune_gone(most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    tenant record;
    n      bigint;
    gone   bigint := 0;
BEGIN
    DELETE FROM viewing_gone g WHERE g.gone_at < now() - interval '30 days';
    FOR tenant IN SELECT g.id, g.gone_at + interval '5 minutes' AS late FROM viewing_gone g LOOP
        DELETE FROM viewing v WHERE v.tenant_id = tenant.id AND v.id IN (
            SELECT w.id FROM viewing w
            WHERE w.tenant_id = tenant.id AND w.started_at < tenant.late LIMIT most);
        GET DIAGNOSTICS gone = ROW_COUNT;
        DELETE FROM viewer v WHERE v.tenant_id = tenant.id AND v.id IN (
            SELECT w.id FROM viewer w WHERE w.tenant_id = tenant.id AND NOT EXISTS (
                SELECT FROM viewing o WHERE o.tenant_id = w.tenant_id AND o.viewer_id = w.id)
            AND w.seen_at < tenant.late LIMIT most);
        GET DIAGNOSTICS n = ROW_COUNT;
        gone := gone + n;
        EXIT WHEN gone > 0;
    END LOOP;
    RETURN gone;
END
$$;
REVOKE ALL ON FUNCTION viewing_prune_gone FROM PUBLIC;
GRANT EXECUTE ON FUNCTION viewing_prune_gone TO weir_audit;

-- migrate:down
DROP FUNCTION viewing_prune_gone, viewing_prune, audit_prune_chain;
DROP TABLE viewing_gone;
DROP INDEX viewer_age, viewing_part_age, viewing_age;
REVOKE DELETE ON viewing, viewing_part FROM weir_audit;
DROP POLICY viewer_aged ON viewer;
DROP POLICY viewer_seen ON viewer;
DROP POLICY viewer_found ON viewer;
REVOKE SELECT (tenant_id, id, seen_at), UPDATE (seen_at), DELETE ON viewer FROM weir_audit;
ALTER TABLE viewer DROP COLUMN seen_at;
DROP TRIGGER viewing_part_told ON viewing_part;
DROP FUNCTION viewing_part_told;
ALTER TABLE viewing_part DROP COLUMN told_at;
REVOKE SELECT (topic, part, off), DELETE ON audit_event FROM weir_audit;
REVOKE SELECT, DELETE ON audit_record FROM weir_audit;
DROP POLICY audit_event_aged ON audit_event;
DROP POLICY audit_event_read ON audit_event;
DROP POLICY audit_record_aged ON audit_record;
DROP POLICY audit_record_read ON audit_record;
DROP POLICY audit_record_written ON audit_record;
ALTER TABLE audit_record DISABLE ROW LEVEL SECURITY;
ALTER TABLE audit_offset DROP COLUMN start_head, DROP COLUMN start_instance, DROP COLUMN start_epoch;
