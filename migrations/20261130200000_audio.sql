-- migrate:up

-- Whether the sound of a tenant's cameras may be heard, and of which camera it may not all the same.
ALTER TABLE tenant ADD COLUMN audio text NOT NULL DEFAULT 'off' CHECK (audio IN ('off', 'on'));
ALTER TABLE camera ADD COLUMN muted boolean NOT NULL DEFAULT false;

-- migrate:down
ALTER TABLE camera DROP COLUMN muted;
ALTER TABLE tenant DROP COLUMN audio;
