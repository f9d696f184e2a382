// SPDX-License-Identifier: Apache-2.0
// What front doors must know to judge tickets: the keys that sign them, and what was revoked. Fetched
// from the region at most every 2 s, by one request of an isolate for all.
import { isId } from "./path";
import { ask, textOf, type Env } from "./region";
import { base64urlBytes, isCurrent, verify, type Claims } from "./ticket";

const PERIOD_MS = 2000;
const TIMEOUT_MS = 1500;
const LOST_MS = 5000; // a request that was cut off may have taken its promise with it
const AGE_MAX_MS = 30_000;
const BYTES_MAX = 8 * 1024 * 1024;
const SEEN_MAX = 4096;
const REVOCABLE = ["t", "c", "s", "u", "l", "i", "g", "m"] as const;

interface List {
  etag: string;
  revision: number;
  ageMaxMs: number;
  goodUntilMs: number;
  keys: Map<string, CryptoKey>;
  revoked: Map<string, number>; // "claim:value" -> issued up to this second
  over: Set<string>; // "login/stream" of who plays too much
}

let list: List | undefined;
let triedAtMs = -Infinity;
let isFailing = false;
let running: Promise<void> | undefined;
/** Tickets whose signature was found good, by their text. */
const seen = new Map<string, Claims>();

const fail = (what: string): never => {
  throw new Error(`/control/front-doors: ${what}`);
};

const isInt = (value: unknown): value is number => Number.isSafeInteger(value);

async function keyOf(item: unknown): Promise<[string, CryptoKey]> {
  const { kid, alg, x } = (item ?? {}) as Record<string, unknown>;
  const bytes = typeof x === "string" ? base64urlBytes(x) : undefined;
  if (typeof kid !== "string" || alg !== "EdDSA" || bytes?.length !== 32) return fail("a key is malformed");
  return [kid, await crypto.subtle.importKey("raw", bytes, "Ed25519", false, ["verify"])];
}

function revocationOf(item: unknown): [string, number] {
  const { claim, value, before_s } = (item ?? {}) as Record<string, unknown>;
  const isKnown = REVOCABLE.some((name) => name === claim);
  if (!isKnown || !isId(value) || !isInt(before_s)) return fail("a revocation is malformed");
  return [`${String(claim)}:${value}`, before_s];
}

function overOf(item: unknown): string {
  const { login, stream } = (item ?? {}) as Record<string, unknown>;
  if (!isId(login) || !isId(stream)) return fail("who is over a limit is malformed");
  return `${login}/${stream}`;
}

/** All or nothing: what we cannot read could be a revocation. */
async function read(text: string, etag: string, askedAtMs: number): Promise<List> {
  const json = JSON.parse(text) as Record<string, unknown>;
  const { revision, max_age_ms: age, ticket_keys: keys, revocations } = json;
  const over = json.over ?? []; // an older api does not tell
  if (!Array.isArray(over)) return fail("over is no list");
  if (!isInt(revision) || !isInt(age) || !Array.isArray(keys) || !Array.isArray(revocations)) {
    return fail("a member is missing");
  }
  const revoked = new Map<string, number>();
  for (const [what, before] of revocations.map(revocationOf)) {
    revoked.set(what, Math.max(before, revoked.get(what) ?? before));
  }
  const ageMaxMs = Math.min(Math.max(age, 0), AGE_MAX_MS);
  return {
    etag,
    revision,
    ageMaxMs,
    goodUntilMs: askedAtMs + ageMaxMs,
    keys: new Map(await Promise.all(keys.map(keyOf))),
    revoked,
    over: new Set(over.map(overOf)),
  };
}

async function fetchList(env: Env): Promise<void> {
  const askedAtMs = Date.now();
  const answer = await ask(env, "/control/front-doors", TIMEOUT_MS, { etag: list?.etag ?? "" });
  if (answer.status === 304 && list) {
    list = { ...list, goodUntilMs: askedAtMs + list.ageMaxMs };
    return;
  }
  const text = answer.status === 200 ? await textOf(answer, BYTES_MAX) : fail(`status ${answer.status}`);
  const found = await read(text ?? fail("too long"), answer.headers.get("ETag") ?? "", askedAtMs);
  // An api that is behind knows less than we do, for as long as what we know counts.
  if (list && found.revision < list.revision && askedAtMs < list.goodUntilMs) fail("older than the last one");
  list = found;
}

async function refresh(env: Env): Promise<void> {
  triedAtMs = Date.now();
  try {
    await fetchList(env);
    isFailing = false;
  } catch (error) {
    isFailing = true;
    console.error(`front doors: ${error instanceof Error ? error.message : "?"}`);
  } finally {
    running = undefined;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Brings the list up to date; while that fails, nobody waits for it. */
async function upToDate(env: Env, ctx: ExecutionContext): Promise<void> {
  const sinceMs = Date.now() - triedAtMs;
  if (sinceMs >= (running ? LOST_MS : PERIOD_MS)) {
    running = refresh(env);
    ctx.waitUntil(running);
  }
  if (running && (!isFailing || !list)) await Promise.race([running, pause(TIMEOUT_MS)]);
}

function remember(text: string, claims: Claims): void {
  for (const oldest of seen.keys()) {
    if (seen.size < SEEN_MAX) break;
    seen.delete(oldest);
  }
  seen.set(text, claims);
}

const isRevoked = (claims: Claims, known: List): boolean =>
  REVOCABLE.some((name) => claims.n <= (known.revoked.get(`${name}:${claims[name]}`) ?? -1));

/** Whether the region wants this one kept out: he plays as much as he may already. */
export const isOver = (claims: Claims): boolean => list?.over.has(`${claims.l}/${claims.s}`) ?? false;

/** The claims of a ticket that may be used now, or the status to refuse it with. */
export async function judge(env: Env, ctx: ExecutionContext, text: string): Promise<Claims | 401 | 503> {
  await upToDate(env, ctx);
  const nowMs = Date.now();
  const isFresh = list !== undefined && nowMs < list.goodUntilMs;
  let claims = seen.get(text);
  if (!list || (!isFresh && !claims)) return 503;
  if (!claims) {
    claims = await verify(text, list.keys);
    if (!claims) return 401;
  }
  if (!isCurrent(claims, nowMs) || isRevoked(claims, list) || !list.keys.has(claims.k)) {
    seen.delete(text);
    return 401;
  }
  if (isFresh) remember(text, claims);
  return claims;
}
