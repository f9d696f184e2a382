// SPDX-License-Identifier: Apache-2.0
// What a viewer may ask for. The grammar is the gateway's (deploy/compose/nginx.conf.in): whatever is
// not in it is no file of ours, so nothing a viewer writes reaches a URL that we ask.

export type Kind = "index" | "playlist" | "init" | "media";

export interface Wanted {
  stream: string;
  generation: string; // "" where none is named
  file: string;
  kind: Kind;
}

export interface Target extends Wanted {
  ticket: string;
}

const ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const LIVE = new RegExp(
  `^/live/([A-Za-z0-9._-]{16,2048})/(${ID})/(?:([1-9][0-9]{0,17})/)?([A-Za-z0-9_.-]{1,96})$`,
);
const GENERATION = /^(?:[1-9][0-9]{0,17})?$/;
const NAME = /^[A-Za-z0-9_-]{1,64}(?:\.m3u8|_part[0-9]{1,18}\.mp4|_init\.mp4|\.mp4|\.m4s|\.ts)$/;

export const isId = (text: unknown): text is string =>
  typeof text === "string" && new RegExp(`^${ID}$`).test(text);

/** What kind of file a name names; undefined when it is none of ours. */
export function kindOf(file: string): Kind | undefined {
  if (!NAME.test(file)) return undefined;
  if (file === "index.m3u8") return "index";
  if (file.endsWith(".m3u8")) return "playlist";
  return file.endsWith("_init.mp4") ? "init" : "media";
}

export const isPlaylist = (kind: Kind): boolean => kind === "index" || kind === "playlist";

/** Whether these parts make a file that may be asked of an origin. */
export function wantedOf(stream: string, generation: string, file: string): Wanted | undefined {
  const kind = kindOf(file);
  if (!kind || !isId(stream) || !GENERATION.test(generation)) return undefined;
  if (generation === "" && !isPlaylist(kind)) return undefined;
  return { stream, generation, file, kind };
}

/** Path and query of a request's URL as they were written: nothing is decoded or tidied up. */
export function split(url: string): { path: string; query: string } {
  const begin = url.indexOf("/", url.indexOf("//") + 2);
  const rest = begin < 0 ? "/" : url.slice(begin);
  const mark = rest.indexOf("?");
  return mark < 0 ? { path: rest, query: "" } : { path: rest.slice(0, mark), query: rest.slice(mark + 1) };
}

export function parse(path: string): Target | undefined {
  const found = LIVE.exec(path);
  if (!found) return undefined;
  const [, ticket = "", stream = "", generation = "", file = ""] = found;
  const wanted = wantedOf(stream, generation, file);
  return wanted && { ...wanted, ticket };
}

// Of the query only the delivery directives of low-latency HLS get through, checked and in one order.
const DIRECTIVES: readonly [string, RegExp][] = [
  ["_HLS_msn", /^\d{1,18}$/],
  ["_HLS_part", /^\d{1,9}$/],
  ["_HLS_skip", /^(?:YES|v2)$/],
];

/** "" or "?..."; as nginx reads arguments, the first of a name counts, whatever its case. */
export function directives(query: string): string {
  const given = new Map<string, string>();
  for (const pair of query.slice(0, 4096).split("&", 64)) {
    const [name = "", value = ""] = pair.split(/=(.*)/s, 2);
    if (!given.has(name.toLowerCase())) given.set(name.toLowerCase(), value);
  }
  const kept = DIRECTIVES.flatMap(([name, form]) => {
    const value = given.get(name.toLowerCase());
    return value !== undefined && form.test(value) ? [`${name}=${value}`] : [];
  });
  return kept.length > 0 ? `?${kept.join("&")}` : "";
}
