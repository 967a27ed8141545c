import assert from "node:assert/strict";
import { test } from "node:test";
import { type Ask, Keys } from "../src/key";

const URL_ = new URL("http://127.0.0.1/api/token");

class Drawer {
  readonly kept = new Map<string, string>();
  getItem = (name: string): string | null => this.kept.get(name) ?? null;
  setItem = (name: string, value: string): void => void this.kept.set(name, value);
  removeItem = (name: string): void => void this.kept.delete(name);
}

/** A server that knows one key, and notes what it was asked with. */
function server(key: string, scopes: string[] = ["converse"]): { ask: Ask; asked: string[] } {
  const asked: string[] = [];
  const ask: Ask = async (_url, init) => {
    const given = (init.headers as Record<string, string>)["Authorization"] ?? "";
    asked.push(given);
    const right = key === "" || given === `Bearer ${key}`;
    return right
      ? new Response(JSON.stringify({ token: `once_${asked.length}`, expires_in: 300, scopes }))
      : new Response("{}", { status: 401 });
  };
  return { ask, asked };
}

test("a server without keys is asked for nothing, and admits", async () => {
  const { ask, asked } = server("");
  const keys = new Keys(URL_, new Drawer(), ask);
  assert.equal(keys.needed, false);
  assert.deepEqual(await keys.admit(), { admitted: true, token: "once_1" });
  assert.deepEqual(asked, [""]);
});

test("a key is wanted, a wrong one is told apart and forgotten, a right one is kept for this tab", async () => {
  const drawer = new Drawer();
  const { ask } = server("right");
  const keys = new Keys(URL_, drawer, ask);
  assert.deepEqual(await keys.admit(), { admitted: false, problem: "wanted" });
  keys.use("wrong");
  assert.equal(drawer.kept.size, 0);
  assert.deepEqual(await keys.admit(), { admitted: false, problem: "wrong" });
  assert.deepEqual(await keys.admit(), { admitted: false, problem: "wanted" });
  keys.use("  right ");
  assert.deepEqual(await keys.admit(), { admitted: true, token: "once_4" });
  assert.deepEqual([...drawer.kept.values()], ["right"]);
  const later = new Keys(URL_, drawer, ask);
  assert.equal(later.needed, true);
  assert.deepEqual(await later.admit(), { admitted: true, token: "once_5" });
});

test("a key that was revoked is forgotten", async () => {
  const drawer = new Drawer();
  drawer.setItem("vivavoce.key", "revoked");
  const keys = new Keys(URL_, drawer, server("right").ask);
  assert.deepEqual(await keys.admit(), { admitted: false, problem: "ended" });
  assert.equal(drawer.kept.size, 0);
  keys.use("wrong");
  assert.deepEqual(await keys.admit(), { admitted: false, problem: "wrong" }, "another one was never good");
});

test("a key without the right to converse is no use here", async () => {
  const keys = new Keys(URL_, null, server("k", ["speak", "listen"]).ask);
  keys.use("k");
  assert.deepEqual(await keys.admit(), { admitted: false, problem: "weak" });
});

test("a key that is kept for other views stays kept, though it allows no conversation", async () => {
  const drawer = new Drawer();
  drawer.setItem("vivavoce.key", "k");
  const keys = new Keys(URL_, drawer, server("k", ["speak"]).ask);
  assert.deepEqual(await keys.admit(), { admitted: false, problem: "weak" });
  assert.deepEqual([keys.needed, [...drawer.kept.values()]], [false, ["k"]]);
});

test("a key that ends between two connections is told apart from one that was never good; an ephemeral one fits nothing here", async () => {
  let status = 200;
  const keys = new Keys(URL_, new Drawer(), async () => new Response(JSON.stringify({ token: "once_1", scopes: ["converse"] }), { status }));
  keys.use("k");
  assert.equal((await keys.admit()).admitted, true);
  status = 401;
  assert.deepEqual(await keys.admit(), { admitted: false, problem: "ended" });
  status = 403;
  keys.use("ek_1");
  assert.deepEqual(await keys.admit(), { admitted: false, problem: "bound" });
});

test("whatever else the server says is no matter of keys", async () => {
  const answers: [Response | Error, string][] = [
    [new Response("", { status: 429 }), "blocked"],
    [new Response("", { status: 403 }), "weak"],
    [new Response("", { status: 404 }), "away"],
    [new Response("", { status: 500 }), "away"],
    [new Response("<html>"), "away"],
    [new Response("{}"), "away"],
    [new TypeError("no network"), "away"],
  ];
  for (const [answer, problem] of answers) {
    const keys = new Keys(URL_, null, async () => {
      if (answer instanceof Error) throw answer;
      return answer;
    });
    keys.use("k");
    assert.deepEqual(await keys.admit(), { admitted: false, problem });
  }
});
