// SPDX-License-Identifier: Apache-2.0
// The one place that asks anything of the outside: the region gateway that is configured.

export interface Env {
  REGION_URL: string; // the gateway's second listener
  CDN_SECRET: string; // what it knows us by
  ALLOW_ORIGINS: string; // "*", or origins with a comma between them
}

const LOCAL = new Set(["127.0.0.1", "localhost", "[::1]"]);

function baseOf(env: Env): string {
  const url = new URL(env.REGION_URL);
  const isPlain = url.pathname === "/" && url.search === "" && url.username === "";
  if (!isPlain || (url.protocol !== "https:" && !LOCAL.has(url.hostname))) {
    throw new Error("REGION_URL must be https:// and a host, without a path: set it in wrangler.jsonc");
  }
  if (!env.CDN_SECRET) {
    throw new Error("CDN_SECRET is not set: `wrangler secret put CDN_SECRET`");
  }
  return url.origin;
}

/** Asks the region gateway. `path` is made of checked parts. Nothing of the viewer's request goes on. */
export function ask(
  env: Env,
  path: string,
  timeoutMs: number,
  { body, etag }: { body?: string; etag?: string } = {},
): Promise<Response> {
  return fetch(baseOf(env) + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { Authorization: `Bearer ${env.CDN_SECRET}`, ...(etag ? { "If-None-Match": etag } : {}) },
    redirect: "manual",
    // What may be kept is kept by the cache before Origin, and nowhere else.
    cache: "no-store",
    signal: AbortSignal.timeout(timeoutMs),
    ...(body === undefined ? {} : { body }),
  });
}

/** The body's text; undefined when it is longer than `max` bytes. */
export async function textOf(response: Response, max: number): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let size = 0;
  let text = "";
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > max) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
