// SPDX-License-Identifier: Apache-2.0
// The Worker as it is deployed (dist/, from `npm run build`), in workerd on this machine. Nothing
// outside loopback is asked.
import { readFileSync } from "node:fs";
import { Miniflare } from "miniflare";

const config = new URL("../wrangler.jsonc", import.meta.url);
// As much JSONC as that file has: whole-line comments.
const { compatibility_date: compatibilityDate } = JSON.parse(
  readFileSync(config, "utf8").replaceAll(/^\s*\/\/.*$/gm, ""),
);

/** Runs the Worker with these variables; `port` 0 picks one. */
export function openDoor(bindings, port = 0) {
  return new Miniflare({
    name: "weir-cdn",
    modules: true,
    scriptPath: new URL("../dist/index.js", import.meta.url).pathname,
    compatibilityDate,
    bindings,
    host: "127.0.0.1",
    port,
    cf: false,
    telemetry: { enabled: false },
  });
}
