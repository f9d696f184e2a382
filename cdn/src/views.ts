// SPDX-License-Identifier: Apache-2.0
// Who watches and what he was sent, told to the region: behind a cache its origins see one reader, or
// none, and would stop the stream as idle; and the audit says who watched what.
import { ask, type Env } from "./region";
import type { Kind } from "./path";
import type { Claims } from "./ticket";

const PERIOD_MS = 3000;
const TIMEOUT_MS = 5000;
const PLAYING_MS = 10_000; // who was served for so long, and not refused since, plays
const IDLE_MS = 15_000; // a part that nobody was sent anything of ends
const KEEP_MS = 60_000; // what the region does not take for so long is given up
const ROUNDS_MAX = 5; // of one flusher: what a request began may go on for half a minute
const LOST_MS = 12_000; // a flusher that says nothing for so long was cut off
const REPORT_MAX = 128; // a report is 64 kB at most, and holds 256 at most (api/views.h)
const NOTED_MAX = 8192;

/** What one ticket was sent since it was seen first. Counts only rise, so to be told twice, or late,
 * does no harm; the region puts the parts of a viewer together. */
interface View {
  tenant: string;
  stream: string;
  ticketId: string;
  viewer: string;
  login: string;
  part: string;
  sinceMs: number; // of the first answer that counted
  atMs: number;
  segments: number;
  bytes: number;
  isCounted: boolean;
  playsSinceMs: number; // Infinity: he does not
  isDue: boolean;
}

const noted = new Map<string, View>();
let toldAtMs = -Infinity;
let flusherAtMs = -Infinity; // when one that runs was last seen to

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function reportOf(view: View, now: number): unknown {
  const { tenant, stream, viewer, login, part, segments, bytes } = view;
  const age = (ms: number) => Math.max(0, now - ms);
  const who = { viewer, login, is_playing: now - view.playsSinceMs >= PLAYING_MS };
  const seen = { tenant, stream, ticket_id: view.ticketId, age_ms: age(view.atMs), who };
  if (!view.isCounted) return seen;
  return { ...seen, counted: { part, since_ms: age(view.sinceMs), segments, bytes } };
}

/** Whether the region took it. */
async function post(env: Env, views: readonly View[]): Promise<boolean> {
  const now = Date.now();
  try {
    const body = JSON.stringify({ views: views.map((view) => reportOf(view, now)) });
    const answer = await ask(env, "/control/views", TIMEOUT_MS, { body });
    await answer.body?.cancel();
    if (answer.status !== 200) console.error(`views: the region answers ${answer.status}`);
    return answer.status === 200;
  } catch (error) {
    console.error(`views: ${error instanceof Error ? error.message : "?"}`);
    return false;
  }
}

function forget(now: number): void {
  for (const [id, { atMs, isDue }] of noted) {
    if (now - atMs >= (isDue ? KEEP_MS : IDLE_MS)) noted.delete(id);
  }
}

async function tell(env: Env): Promise<void> {
  toldAtMs = Date.now();
  const due = [...noted.values()].filter(({ isDue }) => isDue);
  for (let i = 0; i < due.length; i += REPORT_MAX) {
    const some = due.slice(i, i + REPORT_MAX);
    for (const view of some) view.isDue = false;
    if (!(await post(env, some))) for (const view of some) view.isDue = true;
  }
  forget(Date.now());
}

/** Tells every few seconds, while there is something to tell. */
async function flush(env: Env): Promise<void> {
  const isAnyDue = () => [...noted.values()].some(({ isDue }) => isDue);
  for (let round = 0; round < ROUNDS_MAX && isAnyDue(); round += 1) {
    await pause(Math.max(0, toldAtMs + PERIOD_MS - Date.now()));
    flusherAtMs = Date.now();
    await tell(env);
  }
  flusherAtMs = -Infinity;
}

function viewOf(claims: Claims, atMs: number): View | undefined {
  const known = noted.get(claims.i);
  if (known && atMs - known.atMs < IDLE_MS) return known;
  if (!known && noted.size >= NOTED_MAX) return undefined;
  const view: View = {
    tenant: claims.t,
    stream: claims.s,
    ticketId: claims.i,
    viewer: claims.u,
    login: claims.l,
    part: crypto.randomUUID(),
    sinceMs: atMs,
    atMs,
    segments: 0,
    bytes: 0,
    isCounted: false,
    playsSinceMs: Infinity,
    isDue: true,
  };
  noted.set(claims.i, view);
  return view;
}

function see(env: Env, ctx: ExecutionContext, claims: Claims): View | undefined {
  const atMs = Date.now();
  const view = viewOf(claims, atMs);
  if (view) {
    view.atMs = atMs;
    view.isDue = true;
  }
  if (atMs - flusherAtMs >= LOST_MS) {
    flusherAtMs = atMs;
    ctx.waitUntil(flush(env));
  }
  return view;
}

/** Notes that a viewer asked now. */
export function note(env: Env, ctx: ExecutionContext, claims: Claims): void {
  see(env, ctx, claims);
}

/** The same of one who was kept out: the region must know that he goes on to ask. */
export function noteRefused(env: Env, ctx: ExecutionContext, claims: Claims): void {
  const view = see(env, ctx, claims);
  if (view) view.playsSinceMs = Infinity;
}

/** Counts what he is sent: `bytes` of a body. A playlist says that he is there, and counts nothing. */
export function count(env: Env, ctx: ExecutionContext, claims: Claims, kind: Kind, bytes: number): void {
  const view = see(env, ctx, claims);
  if (!view) return;
  if (!view.isCounted) view.sinceMs = view.atMs;
  view.isCounted = true;
  view.playsSinceMs = Math.min(view.playsSinceMs, view.atMs);
  view.segments += kind === "media" ? 1 : 0;
  view.bytes += kind === "media" || kind === "init" ? bytes : 0;
}
