// SPDX-License-Identifier: Apache-2.0
// The Worker in workerd, before a region that can do what a real one would rarely do.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { readFileSync } from "node:fs";
import { Miniflare } from "miniflare";
import {
  claims, GENERATION, grantClaims, newKey, now, payloadOf, PLAYLIST, rig, SECRET, SEGMENT, STREAM, TENANT, ticket, until,
} from "./rig.mjs";

const SEG = `${GENERATION}/aa_video1_seg7.mp4`;

// They wait more than they work: for the Worker's next look at the list, for a time to come.
describe("the Worker", { concurrency: 6 }, () => {
  test("a ticket opens, and nothing of the viewer's request goes on", async (t) => {
    const { region, play, good } = await rig(t);
    const answer = await play(good, `${GENERATION}/v_stream.m3u8?x=1&_HLS_skip=YES&_HLS_part=2&token=z&_hls_MSN=7`, {
      headers: { Cookie: "c=d", Authorization: "Bearer mine", "X-Forwarded-For": "1.2.3.4", "If-None-Match": "x" },
    });
    assert.equal(answer.status, 200);
    assert.equal(await answer.text(), PLAYLIST);
    const [asked] = region.origins();
    assert.equal(asked.url, `/origin/${STREAM}/${GENERATION}/v_stream.m3u8?_HLS_msn=7&_HLS_part=2&_HLS_skip=YES`);
    assert.equal(asked.headers.authorization, `Bearer ${SECRET}`);
    for (const name of ["cookie", "x-forwarded-for", "if-none-match", "range"]) assert.equal(asked.headers[name], undefined);
    assert.ok(!JSON.stringify(region.asked).includes(good));
  });

  test("nothing of the region's headers gets out", async (t) => {
    const { play, good } = await rig(t);
    for (const rest of [SEG, `${GENERATION}/index.m3u8`]) {
      const answer = await play(good, rest);
      assert.equal(answer.status, 200);
      for (const name of ["server", "set-cookie", "x-other", "x-weir-tenant", "x-weir-until", "x-weir-code"]) {
        assert.equal(answer.headers.get(name), null, name);
      }
      assert.equal(answer.headers.get("referrer-policy"), "no-referrer");
      assert.equal(answer.headers.get("cloudflare-cdn-cache-control"), "no-store");
    }
  });

  test("no ticket but a good one opens, and a bad one is not worth a question to an origin", async (t) => {
    const { key, region, play, good } = await rig(t);
    const stranger = newKey();
    const [payload, signature] = good.split(".");
    const one = claims(key);
    const without = (name) => Object.fromEntries(Object.entries(one).filter(([known]) => known !== name));
    const last = signature.at(-1) === "A" ? "B" : "A";
    const bad = {
      over: ticket(key, { ...one, n: now() - 700, e: now() - 31 }),
      "of too long a life": ticket(key, { ...one, e: one.n + 901 }),
      "issued later": ticket(key, { ...one, n: now() + 60, e: now() + 120 }),
      "of version 1": ticket(key, { ...one, v: 1 }),
      "of nothing": ticket(key, Buffer.alloc(0)),
      "of one byte": ticket(key, Buffer.from([4])),
      "with a byte more": ticket(key, Buffer.concat([payloadOf(one), Buffer.from([0])])),
      "with a byte less": ticket(key, payloadOf(one).subarray(0, -1)),
      "that never ends": ticket(key, { ...one, e: 2 ** 40 - 1 }),
      "of a stranger's key": ticket(stranger, { ...one, k: key.kid }),
      "of a key nobody told": ticket(stranger, { ...one, k: stranger.kid }),
      "with a key id of zeros": ticket(key, { ...one, k: "0".repeat(16) }),
      "with another's signature": `${payload}.${ticket(key, one).split(".")[1]}`,
      "with a payload changed": `${payload.slice(0, 30)}${payload[30] === "x" ? "y" : "x"}${payload.slice(31)}.${signature}`,
      "with the signature's spare bits": `${payload}.${signature.slice(0, -1)}${last}`,
      "with three parts": `${good}.x`,
      "with no signature": `${payload}.`,
      "without a dot": payload,
      "that is long": "a".repeat(2000),
      "of a version to come": ticket(key, grantClaims(key, { v: 6 })),
      "of version 5 without a grant": ticket(key, { ...one, v: 5 }),
      "of version 4 with a grant": ticket(key, grantClaims(key, { v: 4 })),
      "by a grant that is nil": ticket(key, grantClaims(key, { g: "00000000-0000-0000-0000-000000000000" })),
      "by a grant without a membership": ticket(key, grantClaims(key, { m: undefined })),
      ...Object.fromEntries([..."tcsuli"].map((name) => [`without ${name}`, ticket(key, without(name))])),
    };
    assert.equal((await play(good)).status, 200);
    const before = region.origins().length;
    for (const [what, text] of Object.entries(bad)) {
      for (const rest of [`${GENERATION}/index.m3u8`, "index.m3u8", SEG]) {
        const answer = await play(text, rest);
        assert.equal(answer.status, 401, `${what}: ${rest}`);
        assert.equal((await answer.json()).code, "unauthenticated");
        assert.equal(answer.headers.get("cache-control"), "no-store");
      }
    }
    assert.equal(region.origins().length, before);
  });

  test("clocks may differ by half a minute", async (t) => {
    const { key, play } = await rig(t);
    for (const times of [{ n: now() - 600, e: now() - 20 }, { n: now() + 20, e: now() + 600 }]) {
      assert.equal((await play(ticket(key, claims(key, times)))).status, 200);
    }
  });

  test("a ticket is for one stream", async (t) => {
    const { key, region, play } = await rig(t);
    const answer = await play(ticket(key, claims(key, { s: randomUUID() })));
    assert.equal(answer.status, 403);
    assert.equal((await answer.json()).code, "forbidden");
    assert.equal(region.origins().length, 0);
  });

  test("a stream that is not the ticket's tenant's is refused, whatever the region sends", async (t) => {
    const { region, play, good } = await rig(t);
    region.answer = ({ url }) => {
      const usual = region.usual(url);
      return { ...usual, headers: { ...usual.headers, "X-Weir-Tenant": randomUUID() } };
    };
    for (const rest of [SEG, `${GENERATION}/index.m3u8`]) {
      const answer = await play(good, rest);
      assert.equal(answer.status, 403);
      assert.ok(!(await answer.text()).includes("EXTM3U"));
    }
  });

  test("each claim can be revoked, up to a time of issue", async (t) => {
    const { key, region, play } = await rig(t);
    const held = grantClaims(key);
    const later = { ...held, n: held.n + 1 };
    assert.equal((await play(ticket(key, held))).status, 200);
    for (const claim of ["t", "c", "s", "u", "l", "i", "g", "m"]) {
      region.revision += 1;
      region.revocations = [{ claim, value: held[claim], before_s: held.n }];
      await until(`${claim} is revoked`, async () => (await play(ticket(key, held))).status === 401);
      assert.equal((await play(ticket(key, later))).status, 200);
    }
    region.revision += 1;
    region.revocations = [];
    await until("no more", async () => (await play(ticket(key, held))).status === 200);
  });

  test("a grant's end and a camera that left a group end only what was given by them", async (t) => {
    const { key, region, play } = await rig(t);
    const held = grantClaims(key);
    const { g, m, ...rest } = held;
    const neighbours = [{ ...rest, v: 4 }, { ...held, g: randomUUID(), m: randomUUID() }];
    for (const [claim, value] of [["g", g], ["m", m]]) {
      region.revision += 1;
      region.revocations = [{ claim, value, before_s: held.n }];
      await until(`${claim} is revoked`, async () => (await play(ticket(key, held))).status === 401);
      for (const neighbour of neighbours) {
        assert.equal((await play(ticket(key, neighbour))).status, 200);
      }
    }
  });

  test("keys come and go with the list", async (t) => {
    const { key, region, play, good } = await rig(t);
    const next = newKey();
    const theirs = ticket(next, claims(next));
    assert.equal((await play(theirs)).status, 401);
    region.keys = [key.jwk, next.jwk];
    await until("the new key counts", async () => (await play(theirs)).status === 200);
    assert.equal((await play(good)).status, 200);
    region.keys = [next.jwk];
    await until("the old one does not", async () => (await play(good)).status === 401);
  });

  test("without news only tickets that were seen go on, until they are over", async (t) => {
    const { key, region, play, good } = await rig(t);
    region.maxAgeMs = 4000;
    const before = region.frontDoorsAsked;
    let short = "";
    await until("both are seen", async () => {
      short = ticket(key, claims(key, { n: now() - 880, e: now() - 15 }));
      const isSeen = (await play(good)).status === 200 && (await play(short)).status === 200;
      return isSeen && region.frontDoorsAsked > before + 1;
    });
    region.frontDoors = () => ({ cut: true });
    const another = () => ticket(key, claims(key));
    await until("new ones are refused", async () => (await play(another())).status === 503);
    assert.equal((await play(good)).status, 200);
    await until("its time ends", async () => (await play(short)).status === 401);
    assert.equal((await play(good)).status, 200);
    region.frontDoors = () => ({ status: 200, body: JSON.stringify(region.list()) });
    await until("news again", async () => (await play(another())).status === 200);
  });

  test("a list that cannot be read whole is not taken", async (t) => {
    const { key, region, play, good } = await rig(t, {}, true);
    const lists = [
      "", "{", "[]", "null", JSON.stringify({ ...region.list(), ticket_keys: undefined }),
      JSON.stringify({ ...region.list(), ticket_keys: [{ ...key.jwk, x: "AA" }] }),
      JSON.stringify({ ...region.list(), ticket_keys: [{ ...key.jwk, alg: "none" }] }),
      JSON.stringify({ ...region.list(), revocations: [{ claim: "x", value: STREAM, before_s: 1 }] }),
      JSON.stringify({ ...region.list(), revocations: [{ claim: "t", value: "*", before_s: 1 }] }),
      JSON.stringify({ ...region.list(), revocations: [{ claim: "t", value: STREAM, before_s: "1" }] }),
    ];
    for (const body of lists) {
      region.frontDoors = () => ({ status: 200, body });
      const before = region.frontDoorsAsked;
      await until("it asks again", async () => {
        assert.equal((await play(good)).status, 503, body);
        return region.frontDoorsAsked > before;
      });
    }
  });

  test("an older list does not replace a newer one", async (t) => {
    const { region, key, play } = await rig(t);
    const held = claims(key);
    region.revision = 9;
    region.revocations = [{ claim: "l", value: held.l, before_s: held.n }];
    await until("the newer one counts", async () => (await play(ticket(key, held))).status === 401);
    region.revision = 8;
    region.revocations = [];
    const before = region.frontDoorsAsked;
    await until("it asks again", async () => {
      assert.equal((await play(ticket(key, held))).status, 401);
      return region.frontDoorsAsked > before + 1;
    });
  });

  test("many viewers are one question for the list, and an unchanged one costs 304", async (t) => {
    const { region, play, key } = await rig(t, {}, true);
    const began = Date.now();
    let unchanged = 0;
    region.frontDoors = ({ headers }) => {
      const etag = `"${region.revision}"`;
      if (headers["if-none-match"] === etag) unchanged += 1;
      if (headers["if-none-match"] === etag) return { status: 304, headers: { ETag: etag } };
      return { status: 200, headers: { ETag: etag }, body: JSON.stringify(region.list()) };
    };
    const many = () => Promise.all(Array.from({ length: 40 }, () => play(ticket(key, claims(key)))));
    await until("all play", async () => (await many()).every(({ status }) => status === 200));
    assert.ok(region.frontDoorsAsked <= 1 + (Date.now() - began) / 2000);
    await until("304", async () => (await play(ticket(key, claims(key)))).status === 200 && unchanged > 0);
  });

  test("paths are exact", async (t) => {
    const { region, get, good } = await rig(t);
    const live = `/live/${good}/${STREAM}`;
    for (const path of [
      "/", "/live", "/live/", `/live/${good}`, `${live}/`, `${live}/${GENERATION}`, `${live}/${GENERATION}/`,
      `${live}/0/index.m3u8`, `${live}/01/index.m3u8`, `${live}/-1/index.m3u8`, `${live}/${"9".repeat(19)}/index.m3u8`,
      `${live}/aa_seg.mp4`, `${live}/${GENERATION}/index.html`, `${live}/${GENERATION}/.m3u8`, `${live}/${GENERATION}/a.b.m3u8`,
      `${live}/${GENERATION}/${"a".repeat(65)}.mp4`, `${live}/${GENERATION}/a%2fb.mp4`, `${live}/${GENERATION}/%61.mp4`,
      `${live}/${GENERATION}/a%00.mp4`, `${live}/${GENERATION}/..%2f..%2fx.mp4`, `${live}/${GENERATION}/%252e.mp4`,
      `${live}/${GENERATION}//index.m3u8`, `${live}/${GENERATION}/index.m3u8/`, `${live}/${GENERATION}/index.m3u8;x`,
      `/live/${good}/${STREAM.toUpperCase()}x/index.m3u8`, `/LIVE/${good}/${STREAM}/index.m3u8`, `/x${live}/index.m3u8`,
      `/origin/${STREAM}/${GENERATION}/index.m3u8`, "/control/front-doors", "/control/views", "/internal/v1/play",
      `/live/short/${STREAM}/index.m3u8`, `/live/${"a".repeat(3000)}/${STREAM}/index.m3u8`,
    ]) {
      const answer = await get(path);
      assert.equal(answer.status, 404, path);
      assert.deepEqual(await answer.json(), { status: 404, code: "not_found", title: "Nothing here" });
    }
    assert.deepEqual(region.asked, []);
  });

  test("GET, HEAD and OPTIONS only", async (t) => {
    const { play, good, region } = await rig(t);
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      assert.equal((await play(good, SEG, { method, body: "x" })).status, 405);
    }
    const options = await play(good, SEG, { method: "OPTIONS" });
    assert.equal(options.status, 204);
    assert.equal(options.headers.get("access-control-max-age"), "7200");
    assert.equal(region.origins().length, 0);
    const head = await play(good, SEG, { method: "HEAD" });
    assert.equal(head.headers.get("content-length"), String(SEGMENT.length));
    assert.equal(await head.text(), "");
  });

  test("ranges are cut from the whole file", async (t) => {
    const { play, good, region } = await rig(t);
    const size = SEGMENT.length;
    for (const [range, first, last] of [
      ["bytes=0-9", 0, 9], ["bytes=10-", 10, size - 1], ["bytes=-5", size - 5, size - 1], ["BYTES=4-4", 4, 4],
      [`bytes=${size - 1}-`, size - 1, size - 1], ["bytes=-999999", 0, size - 1], ["bytes=7-999999", 7, size - 1],
    ]) {
      const answer = await play(good, SEG, { headers: { Range: range } });
      assert.equal(answer.status, 206, range);
      assert.equal(answer.headers.get("content-range"), `bytes ${first}-${last}/${size}`);
      assert.deepEqual(Buffer.from(await answer.arrayBuffer()), SEGMENT.subarray(first, last + 1), range);
    }
    for (const range of [`bytes=${size}-`, "bytes=5-2", "bytes=-0", "bytes=abc", "bytes=-", "bytes=1", "bytes=--1"]) {
      const answer = await play(good, SEG, { headers: { Range: range } });
      assert.equal(answer.status, 416, range);
      assert.equal(answer.headers.get("content-range"), `bytes */${size}`);
    }
    for (const headers of [{ Range: "bytes=0-1,4-5" }, { Range: "lines=0-1" }, { Range: "bytes=0-1", "If-Range": '"x"' }]) {
      const answer = await play(good, SEG, { headers });
      assert.equal(answer.status, 200);
      assert.deepEqual(Buffer.from(await answer.arrayBuffer()), SEGMENT);
    }
    assert.ok(region.origins().every(({ headers }) => headers.range === undefined));
  });

  test("a redirect leads to another generation of the same file, and nowhere else", async (t) => {
    const { region, play, good } = await rig(t);
    const lead = (location) => {
      region.answer = () => ({ status: 302, headers: { Location: location, "X-Weir-Tenant": TENANT } });
    };
    lead("../1795906900/index.m3u8");
    const answer = await play(good);
    assert.equal(answer.status, 302);
    assert.equal(answer.headers.get("location"), "../1795906900/index.m3u8");
    assert.equal(answer.headers.get("cache-control"), "no-store");
    lead("1795906900/index.m3u8");
    assert.equal((await play(good, "index.m3u8")).headers.get("location"), "1795906900/index.m3u8");
    for (const location of ["https://evil.example/x", "//evil.example/index.m3u8", "/x", "../../x/index.m3u8",
      "../1/other.m3u8", "../0/index.m3u8", "1/index.m3u8", ""]) {
      lead(location);
      const refused = await play(good, "2/index.m3u8");
      assert.equal(refused.status, 503, location);
      assert.equal(refused.headers.get("location"), null);
    }
  });

  test("the last playlist is said again while the region is away, until the time it gave", async (t) => {
    const { region, play, good } = await rig(t);
    const usual = region.answer;
    region.answer = (asked) => {
      const said = usual(asked);
      return { ...said, headers: { ...said.headers, "Cache-Control": "max-age=1, stale-if-error=3" } };
    };
    assert.equal((await play(good)).status, 200);
    for (const away of [() => ({ status: 503 }), () => ({ cut: true }), () => ({ status: 500, body: "x" })]) {
      region.answer = away;
      const again = await play(good);
      if (again.status === 200) assert.equal(await again.text(), PLAYLIST);
      assert.equal((await play(good, `${GENERATION}/other.m3u8`)).status, 503);
      assert.equal((await play(good, SEG)).status, 503);
    }
    await until("the truth", async () => (await play(good)).status === 503);
  });

  test("what the region will not have repeated is not", async (t) => {
    const { region, play, good } = await rig(t);
    const usual = region.answer;
    for (const said of ["max-age=1, stale-if-error=0", "no-store", ""]) {
      region.answer = (asked) => {
        const answer = usual(asked);
        return { ...answer, headers: { ...answer.headers, "Cache-Control": said } };
      };
      assert.equal((await play(good)).status, 200);
      region.answer = () => ({ status: 503 });
      assert.equal((await play(good)).status, 503, said);
    }
  });

  test("what the region says of a stream is told in our own words", async (t) => {
    const { region, play, good } = await rig(t);
    for (const [status, code, told] of [
      [410, "stream_stopped", "stream_stopped"], [410, "stream_failed", "stream_failed"], [410, "other", "stream_stopped"],
      [503, "stream_starting", "stream_starting"], [503, "no", "unavailable"], [404, "not_found", "not_found"],
      [404, "stream_stopped", "not_found"], [401, "unauthenticated", "unavailable"], [500, "constructor", "unavailable"],
    ]) {
      region.answer = () => ({ status, body: JSON.stringify({ code, detail: "inside" }) });
      const answer = await play(good, "index.m3u8");
      const body = await answer.json();
      assert.equal(body.code, told, code);
      assert.equal(body.detail, undefined);
      assert.equal(answer.headers.get("cache-control"), "no-store");
      assert.equal(answer.headers.get("retry-after"), answer.status === 503 ? "1" : null);
    }
  });

  test("who watches is told, with an age and not a time", async (t) => {
    const { key, region, play } = await rig(t);
    const one = claims(key);
    const text = ticket(key, one);
    await play(ticket(key, claims(key, { e: now() - 60 })));
    await until("a report", async () => {
      await play(text);
      return region.reports().length > 1;
    });
    const views = region.reports().flatMap((report) => report.views);
    for (const { age_ms: age, counted, ...view } of views) {
      const who = { viewer: one.u, login: one.l, is_playing: false };
      assert.deepEqual(view, { tenant: TENANT, stream: STREAM, ticket_id: one.i, who });
      assert.ok(Number.isInteger(age) && age >= 0);
    }
  });

  test("what he is sent adds up, and is told after he left too", async (t) => {
    const { key, region, play } = await rig(t);
    const [one, two] = [claims(key), claims(key)];
    const [text, other] = [ticket(key, one), ticket(key, two)];
    await (await play(text)).arrayBuffer();
    await (await play(text, SEG)).arrayBuffer();
    await (await play(text, SEG, { headers: { Range: "bytes=10-19" } })).arrayBuffer();
    await play(text, SEG, { method: "HEAD" });
    await play(text, "nothing.m4s");
    await (await play(other, SEG)).arrayBuffer();
    const told = (id) => region.reports().flatMap(({ views }) => views).findLast((view) => view.ticket_id === id)?.counted;
    const [first, second] = await until("all of it", () => {
      const found = [told(one.i), told(two.i)];
      return found[0]?.segments === 2 && found[1] && found;
    });
    assert.equal(first.bytes, SEGMENT.length + 10);
    assert.ok(Number.isInteger(first.since_ms) && first.since_ms >= 0);
    assert.deepEqual([second.segments, second.bytes], [1, SEGMENT.length]);
    assert.notEqual(first.part, second.part);
  });

  test("who plays too much is kept out while he tries, and others are not", async (t) => {
    const { key, region, play } = await rig(t);
    const one = claims(key);
    const [text, again] = [ticket(key, one), ticket(key, claims(key, { u: one.u }))];
    await until("he plays", async () => (await play(text)).status === 200);
    region.over = [{ login: one.l, stream: STREAM }];
    await until("he is kept out", async () => (await play(text)).status === 429);
    const answer = await play(text, SEG);
    assert.deepEqual([answer.status, answer.headers.get("retry-after")], [429, "10"]);
    assert.equal((await answer.json()).code, "quota_exceeded");
    assert.equal((await play(again, SEG)).status, 200);
    const told = region.reports().length;
    await until("the region is told that he tries", async () => {
      await play(text);
      const views = region.reports().slice(told).flatMap((report) => report.views);
      return views.some(({ ticket_id: id, who }) => id === one.i && who.is_playing === false);
    });
    region.over = [];
    await until("he plays again", async () => (await play(text)).status === 200);
    region.over = [{ login: "x" }];
    const asked = region.frontDoorsAsked;
    await until("a list that cannot be read is not taken", async () => {
      assert.equal((await play(text)).status, 200);
      return region.frontDoorsAsked > asked + 1;
    });
  });

  test("who plays for a while is told to play", async (t) => {
    const { key, region, play } = await rig(t);
    const one = claims(key);
    await until("he plays", async () => {
      await play(ticket(key, one));
      return region.reports().flatMap(({ views }) => views).some(({ who }) => who.is_playing);
    });
  });

  test("a ticket that asks too often is refused, and no other", async (t) => {
    const { key, url, play, good } = await rig(t);
    const flood = ticket(key, claims(key));
    const elsewhere = `${url}/live/${flood}/${randomUUID()}/index.m3u8`; // costs no question
    const statuses = new Set();
    await until("it is too often", async () => {
      for (const { status } of await Promise.all(Array.from({ length: 100 }, () => fetch(elsewhere, { method: "HEAD" })))) {
        statuses.add(status);
      }
      return statuses.has(429);
    });
    assert.deepEqual([...statuses], [403, 429]);
    const refused = await play(flood);
    if (refused.status === 429) {
      assert.equal(refused.headers.get("retry-after"), "1");
      assert.equal((await refused.json()).code, "too_many_requests");
    }
    assert.equal((await play(good)).status, 200);
    await until("it may ask again", async () => (await play(flood)).status === 200);
  });

  test("a report that the region does not take is told again", async (t) => {
    const { key, region, play } = await rig(t);
    const one = claims(key);
    let refused = 0;
    region.answer = ({ url }) => {
      if (url !== "/control/views" || refused === 2) return region.usual(url);
      refused += 1;
      return refused === 1 ? { status: 503 } : { cut: true };
    };
    await (await play(ticket(key, one), SEG)).arrayBuffer();
    await until("it is taken", () => refused === 2 && region.reports().length > 2);
    const [view] = region.reports().at(-1).views.filter(({ ticket_id: id }) => id === one.i);
    assert.deepEqual([view.counted.segments, view.counted.bytes], [1, SEGMENT.length]);
  });

  test("pages of the list may play, others may not", async (t) => {
    const { play, good } = await rig(t, { ALLOW_ORIGINS: "https://app.example, https://two.example" });
    const of = async (origin) => (await play(good, SEG, { headers: { Origin: origin } })).headers;
    assert.equal((await of("https://two.example")).get("access-control-allow-origin"), "https://two.example");
    for (const origin of ["https://evil.example", "null", "https://app.example.evil", "https://app.example, https://two.example"]) {
      const headers = await of(origin);
      assert.equal(headers.get("access-control-allow-origin"), null);
      assert.equal(headers.get("vary"), "Origin");
    }
  });

  test("only a region that is configured well is asked", async (t) => {
    const { region, play, good } = await rig(t, { REGION_URL: "http://region.example" }, true);
    assert.equal((await play(good)).status, 503);
    assert.equal(region.frontDoorsAsked, 0);
    const without = await rig(t, { CDN_SECRET: "" }, true);
    assert.equal((await without.play(without.good)).status, 503);
    assert.equal(without.region.frontDoorsAsked, 0);
  });

  test("the cache is told what it may keep, by the kind of file", async (t) => {
    const { region } = await rig(t);
    const bindings = { REGION_URL: region.url, CDN_SECRET: SECRET, ALLOW_ORIGINS: "*" };
    const modules = true;
    const compatibilityDate = "2026-04-01";
    const props = { tenant: TENANT, stream: STREAM, generation: GENERATION };
    const inner = new Miniflare({
      host: "127.0.0.1", port: 0, cf: false, telemetry: { enabled: false },
      workers: [
        {
          name: "asker", modules, compatibilityDate,
          script: "export default { fetch: (request, env) => env.ORIGIN.fetch(request) }",
          serviceBindings: { ORIGIN: { name: "weir-cdn", entrypoint: "Origin", props } },
        },
        {
          name: "weir-cdn", modules, compatibilityDate, bindings,
          script: readFileSync(new URL("../dist/index.js", import.meta.url), "utf8"),
        },
      ],
    });
    t.after(() => inner.dispose());
    const url = (await inner.ready).origin;
    const told = async (path) => (await fetch(url + path)).headers.get("cache-control");
    const kinds = {
      "/index.m3u8": "public, max-age=5, stale-if-error=15",
      "/v_stream.m3u8": "public, max-age=1, stale-if-error=15",
      "/v_stream.m3u8?_HLS_msn=7": "public, max-age=6, stale-if-error=0",
      "/aa_video1_seg7.mp4": "public, max-age=3600, stale-if-error=0",
      "/aa_video1_part7.mp4": "public, max-age=3600, stale-if-error=0",
      "/aa_video1_seg7.ts": "public, max-age=3600, stale-if-error=0",
      "/aa_video1_init.mp4": "public, max-age=3600, stale-if-error=60",
      "/other/x.mp4": "no-store",
    };
    for (const [path, expected] of Object.entries(kinds)) assert.equal(await told(path), expected, path);
    for (const status of [404, 410, 500, 503]) {
      region.answer = () => ({ status });
      for (const path of Object.keys(kinds)) assert.equal(await told(path), "no-store", `${path} ${status}`);
    }
    region.answer = ({ url: asked }) => ({ ...region.usual(asked), headers: { "X-Weir-Tenant": TENANT, "Cache-Control": "no-store" } });
    assert.equal(await told("/v_stream.m3u8?_HLS_msn=7"), "no-store");
  });
});
