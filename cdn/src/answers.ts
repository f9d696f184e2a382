// SPDX-License-Identifier: Apache-2.0
// What viewers are answered: constants, and headers made here. Of an origin's answer nothing but bytes
// gets out.
import { isPlaylist, type Kind } from "./path";
import type { Env } from "./region";

/** Codes that clients tell apart, and what people read. */
const PROBLEMS = {
  unauthenticated: [401, "No valid ticket"],
  forbidden: [403, "Not with this ticket"],
  not_found: [404, "Nothing here"],
  method_not_allowed: [405, "GET, HEAD or OPTIONS"],
  stream_stopped: [410, "This stream ended; start it again"],
  stream_failed: [410, "This stream failed; start it again"],
  stream_rejected: [410, "This stream was not let in; start it again"],
  stream_not_started: [410, "This stream was not started; start it again"],
  too_many_requests: [429, "Too often with this ticket"],
  quota_exceeded: [429, "Too many streams at once"],
  range_not_satisfiable: [416, "No such bytes"],
  stream_starting: [503, "This stream does not play yet"],
  unavailable: [503, "Not available now"],
} as const satisfies Record<string, readonly [number, string]>;

export type Problem = keyof typeof PROBLEMS;

/** Seconds after which it may be tried again. */
const RETRY_S: Readonly<Record<number, string>> = { 429: "1", 503: "1" };

export const isProblem = (code: unknown): code is Problem =>
  typeof code === "string" && Object.hasOwn(PROBLEMS, code);

export const statusOf = (code: Problem): number => PROBLEMS[code][0];

export function typeOf(file: string): string {
  if (file.endsWith(".m3u8")) return "application/vnd.apple.mpegurl";
  return file.endsWith(".ts") ? "video/mp2t" : "video/mp4";
}

/** What a browser may keep: media of a generation never changes, answers and playlists do. */
export function browserCache(kind: Kind): string {
  if (isPlaylist(kind)) return "no-store";
  return kind === "init" ? "private, max-age=3600" : "private, max-age=60";
}

/** What the cache before Origin may keep; `repeatS` is how long the region lets a playlist be repeated.
 * Without a stale-if-error a stale answer would stand for an error without end. */
export function edgeCache(kind: Kind, isReload: boolean, repeatS: number): string {
  if (kind === "index") return `public, max-age=5, stale-if-error=${repeatS}`;
  if (kind === "playlist" && isReload) return "public, max-age=6, stale-if-error=0";
  if (kind === "playlist") return `public, max-age=1, stale-if-error=${repeatS}`;
  return `public, max-age=3600, stale-if-error=${kind === "init" ? 60 : 0}`;
}

function allowed(request: Request, env: Env): Record<string, string> {
  if (env.ALLOW_ORIGINS === "*") return { "Access-Control-Allow-Origin": "*" };
  const origin = request.headers.get("Origin") ?? "";
  const isKnown = origin !== "" && env.ALLOW_ORIGINS.split(",").some((known) => known.trim() === origin);
  return { Vary: "Origin", ...(isKnown ? { "Access-Control-Allow-Origin": origin } : {}) };
}

/** An answer with what all answers have. */
export function answer(
  request: Request,
  env: Env,
  status: number,
  body: BodyInit | null,
  headers: Record<string, string> = {},
): Response {
  return new Response(request.method === "HEAD" ? null : body, {
    status,
    headers: {
      "Cache-Control": "no-store",
      "Referrer-Policy": "no-referrer",
      "X-Content-Type-Options": "nosniff",
      ...allowed(request, env),
      "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
      "Access-Control-Allow-Headers": "Range",
      "Access-Control-Expose-Headers": "Age, Content-Range, Retry-After",
      ...headers,
      // For the cache before this Worker, whose key would be the ticket. Cloudflare takes it away.
      "Cloudflare-CDN-Cache-Control": "no-store",
    },
  });
}

export function refuse(request: Request, env: Env, code: Problem, more: Record<string, string> = {}): Response {
  const [status, title] = PROBLEMS[code];
  const body = `${JSON.stringify({ status, code, title })}\n`;
  return answer(request, env, status, body, {
    "Content-Type": "application/problem+json",
    ...(RETRY_S[status] ? { "Retry-After": RETRY_S[status] } : {}),
    ...more,
  });
}
