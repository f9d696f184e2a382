-- migrate:up

-- A key that is a day old may be used for another wish: its row is taken over in the statement that
-- would have made it, so that one key asked for twice at once is judged by the row that won.
GRANT UPDATE (fingerprint, made_at) ON idempotency TO weir_api;

-- migrate:down
REVOKE UPDATE (fingerprint, made_at) ON idempotency FROM weir_api;
