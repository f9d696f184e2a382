// SPDX-License-Identifier: Apache-2.0
// Plays an HLS URL with hls.js in headless Chromium and tells how it went.
//
//   echo '{"url": "http://...", "seconds": 10, "options": {}}' | node play.mjs
//
// The order comes on standard input, because a playback URL holds a ticket and arguments can be
// read by everybody. Prints one JSON line a tick ({at, position, frames, dropped, latency, events})
// and at the end one with `summary`: first_frame_ms, played_s, frames, dropped, longest_freeze_ms
// (of the picture, between its first frame and the end), errors, fatal, sequence_went_back. An
// `options` object goes to hls.js. Exit code 0 whenever the page ran; the caller judges.
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const order = JSON.parse(readFileSync(0, "utf8"));
const files = {
  "/": ["text/html", readFileSync(join(here, "page.html"))],
  "/hls.js": ["text/javascript", readFileSync(join(here, "node_modules/hls.js/dist/hls.min.js"))],
  "/config": ["application/json", JSON.stringify({ url: order.url, options: order.options ?? {} })],
};
const ticks = [];

function take(tick) {
  ticks.push(tick);
  console.log(JSON.stringify(tick));
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    if (request.method === "POST" && request.url === "/tick") {
      take(JSON.parse(Buffer.concat(chunks).toString()));
      response.writeHead(204).end();
      return;
    }
    const [type, body] = files[request.url] ?? ["text/plain", ""];
    response.writeHead(files[request.url] ? 200 : 404, { "Content-Type": type }).end(body);
  });
});

function summary() {
  const all = ticks.flatMap((tick) => tick.events);
  const levels = all.filter((event) => event.kind === "level").map((event) => event.detail);
  const first = ticks.find((tick) => tick.frames > 0);
  let movedAt = first ? first.at : 0;
  let longest = 0;
  ticks.forEach((tick, i) => {
    if (first && tick.at > first.at) {
      movedAt = tick.frames > ticks[i - 1].frames ? tick.at : movedAt;
      longest = Math.max(longest, tick.at - movedAt);
    }
  });
  const last = ticks.at(-1) ?? { frames: 0, dropped: 0, position: 0 };
  return {
    first_frame_ms: first ? first.at : null,
    played_s: first ? last.position - first.position : 0,
    frames: last.frames,
    dropped: last.dropped,
    longest_freeze_ms: longest,
    errors: all.filter((event) => event.kind === "error").length,
    fatal: all.filter((event) => event.kind === "fatal").map((event) => event.detail),
    sequence_went_back: levels.some((level, i) => i > 0 && level.last < levels[i - 1].last),
    discontinuities: new Set(levels.map((level) => level.cc)).size - (levels.length ? 1 : 0),
  };
}

server.listen(0, "127.0.0.1", () => {
  const profile = mkdtempSync(join(tmpdir(), "weir-player-"));
  const page = `http://127.0.0.1:${server.address().port}/`;
  const browser = spawn(
    process.env.CHROMIUM ?? "chromium",
    [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required", "--mute-audio",
      "--remote-debugging-port=0", `--user-data-dir=${profile}`, page,
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
  setTimeout(() => {
    console.log(JSON.stringify({ summary: summary() }));
    end(ticks.length > 0 ? 0 : 1);
  }, order.seconds * 1000);
  process.on("SIGTERM", () => end(1));
});
