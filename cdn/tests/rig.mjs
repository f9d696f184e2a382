// SPDX-License-Identifier: Apache-2.0
// What the Worker's tests stand on: a region that answers what a test says and writes down what it was
// asked, tickets of every kind, and the Worker itself. A test that needs the real ones is in
// tests/conformance.
import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer } from "node:http";
import { openDoor } from "./door.mjs";

export const SECRET = "the-secret-of-the-cdn";
export const TENANT = "11111111-0000-4000-8000-000000000001";
export const STREAM = "33333333-0000-4000-8000-000000000001";
export const GENERATION = "1795906819";
export const PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n";
export const SEGMENT = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251));
export const now = () => Math.floor(Date.now() / 1000);

export function newKey() {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const bytes = publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  const kid = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  return { privateKey, kid, jwk: { kid, alg: "EdDSA", x: bytes.toString("base64url") } };
}

export function claims(key, more = {}) {
  return {
    v: 4, k: key.kid, t: TENANT, c: randomUUID(), s: STREAM, u: randomUUID(), l: randomUUID(),
    i: randomUUID(), n: now() - 1, e: now() + 599, ...more,
  };
}

/** Of a ticket by a grant. */
export function grantClaims(key, more = {}) {
  return claims(key, { v: 5, g: randomUUID(), m: randomUUID(), ...more });
}

const second = (n) => Buffer.from(n.toString(16).padStart(10, "0"), "hex");
const bytesOf = (id) => Buffer.from(id.replaceAll("-", ""), "hex");

/** What lib/io/ticket.h says, of any version; only the ids that are there. */
export function payloadOf({ v, k, n, e, t, c, s, u, l, i, g, m }) {
  const ids = [t, c, s, u, l, i, g, m].filter((id) => id !== undefined);
  return Buffer.concat([Buffer.from([v]), bytesOf(k), second(n), second(e), ...ids.map(bytesOf)]);
}

/** `payload`: claims, or the bytes themselves. */
export function ticket(key, payload) {
  const text = (Buffer.isBuffer(payload) ? payload : payloadOf(payload)).toString("base64url");
  return `${text}.${sign(null, Buffer.from(text), key.privateKey).toString("base64url")}`;
}

/** A region gateway. `files` by path without query; a function gets the request. */
export class Region {
  constructor(key) {
    this.keys = [key.jwk];
    this.revocations = [];
    this.over = undefined; // an older api does not tell
    this.revision = 1;
    this.maxAgeMs = 30000;
    this.asked = []; // of all but front doors: {method, url, headers, body}
    this.frontDoorsAsked = 0;
    this.frontDoors = () => ({ status: 200, body: JSON.stringify(this.list()) });
    this.answer = ({ url }) => this.usual(url);
  }

  list() {
    return {
      revision: this.revision, now_ms: Date.now(), max_age_ms: this.maxAgeMs,
      ticket_keys: this.keys, revocations: this.revocations, over: this.over,
    };
  }

  usual(url) {
    if (url === "/control/views") return { status: 200, body: '{"noted":1}' };
    const headers = { "X-Weir-Tenant": TENANT, Server: "nginx", "Set-Cookie": "a=b", "X-Other": "1" };
    if (/\.m3u8(\?|$)/.test(url)) {
      headers["Cache-Control"] = "max-age=1, stale-while-revalidate=1, stale-if-error=15";
      return { status: 200, headers, body: PLAYLIST };
    }
    headers["Cache-Control"] = "public, max-age=3600, immutable";
    return { status: 200, headers, body: SEGMENT };
  }

  origins() {
    return this.asked.filter(({ url }) => url.startsWith("/origin/"));
  }

  reports() {
    return this.asked.filter(({ url }) => url === "/control/views").map(({ body }) => JSON.parse(body));
  }

  async open() {
    this.server = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const { method, url, headers } = request;
      const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
      const isList = url === "/control/front-doors";
      if (isList) this.frontDoorsAsked += 1;
      else this.asked.push(one);
      const isKnown = headers.authorization === `Bearer ${SECRET}`;
      const said = isKnown ? await (isList ? this.frontDoors(one) : this.answer(one)) : { status: 401 };
      if (said.cut) return void request.socket.destroy();
      const body = Buffer.from(said.body ?? "");
      response.writeHead(said.status, { ...said.headers, "Content-Length": body.length }).end(body);
    });
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** One test's own region and Worker; both end with the test. The Worker has its list of keys, unless
 * `isCold`: on a busy machine its first question for it may take too long. */
export async function rig(t, bindings = {}, isCold = false) {
  const key = newKey();
  const region = await new Region(key).open();
  const door = openDoor({ REGION_URL: region.url, CDN_SECRET: SECRET, ALLOW_ORIGINS: "*", ...bindings });
  const url = (await door.ready).origin;
  t.after(async () => {
    await door.dispose();
    region.close();
  });
  const get = (path, init = {}) => fetch(url + path, { redirect: "manual", ...init });
  const play = (text, rest = `${GENERATION}/index.m3u8`, init = {}) =>
    get(`/live/${text}/${STREAM}/${rest}`, init);
  const elsewhere = ticket(key, claims(key, { s: randomUUID() }));
  if (!isCold) await until("its list", async () => (await play(elsewhere)).status === 403);
  return { key, region, door, url, get, play, good: ticket(key, claims(key)) };
}

export async function until(what, condition, seconds = 60) {
  const deadline = Date.now() + 1000 * seconds;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
