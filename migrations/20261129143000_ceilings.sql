-- migrate:up

-- What a start that names nothing gets, and what no stream may pass; NULL: nothing is said. The
-- lower of the tenant's and the camera's ceiling counts.
ALTER TABLE tenant
    ADD COLUMN default_quality text
        CHECK (default_quality IN ('source', 'low', 'medium', 'high', 'ultra')),
    ADD COLUMN default_fps integer CHECK (default_fps BETWEEN 0 AND 60),
    ADD COLUMN max_quality text CHECK (max_quality IN ('low', 'medium', 'high', 'ultra')),
    ADD COLUMN max_fps integer CHECK (max_fps BETWEEN 1 AND 60);
ALTER TABLE camera
    ADD COLUMN default_quality text
        CHECK (default_quality IN ('source', 'low', 'medium', 'high', 'ultra')),
    ADD COLUMN default_fps integer CHECK (default_fps BETWEEN 0 AND 60),
    ADD COLUMN max_quality text CHECK (max_quality IN ('low', 'medium', 'high', 'ultra')),
    ADD COLUMN max_fps integer CHECK (max_fps BETWEEN 1 AND 60);

-- migrate:down
ALTER TABLE camera
    DROP COLUMN default_quality, DROP COLUMN default_fps,
    DROP COLUMN max_quality, DROP COLUMN max_fps;
ALTER TABLE tenant
    DROP COLUMN default_quality, DROP COLUMN default_fps,
    DROP COLUMN max_quality, DROP COLUMN max_fps;
