-- migrate:up

-- The sources of a camera that has more than one, main among them, as everybody who sees the camera
-- may see them; an empty array: main alone, which has columns of its own. Credentials are sealed.
ALTER TABLE camera ADD COLUMN sources jsonb NOT NULL DEFAULT '[]'
    CHECK (jsonb_typeof(sources) = 'array' AND jsonb_array_length(sources) <= 4);

-- migrate:down
ALTER TABLE camera DROP COLUMN sources;
