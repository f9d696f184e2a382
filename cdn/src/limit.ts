// SPDX-License-Identifier: Apache-2.0
// How often one ticket may ask: far above what players do. Each isolate counts for itself, so at a
// busy place it is some times as often; what it keeps away is a flood.

const RATE = 100; // a second
const BURST = 500;
const KNOWN_MAX = 4096;

interface Bucket {
  tokens: number;
  atMs: number;
}

const buckets = new Map<string, Bucket>();

/** Whether a ticket, by its id, may ask once more now. The one that asked longest ago is forgotten first. */
export function mayAsk(ticketId: string): boolean {
  const now = Date.now();
  const known = buckets.get(ticketId) ?? { tokens: BURST, atMs: now };
  const tokens = Math.min(BURST, known.tokens + ((now - known.atMs) * RATE) / 1000);
  buckets.delete(ticketId);
  for (const oldest of buckets.keys()) {
    if (buckets.size < KNOWN_MAX) break;
    buckets.delete(oldest);
  }
  buckets.set(ticketId, { tokens: tokens < 1 ? tokens : tokens - 1, atMs: now });
  return tokens >= 1;
}
