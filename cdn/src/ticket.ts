// SPDX-License-Identifier: Apache-2.0
// Playback tickets (lib/io/ticket.h): base64url(payload) "." base64url(signature), Ed25519 over the
// text before the dot.
import { isId } from "./path";

export interface Claims {
  k: string; // key id
  t: string; // tenant
  c: string; // camera
  s: string; // stream
  u: string; // viewer
  l: string; // login
  i: string; // the ticket's id: what logs may carry
  g?: string; // of version 3: the grant that it is given by
  m?: string; // and the camera in the grant's group
  n: number; // issued at, Unix seconds
  e: number; // over at, Unix seconds
}

export const LEEWAY_S = 30;
const LIFE_MAX_S = 900;
const TEXT_MAX = 1024;
const IDS = ["t", "c", "s", "u", "l", "i"] as const;
/** What a ticket of each version must name. */
const IDS_OF = new Map<unknown, readonly string[]>([
  [2, IDS],
  [3, [...IDS, "g", "m"]],
]);

export function base64urlBytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  // One text for one value: left-over bits must be zero.
  const again = btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return again === text ? Uint8Array.from(plain, (c) => c.charCodeAt(0)) : undefined;
}

const isSecond = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value < 1e11;

function readClaims(payload: Uint8Array): Claims | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload);
    const json = JSON.parse(text) as Record<string, unknown> | null;
    const ids = IDS_OF.get(json?.v);
    if (typeof json !== "object" || json === null || !ids) return undefined;
    if (typeof json.k !== "string" || !/^[0-9a-f]{16}$/.test(json.k)) return undefined;
    if (!ids.every((name) => isId(json[name])) || !isSecond(json.n) || !isSecond(json.e)) return undefined;
    return json as unknown as Claims;
  } catch {
    return undefined;
  }
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
