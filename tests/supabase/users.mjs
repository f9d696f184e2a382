// SPDX-License-Identifier: Apache-2.0
// Users of a running Supabase Auth server, by supabase-js. The server and its service key come from
// the environment: WEIR_SUPABASE_URL, WEIR_SUPABASE_SERVICE_KEY.
//
// Standard input: one JSON order a line; standard output: one JSON line for each, {"error": "..."}
// when the server refused.
//     {"make": {"app_metadata": {}}}                 {"id": "...", "token": "..."}: signed in
//     {"refresh": "<id>"}                            {"token": "..."}: a new token of the session
//     {"write": {"id": "...", "data": {}}}           {"token": "..."}: user_metadata by the user himself
//     {"anonymous": true}                            {"id": "...", "token": "..."}
//     {"remove": "<id>"}                             {}
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { createClient } from "@supabase/supabase-js";

const url = process.env.WEIR_SUPABASE_URL;
const key = process.env.WEIR_SUPABASE_SERVICE_KEY;
const auth = { autoRefreshToken: false, persistSession: false, detectSessionInUrl: false };
const admin = createClient(url, key, { auth });
const clients = new Map(); // a user's id to the client that is signed in as him

function checked({ data, error }) {
  if (error) {
    throw new Error(`${error.name}: ${error.message}`);
  }
  return data;
}

function keep(client, { user, session }) {
  clients.set(user.id, client);
  return { id: user.id, token: session.access_token };
}

const orders = {
  async make({ app_metadata }) {
    const email = `weir-${randomUUID()}@example.com`;
    const password = randomUUID() + randomUUID();
    checked(
      await admin.auth.admin.createUser({ email, password, email_confirm: true, app_metadata }),
    );
    const client = createClient(url, key, { auth });
    return keep(client, checked(await client.auth.signInWithPassword({ email, password })));
  },
  async refresh(id) {
    return { token: checked(await clients.get(id).auth.refreshSession()).session.access_token };
  },
  async write({ id, data }) {
    checked(await clients.get(id).auth.updateUser({ data }));
    return orders.refresh(id);
  },
  async anonymous() {
    const client = createClient(url, key, { auth });
    return keep(client, checked(await client.auth.signInAnonymously()));
  },
  async remove(id) {
    clients.delete(id);
    checked(await admin.auth.admin.deleteUser(id));
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [[name, argument]] = Object.entries(JSON.parse(line));
  let told;
  try {
    told = await orders[name](argument);
  } catch (error) {
    told = { error: error.message };
  }
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
