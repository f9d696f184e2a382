-- migrate:up

-- Pages of what is told of one camera, newest first: ORDER BY recorded_at DESC, id DESC.
CREATE INDEX audit_event_camera ON audit_event (tenant_id, camera_id, recorded_at DESC, id DESC)
    WHERE camera_id IS NOT NULL;

-- migrate:down
DROP INDEX audit_event_camera;
