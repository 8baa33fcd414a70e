/**
 * `sherd check-rdb`, `sherd import` and `sherd export`, between sherd and
 * redis-server.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { startServer } from "../_harness.ts";
import { hasRedisServer, startRedisServer } from "../_redis_server.ts";
import { pause, until, untilQuickEnough } from "../_patience.ts";
import type { TestClient } from "../_resp_client.ts";
import { KINDS } from "../_values.ts";
import { ask, Folder } from "./_snapshots.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const ignore = !hasRedisServer("import from and export to redis-server");

/** Runs sherd with these words; what it says, and how it ends. */
async function sherd(
  ...words: string[]
): Promise<{ code: number; text: string; out: Uint8Array }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "-A", "--unstable-net", "src/front/cli/main.ts"],
      ...words,
    ],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  return { code, text: new TextDecoder().decode(stderr), out: stdout };
}

/** Values of all kinds that both servers know, in two databases. */
async function fill(client: TestClient): Promise<void> {
  const commands: string[][] = [["FLUSHALL"]];
  for (const [k, kind] of KINDS.entries()) {
    for (const command of kind.make(`kind:${k}`, k)) {
      if (!/^H.*EX/.test(command[0]!)) commands.push([...command]);
    }
  }
  for (let i = 0; i < 2000; i++) {
    commands.push(["SET", `key:${i}`, `value:${i}`, "EX", `${10_000 + i}`]);
  }
  commands.push(["SET", "bytes\0\r\n\xff", "x"], ["SELECT", "5"]);
  commands.push(["RPUSH", "list", ...Array(50).fill("element")]);
  commands.push(["SELECT", "0"]);
  await client.pipeline(commands);
}

Deno.test("each tool says how it is used", async () => {
  for (const tool of ["check-rdb", "check-aof", "import", "export"]) {
    const { code, out } = await sherd(tool, "--help");
    assertEquals(code, 0);
    assertMatch(
      new TextDecoder().decode(out),
      RegExp(`^Usage: sherd ${tool} `),
    );
  }
});

Deno.test("check-rdb tells what is in a file, and where it is damaged", async () => {
  using folder = new Folder();
  {
    await using server = await startServer({
      workers: 2,
      args: ["--dir", folder.path],
    });
    using client = await server.client();
    await fill(client);
    await ask(client, "SAVE");
  }
  const good = await sherd("check-rdb", folder.dump);
  assertEquals(good.code, 0, good.text);
  assertMatch(
    good.text,
    /is whole: version 1[02], the checksum is right, \d{4} /,
  );
  const bytes = Deno.readFileSync(folder.dump);
  bytes[bytes.length - 100]! ^= 4;
  Deno.writeFileSync(folder.dump, bytes);
  const bad = await sherd("check-rdb", folder.dump);
  assertEquals(bad.code, 1);
  assertMatch(bad.text, /is damaged at offset \d+: .*\n\d+ keys before it/);
  assertEquals((await sherd("check-rdb")).code, 1);
  assertMatch((await sherd("check-rdb", "/nowhere")).text, /No such file/);
});

