// SPDX-License-Identifier: Apache-2.0
// Who watches, told to the region: behind a cache its origins see one reader, or none, and would stop
// the stream as idle.
import { ask, type Env } from "./region";
import type { Claims } from "./ticket";

const PERIOD_MS = 3000;
const TIMEOUT_MS = 5000;
const REPORT_MAX = 256; // what one report may hold (api/views.h)
const NOTED_MAX = 8 * REPORT_MAX;

interface View {
  tenant: string;
  stream: string;
  ticket_id: string;
  atMs: number;
}

const noted = new Map<string, View>();
let toldAtMs = -Infinity;

/** One that gets lost is made good by the viewer's next request. */
async function tell(env: Env, views: readonly View[]): Promise<void> {
  for (let i = 0; i < views.length; i += REPORT_MAX) {
    const now = Date.now();
    const report = views.slice(i, i + REPORT_MAX).map(({ atMs, ...view }) => ({
      ...view,
      age_ms: Math.max(0, now - atMs),
    }));
    try {
      const answer = await ask(env, "/control/views", TIMEOUT_MS, { body: JSON.stringify({ views: report }) });
      await answer.body?.cancel();
      if (answer.status !== 200) console.error(`views: the region answers ${answer.status}`);
    } catch (error) {
      console.error(`views: ${error instanceof Error ? error.message : "?"}`);
    }
  }
}

/** Notes that a viewer asked now, and every few seconds tells who did. */
export function note(env: Env, ctx: ExecutionContext, claims: Claims): void {
  const atMs = Date.now();
  if (noted.size < NOTED_MAX) {
    noted.set(claims.i, { tenant: claims.t, stream: claims.s, ticket_id: claims.i, atMs });
  }
  if (atMs - toldAtMs >= PERIOD_MS) {
    const views = [...noted.values()];
    noted.clear();
    toldAtMs = atMs;
    ctx.waitUntil(tell(env, views));
  }
}
