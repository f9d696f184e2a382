-- migrate:up

-- http: RTSP over HTTP.
ALTER TABLE camera
    DROP CONSTRAINT camera_transport_check,
    ADD CONSTRAINT camera_transport_check CHECK (transport IN ('tcp', 'udp', 'http'));

-- migrate:down
UPDATE camera SET transport = 'tcp' WHERE transport = 'http';
ALTER TABLE camera
    DROP CONSTRAINT camera_transport_check,
    ADD CONSTRAINT camera_transport_check CHECK (transport IN ('tcp', 'udp'));
