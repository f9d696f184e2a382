-- migrate:up

-- Rights for a part of a tenant's cameras: cameras stand in groups, and a grant gives a subject a
-- role for a group's cameras, until it ends. Keys hold the tenant, so that no row joins two.
CREATE TABLE camera_group (
    id         uuid        PRIMARY KEY,
    tenant_id  uuid        NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX camera_group_page ON camera_group (tenant_id, id);

CREATE TABLE camera_group_member (
    tenant_id uuid        NOT NULL,
    group_id  uuid        NOT NULL,
    camera_id uuid        NOT NULL,
    added_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, group_id, camera_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES camera_group (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, camera_id) REFERENCES camera (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX camera_group_member_camera ON camera_group_member (tenant_id, camera_id);

CREATE TABLE camera_grant (
    id         uuid        PRIMARY KEY,
    tenant_id  uuid        NOT NULL,
    subject    uuid        NOT NULL, -- of access tokens
    group_id   uuid        NOT NULL,
    role       text        NOT NULL CHECK (role IN ('viewer', 'operator')),
    ends_at    timestamptz,          -- NULL: never
    reason     text        CHECK (length(reason) BETWEEN 1 AND 256),
    granted_by text        NOT NULL CHECK (length(granted_by) BETWEEN 1 AND 128),
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, group_id) REFERENCES camera_group (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX camera_grant_page ON camera_grant (tenant_id, id);
CREATE INDEX camera_grant_subject ON camera_grant (tenant_id, subject);
CREATE INDEX camera_grant_group ON camera_grant (tenant_id, group_id);

ALTER TABLE camera_group ENABLE ROW LEVEL SECURITY;
ALTER TABLE camera_group FORCE ROW LEVEL SECURITY;
ALTER TABLE camera_group_member ENABLE ROW LEVEL SECURITY;
ALTER TABLE camera_group_member FORCE ROW LEVEL SECURITY;
ALTER TABLE camera_grant ENABLE ROW LEVEL SECURITY;
ALTER TABLE camera_grant FORCE ROW LEVEL SECURITY;
CREATE POLICY camera_group_own ON camera_group TO weir_api
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY camera_group_member_own ON camera_group_member TO weir_api
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY camera_grant_own ON camera_grant TO weir_api
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT SELECT, INSERT, DELETE ON camera_group, camera_group_member, camera_grant TO weir_api;
GRANT UPDATE (name, version, updated_at) ON camera_group TO weir_api;
GRANT UPDATE (ends_at, reason, version, updated_at) ON camera_grant TO weir_api;

-- Tickets by a grant are void with the grant, or when their camera leaves its group.
ALTER TABLE revocation DROP CONSTRAINT revocation_kind_check;
ALTER TABLE revocation ADD CONSTRAINT revocation_kind_check
    CHECK (kind IN ('tenant', 'camera', 'subject', 'session', 'ticket', 'grant', 'membership'));

-- migrate:down
DELETE FROM revocation WHERE kind IN ('grant', 'membership');
ALTER TABLE revocation DROP CONSTRAINT revocation_kind_check;
ALTER TABLE revocation ADD CONSTRAINT revocation_kind_check
    CHECK (kind IN ('tenant', 'camera', 'subject', 'session', 'ticket'));
DROP TABLE camera_grant, camera_group_member, camera_group;
