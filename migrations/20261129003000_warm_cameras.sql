-- migrate:up

-- How many of a tenant's cameras may be kept warm: each is pulled day and night.
ALTER TABLE tenant ADD COLUMN max_warm_cameras integer NOT NULL DEFAULT 20
    CHECK (max_warm_cameras BETWEEN 0 AND 1000000);

-- migrate:down
ALTER TABLE tenant DROP COLUMN max_warm_cameras;
