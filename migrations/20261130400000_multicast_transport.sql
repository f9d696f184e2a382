-- migrate:up

-- multicast: RTP to the group that the camera names.
ALTER TABLE camera
    DROP CONSTRAINT camera_transport_check,
    ADD CONSTRAINT camera_transport_check CHECK (transport IN ('tcp', 'udp', 'http', 'multicast'));

-- migrate:down
-- What is sealed still says multicast: such a camera must be given its source anew.
ALTER TABLE camera NO FORCE ROW LEVEL SECURITY;
UPDATE camera SET transport = 'udp' WHERE transport = 'multicast';
ALTER TABLE camera FORCE ROW LEVEL SECURITY;
ALTER TABLE camera
    DROP CONSTRAINT camera_transport_check,
    ADD CONSTRAINT camera_transport_check CHECK (transport IN ('tcp', 'udp', 'http'));
