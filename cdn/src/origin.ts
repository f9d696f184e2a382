// SPDX-License-Identifier: Apache-2.0
// The inner entrypoint: one file of one stream, from the region. The cache stands before it, keyed by
// the props and by path and query, so what one tenant's stream answered can never answer another's.
import { WorkerEntrypoint } from "cloudflare:workers";
import { edgeCache, isProblem, statusOf, typeOf, type Problem } from "./answers";
import { isPlaylist, split, wantedOf, type Wanted } from "./path";
import { ask, textOf, type Env } from "./region";

export type Props = {
  tenant: string;
  stream: string;
  generation: string; // "" where the viewer named none
};

/** Until when a playlist or a redirect may be repeated while the region is away: Unix ms. */
export const UNTIL = "X-Weir-Until";
export const CODE = "X-Weir-Code";
const REPEAT_MAX_S = 15;

function timeoutOf(wanted: Wanted): number {
  if (!isPlaylist(wanted.kind)) return 12_000;
  // Without a generation the region holds a viewer of a stream that starts, for 10 s; one who watched, and
  // for whom nothing can be repeated any more, for 4 s behind what it tried before (docs/adr/0013).
  return wanted.generation === "" ? 16_000 : 8_000;
}

function problem(code: Problem): Response {
  return new Response(null, {
    status: statusOf(code),
    headers: { "Cache-Control": "no-store", [CODE]: code },
  });
}

/** The code that the region gives for an error; what it says beside that stays here. */
async function problemOf(upstream: Response): Promise<Response> {
  let code: unknown;
  try {
    const text = await textOf(upstream, 4096);
    code = (JSON.parse(text ?? "{}") as { code?: unknown }).code;
  } catch {
    // No problem+json; the status says enough.
  }
  if (upstream.status === 401) console.error("origin: the region does not know CDN_SECRET");
  const known = isProblem(code) && code.startsWith("stream_") ? code : undefined;
  if (known && statusOf(known) === upstream.status) return problem(known);
  if (upstream.status === 404) return problem("not_found");
  return problem(upstream.status === 410 ? "stream_stopped" : "unavailable");
}

function repeatOf(upstream: Response): number {
  const said = /(?:^|[ ,])stale-if-error=(\d{1,9})/.exec(upstream.headers.get("Cache-Control") ?? "");
  return Math.min(Number(said?.[1] ?? 0), REPEAT_MAX_S);
}

/** Relative, so that the ticket in the path stays where it is. */
function redirectOf(upstream: Response, wanted: Wanted): Response {
  const location = upstream.headers.get("Location") ?? "";
  const place = /^(\.\.\/)?[1-9][0-9]{0,17}\/([A-Za-z0-9_.-]{1,96})$/.exec(location);
  const isOurs = place?.[2] === wanted.file && (place[1] === undefined) === (wanted.generation === "");
  if (!isOurs) return problem("unavailable");
  const until = wanted.generation === "" ? 0 : Date.now() + 1000 * repeatOf(upstream);
  return new Response(null, {
    status: 302,
    headers: { Location: location, "Cache-Control": "no-store", [UNTIL]: String(until) },
  });
}

function fileOf(upstream: Response, wanted: Wanted, query: string): Response {
  const repeatS = repeatOf(upstream);
  const isReload = query.includes("_HLS_msn=");
  // A blocking reload that was not answered by what it asked for is of this moment.
  const isOfTheMoment = wanted.generation === "" || /no-store/.test(upstream.headers.get("Cache-Control") ?? "");
  const length = upstream.headers.get("Content-Length");
  return new Response(upstream.body, {
    headers: {
      "Content-Type": typeOf(wanted.file),
      "Cache-Control": isOfTheMoment ? "no-store" : edgeCache(wanted.kind, isReload, repeatS),
      ...(length === null ? {} : { "Content-Length": length }),
      ...(isPlaylist(wanted.kind) && !isReload ? { [UNTIL]: String(Date.now() + 1000 * repeatS) } : {}),
    },
  });
}

export class Origin extends WorkerEntrypoint<Env, Props> {
  override async fetch(request: Request): Promise<Response> {
    const { tenant, stream, generation } = this.ctx.props;
    const { path, query } = split(request.url);
    const wanted = wantedOf(stream, generation, path.slice(1));
    if (!wanted) return problem("not_found");
    const place = generation === "" ? stream : `${stream}/${generation}`;
    const asked = query === "" ? "" : `?${query}`;
    try {
      const upstream = await ask(this.env, `/origin/${place}/${wanted.file}${asked}`, timeoutOf(wanted));
      if (upstream.status !== 200 && upstream.status !== 302) return await problemOf(upstream);
      if (upstream.headers.get("X-Weir-Tenant") !== tenant) {
        await upstream.body?.cancel();
        console.error(`origin: stream ${stream} is not the ticket's tenant's`);
        return problem("forbidden");
      }
      return upstream.status === 302 ? redirectOf(upstream, wanted) : fileOf(upstream, wanted, query);
    } catch (error) {
      console.error(`origin: ${error instanceof Error ? error.message : "?"}`);
      return problem("unavailable");
    }
  }
}
