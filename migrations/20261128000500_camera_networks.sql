-- migrate:up

-- Where a tenant's cameras may be: networks and the word public, one space between them, as
-- lib/domain/reach.h writes it. NULL: the deployment's default.
ALTER TABLE tenant ADD COLUMN camera_networks text CHECK (length(camera_networks) <= 1535);

-- migrate:down
ALTER TABLE tenant DROP COLUMN camera_networks;
