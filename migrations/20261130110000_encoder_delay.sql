-- migrate:up

-- How much later than the capture of a picture the camera's clock says that it was, in ms.
ALTER TABLE camera
    ADD COLUMN encoder_delay_ms integer NOT NULL DEFAULT 0
        CHECK (encoder_delay_ms BETWEEN 0 AND 5000);

-- migrate:down
ALTER TABLE camera DROP COLUMN encoder_delay_ms;
