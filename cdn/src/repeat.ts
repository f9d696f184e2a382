// SPDX-License-Identifier: Apache-2.0
// The last playlists and redirects, to be said again while the region is away (DESIGN section 6):
// players poll an unchanged playlist, but back off from an error. How long is said by the worker's
// origin, 15 s at most, as a time that is the same for everyone who repeats.

export interface Said {
  status: number;
  body: string;
  location: string;
  untilMs: number;
}

const MAX = 128;
export const BYTES_MAX = 64 * 1024;

const said = new Map<string, Said>();

export function remember(key: string, what: Said): void {
  said.delete(key);
  if (what.untilMs <= Date.now()) return;
  for (const oldest of said.keys()) {
    if (said.size < MAX) break;
    said.delete(oldest);
  }
  said.set(key, what);
}

export function recall(key: string): Said | undefined {
  const found = said.get(key);
  if (found && found.untilMs > Date.now()) return found;
  said.delete(key);
  return undefined;
}
