-- migrate:up

-- Which key a camera's source is sealed for (the text begins with the key's id and a dot; '' when it
-- names none), so that those under an older key are found without reading all.
ALTER TABLE camera ADD COLUMN seal_key text GENERATED ALWAYS AS (
    CASE WHEN position('\x2e'::bytea IN sealed) = 17
         THEN encode(substring(sealed FROM 1 FOR 16), 'escape') ELSE '' END
) STORED;
CREATE INDEX camera_seal_key ON camera (seal_key, id);

-- Sealing again for a new key goes over the cameras of all tenants. It is done by the api for whoever
-- shows its secret, in transactions that set app.rewrap, and touches nothing but the sealed text.
CREATE POLICY camera_to_rewrap ON camera FOR SELECT TO weir_api
    USING ((SELECT current_setting('app.rewrap', true)) = 'on');
CREATE POLICY camera_rewrapped ON camera FOR UPDATE TO weir_api
    USING ((SELECT current_setting('app.rewrap', true)) = 'on');

-- migrate:down
DROP POLICY camera_rewrapped ON camera;
DROP POLICY camera_to_rewrap ON camera;
ALTER TABLE camera DROP COLUMN seal_key;