Deno.test({
  name: "a live copy, by a snapshot and by commands: all have one digest",
  ignore,
  fn: async () => {
    using folder = new Folder();
    await using redis = await startRedisServer();
    await using server = await startServer({ workers: 3 });
    using theirs = await redis.client();
    using ours = await server.client();
    const redisAt = `redis://127.0.0.1:${redis.port}`;
    const sherdAt = `redis://127.0.0.1:${server.port}`;
    await fill(theirs);
    const digest = await ask(theirs, "DEBUG", "DIGEST");
    const copied = await sherd(
      ...["import", redisAt, "--to", sherdAt, "--state"],
      `${folder.path}/state`,
    );
    assertEquals(copied.code, 0, copied.text);
    const sums = copied.text.match(/digest of the \w+ (\w+)/g)!;
    assertEquals(sums[0]!.split(" ").at(-1), sums[1]!.split(" ").at(-1));
    assertEquals(await ask(ours, "DEBUG", "DIGEST"), digest);
    const ttl = Number(await ask(ours, "TTL", "key:500"));
    assert(ttl > 10_000 && ttl <= 10_500, `${ttl}`);
    // Into a snapshot that redis-server loads, and from there back.
    const exported = await sherd(
      ...["export", `${folder.path}/out.rdb`, "--from", sherdAt],
    );
    assertEquals(exported.code, 0, exported.text);
    Deno.copyFileSync(`${folder.path}/out.rdb`, `${redis.directory}/dump.rdb`);
    await ask(theirs, "FLUSHALL");
    assertEquals(await ask(theirs, "DEBUG", "RELOAD", "NOSAVE"), "OK");
    assertEquals(await ask(theirs, "DEBUG", "DIGEST"), digest);
    await ask(ours, "FLUSHALL");
    const imported = await sherd(
      ...["import", `${folder.path}/out.rdb`, "--to", sherdAt],
    );
    assertEquals(imported.code, 0, imported.text);
    assertEquals(await ask(ours, "DEBUG", "DIGEST"), digest);
    // As commands.
    const { code, out } = await sherd("export", "-", "--from", sherdAt);
    assertEquals(code, 0);
    await ask(theirs, "FLUSHALL");
    const pipe = new Deno.Command("redis-cli", {
      args: ["-p", String(redis.port), "--pipe"],
      stdin: "piped",
      stdout: "null",
    }).spawn();
    const writer = pipe.stdin.getWriter();
    await writer.write(out);
    await writer.close();
    await pipe.status;
    assertEquals(await ask(theirs, "DEBUG", "DIGEST"), digest);
  },
});

Deno.test("an export by BGSAVE is of one moment", async () => {
  using folder = new Folder();
  await using server = await startServer({
    workers: 2,
    args: ["--dir", folder.path, "--appendonly", "yes"],
  });
  using client = await server.client();
  using writer = await server.client();
  await client.pipeline(
    Array.from({ length: 5000 }, (_, i) => ["SET", `other:${i}`, "x"]),
  );
  let isOver = false;
  // The first of two keys is never behind the second, at any moment.
  const writing = (async () => {
    for (let i = 1; !isOver; i++) {
      await writer.pipeline([["SET", "a", `${i}`], ["SET", "b", `${i}`]]);
    }
  })();
  const at = `redis://127.0.0.1:${server.port}`;
  try {
    const { code, text } = await sherd(
      ...["export", `${folder.path}/out.rdb`, "--from", at, "--by", "bgsave"],
    );
    assertEquals(code, 0, text);
  } finally {
    isOver = true;
    await writing;
  }
  await ask(client, "FLUSHALL");
  const imported = await sherd("import", `${folder.path}/out.rdb`, "--to", at);
  assertEquals(imported.code, 0, imported.text);
  assertEquals(await ask(client, "DBSIZE"), 5002);
  const [a, b] = await ask(client, "MGET", "a", "b") as string[];
  assert(a === b || Number(a) === Number(b) + 1, `${a} ${b}`);
  const wrong = await sherd("export", "x.rdb", "--from", at, "--by", "magic");
  assertEquals(wrong.code, 1);
});

