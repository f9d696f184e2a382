// SPDX-License-Identifier: Apache-2.0
// Playback tickets (lib/io/ticket.h): base64url(payload) "." base64url(signature), Ed25519 over the
// text before the dot. The payload is bytes: version, key id, two times, six ids, two more by a grant.

export interface Claims {
  k: string; // key id
  t: string; // tenant
  c: string; // camera
  s: string; // stream
  u: string; // viewer
  l: string; // login
  i: string; // the ticket's id: what logs may carry
  g?: string; // of version 5: the grant that it is given by
  m?: string; // and the camera in the grant's group
  n: number; // issued at, Unix seconds
  e: number; // over at, Unix seconds
}

export const LEEWAY_S = 30;
const LIFE_MAX_S = 900;
const TEXT_MAX = 287;
const BY_ROLE = 4; // versions
const BY_GRANT = 5;
const TIMES_AT = 9;
const SECOND_BYTES = 5;
const IDS_AT = TIMES_AT + 2 * SECOND_BYTES;
const ID_BYTES = 16;
const BY_ROLE_BYTES = IDS_AT + 6 * ID_BYTES;
const BY_GRANT_BYTES = BY_ROLE_BYTES + 2 * ID_BYTES;
const NIL = "00000000-0000-0000-0000-000000000000";

export function base64urlBytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  // One text for one value: left-over bits must be zero.
  const again = btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return again === text ? Uint8Array.from(plain, (c) => c.charCodeAt(0)) : undefined;
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function readClaims(payload: Uint8Array): Claims | undefined {
  const isByGrant = payload.length === BY_GRANT_BYTES && payload[0] === BY_GRANT;
  if (!isByGrant && !(payload.length === BY_ROLE_BYTES && payload[0] === BY_ROLE)) return undefined;
  const second = (at: number): number =>
    payload.subarray(at, at + SECOND_BYTES).reduce((sum, byte) => sum * 256 + byte, 0);
  const id = (n: number): string => {
    const at = IDS_AT + n * ID_BYTES;
    return hex(payload.subarray(at, at + ID_BYTES)).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  };
  const claims: Claims = {
    k: hex(payload.subarray(1, TIMES_AT)),
    n: second(TIMES_AT),
    e: second(TIMES_AT + SECOND_BYTES),
    t: id(0),
    c: id(1),
    s: id(2),
    u: id(3),
    l: id(4),
    i: id(5),
  };
  if (!isByGrant) return claims;
  return id(6) === NIL ? undefined : { ...claims, g: id(6), m: id(7) };
}

/** The claims of a ticket that one of these keys signed; its times are not looked at. */
export async function verify(
  text: string,
  keys: ReadonlyMap<string, CryptoKey>,
): Promise<Claims | undefined> {
  const [signed = "", given = "", ...more] = text.split(".");
  const payload = base64urlBytes(signed);
  const signature = base64urlBytes(given);
  if (text.length > TEXT_MAX || more.length > 0 || !payload || signature?.length !== 64) return undefined;
  const claims = readClaims(payload);
  const key = claims && keys.get(claims.k);
  if (!key) return undefined;
  const bytes = new TextEncoder().encode(signed);
  return (await crypto.subtle.verify("Ed25519", key, signature, bytes)) ? claims : undefined;
}

/** Whether the times are those of a ticket that is good now. */
export function isCurrent(claims: Claims, nowMs: number): boolean {
  const now = nowMs / 1000;
  return (
    claims.e - claims.n <= LIFE_MAX_S &&
    claims.n <= now + LEEWAY_S &&
    claims.e <= now + LIFE_MAX_S + LEEWAY_S &&
    now < claims.e + LEEWAY_S
  );
}
