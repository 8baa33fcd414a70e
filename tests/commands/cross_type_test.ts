/**
 * Commands about keys, with values of every type and encoding, on one worker and
 * on several, where source and target lie on different shards.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { until } from "../_patience.ts";
import { type Plain, plain, type TestClient } from "../_resp_client.ts";
import { contents, type Kind, KINDS, typeOf } from "../_values.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

/** Names of keys on different shards. */
const NAMES = tagsOnDistinctSlots(4).map((tag) => `{${tag}}key`);

/** Those whose commands the server has. */
async function knownKinds(client: TestClient): Promise<Kind[]> {
  const known: Kind[] = [];
  for (const kind of KINDS) {
    const names = new Set(kind.make("k", 0).map(([name]) => name!));
    const infos = await client.run("COMMAND", "INFO", ...names);
    if (!(plain(infos) as Plain[]).includes(null)) known.push(kind);
  }
  return known;
}

async function make(
  client: TestClient,
  kind: Kind,
  key: string,
  salt = 0,
): Promise<void> {
  await client.pipeline(kind.make(key, salt));
}

async function read(
  client: TestClient,
  kind: Kind,
  key: string,
): Promise<string> {
  return contents(kind, await ask(client, kind.read(key)));
}

async function allocatedBytes(client: TestClient): Promise<number> {
  const stats = plain(await client.run("MEMORY", "STATS"));
  const flat = stats instanceof Map ? [...stats].flat() : stats as Plain[];
  return Number(flat[flat.indexOf("allocator.allocated") + 1]);
}

/** Owners expire in their own time. */
function untilNoKey(client: TestClient): Promise<void> {
  return until("no key", async () => await ask(client, "DBSIZE") === 0);
}

/** Owners free in their own time. */
function untilNothingAllocated(client: TestClient): Promise<void> {
  return until("no memory", async () => await allocatedBytes(client) === 0);
}

commandSuite(
  "OBJECT, TYPE, SCAN and MEMORY USAGE know values of all types",
  async ({ client }) => {
    for (const kind of await knownKinds(client)) {
      await make(client, kind, "k");
      assert(Number(await ask(client, "OBJECT IDLETIME k")) < 10);
      await expectReplies(client, [
        ["TYPE k", typeOf(kind)],
        ["OBJECT ENCODING k", kind.encoding],
        ["OBJECT REFCOUNT k", 1],
        ["TOUCH k none", 1],
        ["EXISTS k k", 2],
        [`SCAN 0 TYPE ${typeOf(kind)} COUNT 1000`, ["0", ["k"]]],
        ["SCAN 0 TYPE other COUNT 1000", ["0", []]],
        ["CONFIG SET maxmemory-policy allkeys-lfu", "OK"],
      ]);
      const frequency = await ask(client, "OBJECT FREQ k");
      assert(Number(frequency) >= 0 && Number(frequency) <= 255);
      await client.run("CONFIG", "SET", "maxmemory-policy", "noeviction");
      const usage = Number(await ask(client, "MEMORY USAGE k"));
      const exact = Number(await ask(client, "MEMORY USAGE k SAMPLES 0"));
      const ratio = usage / exact;
      assert(ratio > 0.8 && ratio < 1.25, `${kind.name}: ${usage}, ${exact}`);
      await client.run("FLUSHALL");
    }
  },
);

commandSuite(
  "COPY makes values of all types anew on other shards and databases",
  async ({ client }) => {
    const [source, ...targets] = NAMES as [string, ...string[]];
    for (const kind of await knownKinds(client)) {
      await make(client, kind, source);
      const expected = await read(client, kind, source);
      await client.run("PEXPIREAT", source, "4102444800123");
      for (const target of targets) {
        await make(client, kind, target, 3);
        await expectReplies(client, [
          [`COPY ${source} ${target}`, 0],
          [`COPY ${source} ${target} REPLACE`, 1],
          [`COPY ${source} ${source} DB 1 REPLACE`, 1],
          [`OBJECT ENCODING ${target}`, kind.encoding],
          [`PEXPIRETIME ${target}`, 4102444800123],
        ]);
        assertEquals(await read(client, kind, target), expected);
        await client.run(...kind.change(target));
        assert(await read(client, kind, target) !== expected);
      }
      assertEquals(await read(client, kind, source), expected);
      await client.run("SELECT", "1");
      assertEquals(await read(client, kind, source), expected);
      await expectReplies(client, [["FLUSHALL", "OK"], ["SELECT 0", "OK"]]);
    }
  },
);

