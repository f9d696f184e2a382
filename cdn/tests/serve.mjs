// SPDX-License-Identifier: Apache-2.0
// Runs the Worker for other tests. Standard input: one JSON line with its variables; the Worker ends
// with the input. Standard output: one line, its URL. Variables hold a secret, so they are no arguments.
import { createInterface } from "node:readline";
import { openDoor } from "./door.mjs";

let door;
const lines = createInterface({ input: process.stdin });
lines.once("line", async (line) => {
  door = openDoor(JSON.parse(line));
  console.log((await door.ready).origin);
});
lines.on("close", async () => {
  await door?.dispose();
  process.exit(0);
});