Deno.test({
  name: "an append-only directory of Redis, its base and its commands",
  ignore,
  fn: async () => {
    for (const preamble of ["yes", "no"]) {
      await using redis = await startRedisServer([
        ...["--appendonly", "yes", "--aof-use-rdb-preamble", preamble],
      ]);
      await using server = await startServer({ workers: 2 });
      using theirs = await redis.client();
      using ours = await server.client();
      await fill(theirs);
      await ask(theirs, "BGREWRITEAOF");
      for (;;) {
        const text = String(await ask(theirs, "INFO", "persistence"));
        if (/aof_rewrite_in_progress:0/.test(text)) break;
        await pause(10);
      }
      await theirs.pipeline([
        ["SET", "later", "1"],
        ["MULTI"],
        ["INCR", "later"],
        ["LPUSH", "kind:list", "x"],
        ["EXEC"],
        ["SELECT", "7"],
        ["SADD", "s", "a", "b"],
        ["SELECT", "0"],
      ]);
      const digest = await ask(theirs, "DEBUG", "DIGEST");
      const folder = `${redis.directory}/appendonlydir`;
      const imported = await sherd(
        ...["import", folder, "--to", `redis://127.0.0.1:${server.port}`],
      );
      assertEquals(imported.code, 0, imported.text);
      assertEquals(await ask(ours, "DEBUG", "DIGEST"), digest);
      // A torn end is told of.
      const [incr] = [...Deno.readDirSync(folder)]
        .map(({ name }) => name).filter((name) => name.endsWith(".incr.aof"));
      const file = `${folder}/${incr}`;
      const torn = `${folder}/torn.aof`;
      const bytes = Deno.readFileSync(file);
      Deno.writeFileSync(torn, bytes.subarray(0, bytes.length - 3));
      const cut = await sherd(
        ...["import", torn, "--to", `redis://127.0.0.1:${server.port}`],
      );
      assertEquals(cut.code, 0, cut.text);
      assertMatch(cut.text, /ends within a command, at offset \d+/);
      Deno.writeFileSync(torn, new TextEncoder().encode("*2\r\n$x\r\n"));
      const bad = await sherd(
        ...["import", torn, "--to", `redis://127.0.0.1:${server.port}`],
      );
      assertEquals(bad.code, 1);
      assertMatch(bad.text, /Damaged at offset 0/);
    }
  },
});

Deno.test({
  name: "a copy that was interrupted goes on where it was",
  ignore,
  fn: async () => {
    using folder = new Folder();
    const state = `${folder.path}/state`;
    await using redis = await startRedisServer();
    await using server = await startServer({ workers: 2 });
    using theirs = await redis.client();
    using ours = await server.client();
    const words = [
      ...["import", `redis://127.0.0.1:${redis.port}`, "--to"],
      ...[`redis://127.0.0.1:${server.port}`, "--state", state],
    ];
    let count = 0;
    let before = 0;
    await untilQuickEnough(async (factor) => {
      count = 60_000 * factor;
      await theirs.pipeline(
        Array.from({ length: count }, (_, i) => ["SET", `key:${i}`, `${i}`]),
      );
      await ask(ours, "FLUSHALL");
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "-A", "src/front/cli/main.ts", ...words],
        cwd: ROOT,
        stdout: "null",
        stderr: "null",
      }).spawn();
      await until(
        "a part is copied",
        async () => Number(await ask(ours, "DBSIZE")) >= 3000,
      );
      child.kill("SIGKILL");
      await child.status;
      before = Number(await ask(ours, "DBSIZE"));
      return before < count;
    });
    assertEquals(Deno.statSync(state).mode! & 0o777, 0o600);
    const again = await sherd(...words);
    assertEquals(again.code, 0, again.text);
    assertMatch(again.text, /Going on at cursor \d+ of database 0/);
    const copied = Number(again.text.match(/^(\d+) keys in/m)![1]);
    assert(copied < count - before + 2000, `${copied} after ${before}`);
    assertEquals(
      await ask(ours, "DEBUG", "DIGEST"),
      await ask(theirs, "DEBUG", "DIGEST"),
    );
    assert(![...Deno.readDirSync(folder.path)].length);
  },
});

Deno.test("tools say what is wrong with their words", async () => {
  for (
    const words of [
      ["import"],
      ["import", "/nowhere", "--to"],
      ["import", "/nowhere", "--too", "x"],
      ["import", "/nowhere", "--verify", "maybe"],
      ["import", "/nowhere", "--to", "redis://127.0.0.1:1"],
      ["export"],
      ["export", "x.txt"],
      ["export", "-", "--from", "/nowhere"],
      ["export", "-", "--from", "redis://127.0.0.1:1"],
    ]
  ) {
    const { code, text, out } = await sherd(...words);
    assertEquals(code, 1, words.join(" "));
    assert(text.length > 0 && out.length === 0, words.join(" "));
    assert(!text.includes("    at "), text);
  }
});