commandSuite(
  "RENAME, RENAMENX and MOVE take values of all types along",
  async ({ client }) => {
    const [a, b, c] = NAMES as [string, string, string];
    for (const kind of await knownKinds(client)) {
      await make(client, kind, a);
      await make(client, kind, b, 3);
      const expected = await read(client, kind, a);
      await expectReplies(client, [
        [`PEXPIREAT ${a} 4102444800123`, 1],
        [`RENAMENX ${a} ${b}`, 0],
        [`RENAME ${a} ${b}`, "OK"],
        [`EXISTS ${a}`, 0],
        [`RENAMENX ${b} ${c}`, 1],
        [`PEXPIRETIME ${c}`, 4102444800123],
        [`OBJECT ENCODING ${c}`, kind.encoding],
        [`MOVE ${c} 2`, 1],
        [`EXISTS ${b} ${c}`, 0],
        ["SELECT 2", "OK"],
        [`PEXPIRETIME ${c}`, 4102444800123],
      ]);
      assertEquals(await read(client, kind, c), expected);
      await expectReplies(client, [
        [`UNLINK ${a} ${c}`, 1],
        ["SELECT 0", "OK"],
        ["DBSIZE", 0],
      ]);
    }
  },
);

commandSuite(
  "keys of all types expire by themselves",
  async ({ client }) => {
    const kinds = await knownKinds(client);
    for (const [i, kind] of kinds.entries()) {
      for (const name of NAMES) {
        await make(client, kind, `${name}${i}`);
        await client.run("PEXPIRE", `${name}${i}`, "1");
      }
    }
    await untilNoKey(client);
    await untilNothingAllocated(client);
  },
  { resp: [2] },
);

commandSuite(
  "all memory comes back when values of all types are deleted",
  async ({ client }) => {
    const kinds = await knownKinds(client);
    await untilNothingAllocated(client);
    const names = kinds.flatMap((_, i) => NAMES.map((name) => `${name}${i}`));
    const fill = async () => {
      for (const [i, kind] of kinds.entries()) {
        for (const name of NAMES) {
          await make(client, kind, `${name}${i}`, i);
          await client.run(...kind.change(`${name}${i}`));
        }
      }
    };
    const ways: (readonly string[])[] = [
      ["DEL", ...names],
      ["UNLINK", ...names],
      ["FLUSHDB"],
      ["FLUSHALL", "SYNC"],
    ];
    for (const way of ways) {
      await fill();
      const used = await allocatedBytes(client);
      const usages = await client.pipeline(
        names.map((name) => ["MEMORY", "USAGE", name, "SAMPLES", "0"]),
      );
      const sum = usages.reduce((total, reply) => {
        return total + Number(plain(reply));
      }, 0);
      // The rest are the tables of a few keys.
      const rest = used - sum;
      assert(rest > 0 && rest < 50_000, `${rest} bytes belong to no key`);
      await client.run(...way);
      await untilNothingAllocated(client);
    }
  },
  { resp: [2] },
);

commandSuite(
  "keys of all types are evicted",
  async ({ client }) => {
    const kinds = await knownKinds(client);
    await untilNothingAllocated(client);
    await expectReplies(client, [
      ["CONFIG SET maxmemory 2mb maxmemory-policy allkeys-random", "OK"],
    ]);
    for (let round = 0; round < 12; round++) {
      for (const [i, kind] of kinds.entries()) {
        await make(client, kind, `${NAMES[i % 4]}${round}:${i}`);
      }
    }
    const info = String(await ask(client, "INFO stats"));
    const evicted = Number(/evicted_keys:(\d+)/.exec(info)![1]);
    assert(evicted > 0);
    assert(await allocatedBytes(client) < 3 << 20);
    await expectReplies(client, [
      ["CONFIG SET maxmemory 0 maxmemory-policy noeviction", "OK"],
      ["FLUSHALL", "OK"],
    ]);
    await untilNothingAllocated(client);
  },
  { resp: [2] },
);

