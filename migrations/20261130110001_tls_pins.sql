-- migrate:up

-- By which certificate (or its key) a camera behind TLS is known: SHA-256 in hex. NULL: no TLS.
ALTER TABLE camera
    ADD COLUMN tls_pin_sha256 text CHECK (tls_pin_sha256 ~ '^[0-9a-f]{64}$');

-- migrate:down
ALTER TABLE camera DROP COLUMN tls_pin_sha256;
