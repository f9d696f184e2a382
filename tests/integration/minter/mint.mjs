// SPDX-License-Identifier: Apache-2.0
// Makes keys and signs tokens with jose. Standard input: one JSON order a line; standard output: one
// line for each. Private keys stay in here.
//     {"key": {"kid": "...", "alg": "ES256"}}        the public JWK
//     {"sign": {"kid": "...", "claims": {}}}         {"token": "..."}
import { createInterface } from "node:readline";
import { SignJWT, exportJWK, generateKeyPair } from "jose";

const keys = new Map();

async function make({ kid, alg }) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  keys.set(kid, { alg, privateKey });
  return { ...(await exportJWK(publicKey)), kid, alg, use: "sig", key_ops: ["verify"] };
}

async function sign({ kid, claims }) {
  const { alg, privateKey } = keys.get(kid);
  const header = { alg, kid, typ: "JWT" };
  return { token: await new SignJWT(claims).setProtectedHeader(header).sign(privateKey) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  const told = order.key ? await make(order.key) : await sign(order.sign);
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