/** Elements that no socket takes at once. */
const ELEMENTS = 40_000;

commandSuite(
  "a slow reader gets what there was, whatever becomes of the key",
  async ({ client, server, resp }) => {
    const [a, b] = NAMES as [string, string];
    const members = Array.from(
      { length: ELEMENTS },
      (_, i) => `member:${i}:${"x".repeat(300)}`,
    );
    for (let at = 0; at < ELEMENTS; at += 5_000) {
      await client.run("SADD", a, ...members.slice(at, at + 5_000));
    }
    const changes: string[][] = [
      ["RENAME", a, b],
      ["RENAME", b, a],
      ["SADD", a, "another"],
      ["MOVE", a, "1"],
    ];
    for (const change of changes) {
      using reader = await server.client({ resp });
      const key = await ask(client, ["EXISTS", a]) === 1 ? a : b;
      const id = await ask(reader, "CLIENT ID");
      await reader.sendCommands([["SMEMBERS", key]]);
      await until("its reply has begun", async () => {
        const line = String(await ask(client, `CLIENT LIST ID ${id}`));
        return line.includes("cmd=smembers");
      });
      assert(Number(plain(await client.run(...change))) !== 0);
      const reply = plain(await reader.readReply()) as Iterable<Plain>;
      const found = new Set(reply);
      found.delete("another");
      assertEquals(found.size, ELEMENTS);
    }
    await client.run("FLUSHALL");
    await untilNothingAllocated(client);
  },
  { resp: [2] },
);

commandSuite(
  "nothing is packed beyond 512 elements or 128 KB",
  async ({ client }) => {
    const set = async (entries: number, bytes: number) => {
      const settings = [
        ["hash-max-listpack-entries", entries],
        ["set-max-intset-entries", entries],
        ["set-max-listpack-entries", entries],
        ["zset-max-listpack-entries", entries],
        ["hash-max-listpack-value", bytes],
        ["set-max-listpack-value", bytes],
        ["zset-max-listpack-value", bytes],
      ].flat().map(String);
      assertEquals(await ask(client, ["CONFIG", "SET", ...settings]), "OK");
    };
    await set(100_000, 100_000);
    const name = "hash-max-listpack-entries";
    const texts = plain(await client.run("CONFIG", "GET", name));
    assertEquals(
      texts instanceof Map ? [...texts].flat() : texts,
      [name, "100000"],
    );
    const kinds: [string, (i: number, padding: string) => string[]][] = [
      ["HSET", (i, padding) => [`f${i}`, padding]],
      ["SADD", (i) => [String(i)]],
      ["SADD", (i, padding) => [`m${i}${padding}`]],
      ["ZADD", (i, padding) => [String(i), `m${i}${padding}`]],
    ];
    for (const [command, element] of kinds) {
      const add = (from: number, to: number, padding = "") => {
        const elements = [];
        for (let i = from; i < to; i++) elements.push(...element(i, padding));
        return ask(client, [command, "k", ...elements]);
      };
      const encoding = () => ask(client, "OBJECT ENCODING k");
      await add(0, 512);
      const packed = await encoding();
      assertEquals(await add(512, 513), 1);
      const large = await encoding();
      assert(large === "hashtable" || large === "skiplist", `${large}`);
      await client.run("DEL", "k");
      if (packed === "intset") continue;
      for (let i = 0; i < 3; i++) await add(i, i + 1, "p".repeat(40_000));
      assertEquals(await encoding(), packed);
      await add(3, 4, "p".repeat(40_000));
      assertEquals(await encoding(), large);
      await client.run("DEL", "k");
    }
    await set(512, 64);
    await ask(
      client,
      "CONFIG SET set-max-listpack-entries 128 zset-max-listpack-entries 128",
    );
  },
);
