// SPDX-License-Identifier: Apache-2.0
// Plays HLS URLs with hls.js in headless Chromium, several in one page, and tells how it goes.
//
// Standard input: one JSON order a line, until its end, which ends the browser. It is not in the
// arguments, because a playback URL holds a ticket and arguments can be read by everybody.
//     {"add": {"name": "yard", "url": "http://...", "options": {}}}     `options` go to hls.js
//     {"remove": "yard"}
// Standard output: one JSON line a tick: {at, players: [{name, position, frames, dropped, latency,
// date, asked, events}]}. `at` and the times of events are milliseconds since 1970; `asked` is when
// the piece now on the screen was asked for; an event is an error, a fatal one, or a level (a
// playlist that was read: first and last sequence number, discontinuity sequence).
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const files = {
  "/": ["text/html", readFileSync(join(here, "page.html"))],
  "/hls.js": ["text/javascript", readFileSync(join(here, "node_modules/hls.js/dist/hls.min.js"))],
};
const orders = [];

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    if (request.method === "POST" && request.url === "/tick") {
      console.log(Buffer.concat(chunks).toString());
      response.writeHead(200, { "Content-Type": "application/json" });
      response.end(JSON.stringify(orders.splice(0)));
      return;
    }
    const [type, body] = files[request.url] ?? ["text/plain", ""];
    response.writeHead(files[request.url] ? 200 : 404, { "Content-Type": type }).end(body);
  });
});

server.listen(0, "127.0.0.1", () => {
  const profile = mkdtempSync(join(tmpdir(), "weir-player-"));
  const browser = spawn(
    process.env.CHROMIUM ?? "chromium",
    [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required", "--mute-audio",
      "--remote-debugging-port=0", `--user-data-dir=${profile}`,
      `http://127.0.0.1:${server.address().port}/`,
    ],
    { stdio: "ignore", detached: true },
  );
  const end = (code) => {
    try {
      process.kill(-browser.pid, "SIGKILL");
    } catch {
      // It ended by itself.
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    process.exit(code);
  };
  browser.on("error", (error) => {
    console.error(`chromium: ${error.message}`);
    end(1);
  });
  browser.on("exit", () => end(1));
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => orders.push(JSON.parse(line)));
  lines.on("close", () => end(0));
  process.on("SIGTERM", () => end(1));
});
