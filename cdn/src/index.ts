// SPDX-License-Identifier: Apache-2.0
// The CDN's door for viewers: the gateway's contract (DESIGN section 6).
//
//     /live/<ticket>/<stream_id>/[<generation>/]<file>
//
// This outer entrypoint runs for every request: it looks at the ticket, and notes who watches. What it
// asks of the inner one (Origin), through the cache, has neither ticket nor viewer in it.
import { answer, browserCache, isProblem, refuse, typeOf } from "./answers";
import { isOver, judge } from "./doors";
import { mayAsk } from "./limit";
import { CODE, UNTIL, type Origin } from "./origin";
import { directives, isPlaylist, parse, split, type Target } from "./path";
import { pump, rangeOf } from "./range";
import type { Env } from "./region";
import { BYTES_MAX, recall, remember, type Said } from "./repeat";
import type { Claims } from "./ticket";
import { count, note, noteRefused } from "./views";

export { Origin } from "./origin";

declare global {
  namespace Cloudflare {
    interface GlobalProps {
      mainModule: typeof import("./index");
    }
  }
}

type Context = ExecutionContext & { exports: { Origin: LoopbackServiceStub<Origin> } };

interface Ask {
  request: Request;
  env: Env;
  ctx: Context;
  target: Target;
  claims: Claims;
}

function say({ request, env, target }: Ask, said: Said): Response {
  if (said.status === 302) return answer(request, env, 302, null, { Location: said.location });
  const length = String(new TextEncoder().encode(said.body).byteLength);
  const type = typeOf(target.file);
  return answer(request, env, 200, said.body, { "Content-Type": type, "Content-Length": length });
}

/** Playlists and redirects: read whole, since they may have to be said again. */
async function playlist(ask: Ask, inner: Response, key: string): Promise<Response> {
  const { request, env, target } = ask;
  const body = inner.status === 200 ? await inner.text() : "";
  const untilMs = Number(inner.headers.get(UNTIL) ?? 0);
  const said = { status: inner.status, body, location: inner.headers.get("Location") ?? "", untilMs };
  if (said.status !== 200 && said.status !== 302) return refuse(request, env, "unavailable");
  if (target.generation !== "" && body.length <= BYTES_MAX) remember(key, said);
  return say(ask, said);
}

/** Media: streamed, and cut here where a range is asked for. The cache wants whole files only. */
function media({ request, env, ctx, target }: Ask, inner: Response): Response {
  const length = inner.headers.get("Content-Length") ?? "";
  const headers = {
    "Content-Type": typeOf(target.file),
    "Cache-Control": browserCache(target.kind),
    "Accept-Ranges": "bytes",
  };
  // We give no validators, so an If-Range never holds.
  const asked = request.method === "GET" && !request.headers.has("If-Range") ? request.headers.get("Range") : null;
  const range = /^\d+$/.test(length) ? rangeOf(asked, Number(length)) : undefined;
  if (range === "none") {
    ctx.waitUntil(inner.body?.cancel() ?? Promise.resolve());
    return refuse(request, env, "range_not_satisfiable", { "Content-Range": `bytes */${length}` });
  }
  if (request.method === "HEAD") ctx.waitUntil(inner.body?.cancel() ?? Promise.resolve());
  if (!range || !inner.body) {
    return answer(request, env, 200, inner.body, { ...headers, ...(length === "" ? {} : { "Content-Length": length }) });
  }
  const { readable, writable } = new FixedLengthStream(range.length);
  ctx.waitUntil(pump(inner.body, range, writable));
  const { first } = range;
  return answer(request, env, 206, readable, {
    ...headers,
    "Content-Length": String(range.length),
    "Content-Range": `bytes ${first}-${first + range.length - 1}/${length}`,
  });
}

async function serve(ask: Ask, query: string): Promise<Response> {
  const { request, env, ctx, target, claims } = ask;
  const props = { tenant: claims.t, stream: target.stream, generation: target.generation };
  const isList = isPlaylist(target.kind);
  const asked = isList && target.generation !== "" ? directives(query) : "";
  const key = `${props.tenant}/${props.stream}/${props.generation}/${target.file}${asked}`;
  const inner = await ctx.exports.Origin({ props }).fetch(`https://origin/${target.file}${asked}`, {
    redirect: "manual",
  });
  if (inner.status === 200 && !isList) return media(ask, inner);
  if (inner.status === 200 || inner.status === 302) return playlist(ask, inner, key);
  const again = inner.status >= 500 ? recall(key) : undefined;
  const code = inner.headers.get(CODE);
  return again ? say(ask, again) : refuse(request, env, isProblem(code) ? code : "unavailable");
}

/** Tells of what a viewer gets: a body is counted whole when it begins. */
function counted({ request, env, ctx, target, claims }: Ask, response: Response): Response {
  const isSent = request.method === "GET" && (response.status === 200 || response.status === 206);
  const length = Number(response.headers.get("Content-Length") ?? 0);
  if (isSent) count(env, ctx, claims, target.kind, Number.isSafeInteger(length) ? length : 0);
  return response;
}

export default {
  async fetch(request: Request, env: Env, ctx: Context): Promise<Response> {
    if (request.method === "OPTIONS") {
      return answer(request, env, 204, null, { "Access-Control-Max-Age": "7200" });
    }
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(request, env, "method_not_allowed");
    const { path, query } = split(request.url);
    const target = parse(path);
    if (!target) return refuse(request, env, "not_found");
    const claims = await judge(env, ctx, target.ticket);
    if (claims === 401) return refuse(request, env, "unauthenticated");
    if (claims === 503) return refuse(request, env, "unavailable");
    if (!mayAsk(claims.i)) return refuse(request, env, "too_many_requests");
    if (claims.s !== target.stream) return refuse(request, env, "forbidden");
    if (isOver(claims)) {
      noteRefused(env, ctx, claims);
      return refuse(request, env, "quota_exceeded", { "Retry-After": "10" });
    }
    note(env, ctx, claims);
    const ask = { request, env, ctx, target, claims };
    try {
      return counted(ask, await serve(ask, query));
    } catch (error) {
      console.error(`serve: ${error instanceof Error ? error.message : "?"}`);
      return refuse(request, env, "unavailable");
    }
  },
};
