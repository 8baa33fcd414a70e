/** The commands about the server itself: CONFIG, INFO, MEMORY, SLOWLOG ... */
import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { seeded, startServer, type TestServer } from "../_harness.ts";
import { hasRedisServer, startRedisServer } from "../_redis_server.ts";
import { untilQuickEnough } from "../_patience.ts";
import { type Plain, plain, TestClient } from "../_resp_client.ts";
import { ServerProcess } from "../_server_process.ts";
import { commandSuite } from "./_suite.ts";

/** Enough that every worker of a server is likely to have one. */
const CLIENTS = 16;

commandSuite("CONFIG SET reaches every worker", async ({ server, client }) => {
  await using clients = await connectMany(server);
  for (const seconds of ["77", "0"]) {
    assertEquals(
      await ask(client, "CONFIG", "SET", "timeout", seconds),
      "OK",
    );
    for (const other of clients.list) {
      assertEquals(await configGet(other, "timeout"), [["timeout", seconds]]);
    }
  }
});

commandSuite("CONFIG SET of two clients ends the same", async ({ server }) => {
  await using clients = await connectMany(server);
  for (let round = 0; round < 20; round++) {
    await Promise.all(
      clients.list.map((client, i) =>
        ask(client, "CONFIG", "SET", "tcp-keepalive", `${round * 100 + i}`)
      ),
    );
    const values = new Set<string>();
    for (const client of clients.list) {
      values.add((await configGet(client, "tcp-keepalive"))[0]![1]);
    }
    assertEquals(values.size, 1);
  }
});

commandSuite("CONFIG SET changes all or nothing", async ({ client }) => {
  const before = await configGet(client, "hz");
  const reply = await ask(client, "CONFIG", "SET", "hz", "50", "timeout", "x");
  assertEquals(
    String(reply),
    "ReplyError: ERR CONFIG SET failed (possibly related to argument " +
      "'timeout') - argument couldn't be parsed into an integer",
  );
  assertEquals(await configGet(client, "hz"), before);
});

commandSuite(
  "CONFIG GET takes globs and repeats nothing",
  async ({ client }) => {
    const pairs = await configGet(client, "maxmemory*", "MAXMEMORY");
    const names = pairs.map(([name]) => name);
    assert(names.includes("maxmemory") && names.includes("maxmemory-policy"));
    assertEquals(new Set(names).size, names.length);
    assertEquals(await configGet(client, "no-such-setting"), []);
  },
);

commandSuite("CONFIG RESETSTAT empties the counters", async ({ client }) => {
  await ask(client, "GET", "missing");
  await ask(client, "NOSUCHCOMMAND");
  assertEquals(await ask(client, "CONFIG", "RESETSTAT"), "OK");
  const info = await infoFields(client, "everything");
  assertEquals(info.get("keyspace_misses"), "0");
  assertEquals(info.get("total_error_replies"), "0");
  assertEquals(info.has("cmdstat_get"), false);
  assertEquals(info.has("errorstat_ERR"), false);
  assertNotEquals(info.get("connected_clients"), "0");
});

commandSuite("INFO counts what all workers do", async ({ server, client }) => {
  await using clients = await connectMany(server);
  await ask(client, "CONFIG", "RESETSTAT");
  for (const [i, other] of clients.list.entries()) {
    await ask(other, "SET", `info:${i}`, "x", "EX", "1000");
    await ask(other, "GET", `info:${i}`);
    await ask(other, "GET", "info:none");
    await ask(other, "INCR", `info:${i}`);
  }
  const info = await infoFields(client, "everything");
  const n = CLIENTS;
  assertEquals(info.get("keyspace_hits"), `${n}`);
  assertEquals(info.get("keyspace_misses"), `${n}`);
  assertEquals(info.get("total_error_replies"), `${n}`);
  assertEquals(info.get("errorstat_ERR"), `count=${n}`);
  assertMatch(info.get("cmdstat_get")!, new RegExp(`^calls=${2 * n},usec=`));
  assertMatch(info.get("cmdstat_incr")!, new RegExp(`failed_calls=${n}$`));
  assertEquals(info.get("db0"), `keys=${n},expires=${n},avg_ttl=0,subexpiry=0`);
  assertGreater(Number(info.get("connected_clients")), n);
  assertEquals(info.get("blocked_clients"), "0");
  assertEquals(info.get("tcp_port"), `${server.port}`);
  assertEquals(info.get("workers"), `${server.workers}`);
});

commandSuite("INFO shows the sections asked for", async ({ client }) => {
  const titles = async (...names: string[]) =>
    [...(await infoText(client, ...names)).matchAll(/^# (\w+)/gm)]
      .map((match) => match[1]);
  assertEquals(await titles("cpu", "SERVER", "nonsense"), ["Server", "CPU"]);
  assertEquals(await titles("nonsense"), []);
  assertEquals(await infoText(client, "nonsense"), "");
  const usual = await titles();
  assertEquals(usual, await titles("default"));
  assert(usual.includes("Errorstats") && !usual.includes("Commandstats"));
  assert((await titles("all")).includes("Latencystats"));
  assertEquals(await titles("all"), await titles("everything"));
  assertMatch(
    await infoText(client, "server", "cluster"),
    /^# Server\r\n(\S.*\r\n)+\r\n# Cluster\r\ncluster_enabled:0\r\n$/,
  );
});

commandSuite("INFO memory follows the data", async ({ client }) => {
  const used = async () =>
    Number((await infoFields(client, "memory")).get("used_memory"));
  const before = await used();
  await ask(client, "SET", "info:big", "x".repeat(1 << 20));
  const grown = await used() - before;
  assertGreaterOrEqual(grown, 1 << 20);
  assertGreater((1 << 20) + 65536, grown);
  await ask(client, "DEL", "info:big");
  assertGreater(before + 65536, await used());
});

commandSuite("MEMORY USAGE is what is allocated", async ({ client }) => {
  assertEquals(await ask(client, "MEMORY", "USAGE", "mem:none"), null);
  await ask(client, "SET", "mem:s", "x");
  await ask(client, "SET", "mem:b", "x".repeat(5000));
  const small = Number(await ask(client, "MEMORY", "USAGE", "mem:s"));
  const big = Number(
    await ask(client, "MEMORY", "USAGE", "mem:b", "SAMPLES", "0"),
  );
  assert(small >= 16 && small <= 48, `${small}`);
  assert(big >= 5000 && big <= 6500, `${big}`);
});

commandSuite(
  "SLOWLOG shows the commands of all workers",
  async ({ server, client }) => {
    await using clients = await connectMany(server);
    await ask(client, "CONFIG", "SET", "slowlog-log-slower-than", "0");
    await ask(client, "SLOWLOG", "RESET");
    for (const [i, other] of clients.list.entries()) {
      await ask(other, "SET", `slow:${i}`, "x".repeat(200));
    }
    await ask(client, "MGET", ...Array.from({ length: 40 }, (_, i) => `k${i}`));
    await ask(client, "CONFIG", "SET", "requirepass", "");
    await ask(client, "CONFIG", "SET", "slowlog-log-slower-than", "10000");
    const entries = await ask(client, "SLOWLOG", "GET", "-1") as Plain[][];
    const ids = entries.map(([id]) => Number(id));
    assertEquals(ids, ids.toSorted((a, b) => b - a));
    assertEquals(new Set(ids).size, ids.length);
    assertEquals(await ask(client, "SLOWLOG", "LEN"), ids.length);
    const argvs = entries.map((entry) => entry[3] as string[]);
    const sets = argvs.filter(([name]) => name === "SET");
    assertEquals(sets.length, CLIENTS);
    assertEquals(sets[0]![2], "x".repeat(128) + "... (72 more bytes)");
    const wide = argvs.find(([name]) => name === "MGET")!;
    assertEquals(wide.length, 32);
    assertEquals(wide[31], "... (10 more arguments)");
    const secret = argvs.find((argv) => argv[2] === "requirepass")!;
    assertEquals(secret[3], "(redacted)");
    for (const [, at, microseconds, , address, name] of entries) {
      assert(Number(at) > 1e9 && Number(microseconds) >= 0);
      assertMatch(String(address), /^127\.0\.0\.1:\d+$/);
      assertEquals(name, "");
    }
    assertEquals(
      (await ask(client, "SLOWLOG", "GET", "3") as Plain[]).length,
      3,
    );
    assertEquals(await ask(client, "SLOWLOG", "RESET"), "OK");
    assertEquals(await ask(client, "SLOWLOG", "LEN"), 0);
  },
);

commandSuite("LATENCY keeps what took long", async ({ client }) => {
  let latest: Plain[][] = [];
  await untilQuickEnough(async (factor) => {
    const threshold = ["CONFIG", "SET", "latency-monitor-threshold"];
    await ask(client, "LATENCY", "RESET");
    await ask(client, ...threshold, `${10 * factor}`);
    await ask(client, "DEBUG", "SLEEP", `${0.02 * factor}`);
    await ask(client, ...threshold, "0");
    latest = await ask(client, "LATENCY", "LATEST") as Plain[][];
    const history = await ask(client, "LATENCY", "HISTORY", "command");
    // On a slow machine, other commands may have taken as long.
    return latest.length === 1 && (history as Plain[]).length === 1;
  });
  assertEquals(latest.map(([name]) => name), ["command"]);
  const [, at, ms, max] = latest[0]!.map(Number);
  assert(at! > 1e9 && ms! >= 20 && ms! < 20_000 && max === ms);
  assertEquals(await ask(client, "LATENCY", "HISTORY", "command"), [[
    at!,
    ms!,
  ]]);
  assertEquals(await ask(client, "LATENCY", "HISTORY", "none"), []);
  assertStringIncludes(
    String(await ask(client, "LATENCY", "GRAPH", "command")),
    `command - high ${ms} ms, low ${ms} ms (all time high ${ms} ms)\n---`,
  );
  assertMatch(
    String(await ask(client, "LATENCY", "DOCTOR")),
    /command: 1 latency spikes \(average \d+ms/,
  );
  assertEquals(await ask(client, "LATENCY", "RESET", "none", "command"), 1);
  assertEquals(await ask(client, "LATENCY", "LATEST"), []);
});

commandSuite(
  "LATENCY HISTOGRAM spreads the calls",
  async ({ client, resp }) => {
    await ask(client, "CONFIG", "RESETSTAT");
    await ask(client, "DEBUG", "SLEEP", "0.003");
    await ask(client, "DEBUG", "SLEEP", "0.003");
    const reply = await ask(client, "LATENCY", "HISTOGRAM", "debug", "none");
    const spread = pairsOf(reply);
    assertEquals([...spread.keys()], ["debug"]);
    const debug = pairsOf(spread.get("debug")!);
    assertEquals(debug.get("calls"), 2);
    const steps = [...pairsOf(debug.get("histogram_usec")!)];
    assertEquals(steps.at(-1)![1], 2);
    assertGreater(Number(steps.at(-1)![0]), 3000);
    assertEquals(reply instanceof Map, resp === 3);
  },
);

commandSuite("TIME, ROLE and LOLWUT", async ({ client }) => {
  const [seconds, microseconds] = await ask(client, "TIME") as string[];
  assert(Math.abs(Number(seconds) - Date.now() / 1000) < 60);
  assertMatch(microseconds!, /^\d{1,6}$/);
  assertEquals(await ask(client, "ROLE"), ["master", 0, []]);
  assertMatch(
    String(await ask(client, "LOLWUT", "VERSION", "5")),
    /\nsherd ver\. [\d.]+, Redis ver\. [\d.]+\n$/,
  );
});

commandSuite("SHUTDOWN refuses what it cannot do", async ({ client }) => {
  const answer = async (...words: string[]) =>
    String(await ask(client, "SHUTDOWN", ...words));
  assertEquals(
    await answer("ABORT"),
    "ReplyError: ERR No shutdown in progress.",
  );
  assertEquals(await answer("nonsense"), "ReplyError: ERR syntax error");
  assertEquals(
    await answer("SAVE", "NOSAVE"),
    "ReplyError: ERR syntax error",
  );
});

commandSuite("DEBUG tools", async ({ client }) => {
  assertEquals(await ask(client, "DEBUG", "STRINGMATCH-LEN", "a*", "abc"), 1);
  assertEquals(await ask(client, "DEBUG", "STRINGMATCH-LEN", "b*", "abc"), 0);
  await ask(client, "SET", "debug:k", "hello", "EX", "100");
  assertMatch(
    String(await ask(client, "DEBUG", "OBJECT", "debug:k")),
    /^Value at:0x[0-9a-f]+ refcount:1 encoding:embstr serializedlength:6 lru:\d+ lru_seconds_idle:\d+$/,
  );
  assertMatch(
    String(await ask(client, "DEBUG", "HTSTATS", "0")),
    /^\[Dictionary HT\]\n[^[]*number of elements: 1\n[^[]*\[Expires HT\]\n/,
  );
  assertEquals(await ask(client, "DEBUG", "SET-ACTIVE-EXPIRE", "1"), "OK");
});

Deno.test("DEBUG is allowed by enable-debug-command alone", async () => {
  for (const [permission, expected] of [["no", false], ["local", true]]) {
    await using server = await startServer({
      workers: 1,
      args: ["--enable-debug-command", String(permission)],
    });
    using client = await server.client();
    const reply = await ask(client, "DEBUG", "SLEEP", "0");
    assertEquals(reply === "OK", expected, String(reply));
  }
});

Deno.test("SHUTDOWN ends the server without a reply", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await server.client();
  await client.sendCommands([["SHUTDOWN", "NOSAVE"]]);
  assertEquals((await client.readToEnd()).length, 0);
  assertEquals((await server.exited).code, 0);
});

const hasReference = hasRedisServer("server commands against redis-server");

/** What both servers must answer with the same bytes. */
const SAME_REPLIES: readonly string[][] = [
  ["CONFIG", "GET"],
  ["CONFIG", "GET", "maxmemory-policy"],
  ["CONFIG", "GET", "hash-max-ziplist-entries"],
  ["CONFIG", "SET", "maxmemory"],
  ["CONFIG", "SET", "maxmemory", "1", "hz"],
  ["CONFIG", "SET", "nonsense", "1"],
  ["CONFIG", "SET", "hz", "10", "hz", "20"],
  ["CONFIG", "SET", "databases", "1"],
  ["CONFIG", "SET", "maxmemory", "1x"],
  ["CONFIG", "SET", "maxmemory-policy", "none"],
  ["CONFIG", "REWRITE"],
  ["CONFIG", "NONSENSE"],
  ["CONFIG", "RESETSTAT", "x"],
  ["SLOWLOG", "GET", "-2"],
  ["SLOWLOG", "GET", "x"],
  ["SLOWLOG", "GET", "1", "2"],
  ["SLOWLOG", "LEN", "x"],
  ["SLOWLOG", "NONSENSE"],
  ["LATENCY", "LATEST"],
  ["LATENCY", "HISTORY", "none"],
  ["LATENCY", "GRAPH", "none"],
  ["LATENCY", "RESET", "none"],
  ["LATENCY", "HISTOGRAM", "none"],
  ["MEMORY", "USAGE", "none"],
  ["MEMORY", "USAGE", "none", "SAMPLES"],
  ["MEMORY", "USAGE", "none", "SAMPLES", "-1"],
  ["MEMORY", "USAGE", "none", "SAMPLES", "x"],
  ["MEMORY", "USAGE", "none", "nonsense", "1"],
  ["MEMORY", "PURGE"],
  ["DEBUG", "NONSENSE"],
  ["DEBUG", "SLEEP"],
  ["DEBUG", "SLEEP", "x"],
  ["DEBUG", "OBJECT", "none"],
  ["DEBUG", "HTSTATS", "99"],
  ["DEBUG", "HTSTATS", "x"],
  ["DEBUG", "DIGEST"],
  ["DEBUG", "DIGEST", "x"],
  ["DEBUG", "DIGEST-VALUE"],
  ["DEBUG", "DIGEST-VALUE", "none"],
  ["SHUTDOWN", "ABORT"],
  ["SHUTDOWN", "ABORT", "NOW"],
  ["SHUTDOWN", "SAVE", "NOSAVE"],
  ["LOLWUT", "VERSION", "x"],
  ["ROLE"],
  ["INFO", "nonsense"],
];

Deno.test({
  name: "server commands answer as redis-server does",
  ignore: !hasReference,
  fn: async () => {
    await using redis = await startRedisServer();
    await using server = await startServer({ workers: 2 });
    for (const resp of [2, 3] as const) {
      using theirs = await redis.client({ resp });
      using ours = await server.client({ resp });
      for (const argv of SAME_REPLIES) {
        const decoder = new TextDecoder();
        assertEquals(
          decoder.decode(await ours.runRaw(...argv)),
          decoder.decode(await theirs.runRaw(...argv)),
          argv.join(" "),
        );
      }
    }
  },
});

/** Fields that Redis has since 7.2 or later. */
const LATER_FIELDS = new Set([
  "expired_subkeys",
  "total_blocking_keys",
  "listener0",
  "client_query_buffer_limit_disconnections",
  "client_output_buffer_limit_disconnections",
  "acl_access_denied_auth",
  "acl_access_denied_cmd",
  "acl_access_denied_key",
  "acl_access_denied_channel",
]);

Deno.test({
  name: "INFO and MEMORY STATS name things as redis-server does",
  ignore: !hasReference,
  fn: async () => {
    await using redis = await startRedisServer();
    await using server = await startServer({ workers: 2 });
    using theirs = await redis.client();
    using ours = await server.client();
    for (const client of [ours, theirs]) {
      await ask(client, "CONFIG", "SET", "slowlog-log-slower-than", "0");
      await ask(client, "SET", "k", "v");
      await ask(client, "INCR", "k");
    }
    const names = await infoFields(theirs, "everything");
    for (const name of (await infoFields(ours, "everything")).keys()) {
      const isOurs = /^sherd_|^workers$|^shards$/.test(name) ||
        /^(cmdstat|latency_percentiles_usec)_/.test(name);
      assert(isOurs || LATER_FIELDS.has(name) || names.has(name), name);
    }
    assertEquals(
      [...pairsOf(await ask(ours, "MEMORY", "STATS")).keys()],
      [...pairsOf(await ask(theirs, "MEMORY", "STATS")).keys()],
    );
    for (const client of [ours, theirs]) {
      const info = await infoFields(client, "everything");
      assertMatch(
        info.get("latency_percentiles_usec_set")!,
        /^p50=\d+\.\d{3},p99=\d+\.\d{3},p99\.9=\d+\.\d{3}$/,
      );
      assertMatch(
        info.get("cmdstat_incr")!,
        /^calls=1,usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=0,failed_calls=1$/,
      );
    }
  },
});

seeded("DEBUG DIGEST is the same as redis-server's", async (random) => {
  await using redis = await startRedisServer();
  await using server = await startServer({ workers: 2 });
  using theirs = await redis.client();
  using ours = await server.client();
  const commands: string[][] = [];
  for (let i = 0; i < 200; i++) {
    if (i % 20 === 0) commands.push(["SELECT", `${random.below(3) * 7}`]);
    const value = random.below(2) === 0
      ? `${random.below(1e9) - 5e8}`
      : String.fromCharCode(
        ...Array.from({ length: i }, () => random.below(256)),
      );
    const argv = ["SET", `key:${random.below(150)}`, value];
    if (random.below(3) === 0) argv.push("EX", "1000");
    commands.push(argv);
  }
  const many = Array.from({ length: 300 }, (_, i) => `element ${i}`);
  const large = ["list", "set", "zset", "hash", "stream", "text", "long"];
  commands.push(
    ["RPUSH", "list", ...many],
    ["SADD", "set", ...many],
    ["ZADD", "zset", ...many.flatMap((member, i) => [`${i / 4}`, member])],
    ["HSET", "hash", ...many.flatMap((field, i) => [field, `${i}`])],
    ...many.map((value, i) => ["XADD", "stream", `${i + 1}-1`, "f", value]),
    ["SET", "text", "t".repeat(5_000 + random.below(100))],
    ["SET", "long", "l".repeat(300_000 + random.below(100))],
    ["PEXPIRE", random.pick(large), "1000000"],
    ["DEBUG", "DIGEST-VALUE", ...large],
    ["DEBUG", "DIGEST"],
    ["DEBUG", "DIGEST-VALUE", "key:1", "key:2", "key:3", "none"],
  );
  const [a, b] = [
    await ours.pipeline(commands),
    await theirs.pipeline(commands),
  ];
  assertEquals(a.slice(-3), b.slice(-3));
}, { count: 2, ignore: !hasReference });

Deno.test("CONFIG REWRITE keeps the file and its mode", async () => {
  await using server = await ServerProcess.start({
    command: [
      "/bin/sh",
      "-c",
      'printf "# mine\\nhz 20\\n" >"$1" && chmod 640 "$1" && shift && exec "$@"',
      "sh",
      "{dir}/sherd.conf",
      ...[Deno.execPath(), "run", "--quiet", "-A", "--unstable-net"],
      ...["src/front/cli/main.ts", "{dir}/sherd.conf"],
      ...["--port", "0", "--workers", "2", "--appendonly", "no"],
    ],
    cwd: new URL("../..", import.meta.url).pathname,
    ready: /port[ =:]+(\d+)/i,
  });
  using client = await TestClient.connect(Number(server.ready[1]));
  await ask(client, "CONFIG", "SET", "hz", "30", "maxmemory", "100mb");
  assertEquals(await ask(client, "CONFIG", "REWRITE"), "OK");
  const path = `${server.directory}/sherd.conf`;
  const lines = Deno.readTextFileSync(path).split("\n");
  assertEquals(lines.slice(0, 2), ["# mine", "hz 30"]);
  assert(lines.includes("maxmemory 100mb"));
  assertEquals(Deno.statSync(path).mode! & 0o777, 0o640);
  const names = [...Deno.readDirSync(server.directory)].map(({ name }) => name);
  assertEquals(names.filter((name) => name.includes("conf")), ["sherd.conf"]);
});

async function ask(client: TestClient, ...argv: string[]): Promise<Plain> {
  return plain(await client.run(...argv));
}

async function configGet(
  client: TestClient,
  ...patterns: string[]
): Promise<[string, string][]> {
  const pairs = pairsOf(await ask(client, "CONFIG", "GET", ...patterns));
  return [...pairs].map(([name, text]) => [String(name), String(text)]);
}

/** A map, however the protocol shows it. */
function pairsOf(reply: Plain): Map<Plain, Plain> {
  if (reply instanceof Map) return reply;
  const flat = reply as Plain[];
  const pairs = new Map<Plain, Plain>();
  for (let i = 0; i < flat.length; i += 2) pairs.set(flat[i]!, flat[i + 1]!);
  return pairs;
}

async function infoText(
  client: TestClient,
  ...sections: string[]
): Promise<string> {
  return String(await ask(client, "INFO", ...sections));
}

async function infoFields(
  client: TestClient,
  ...sections: string[]
): Promise<Map<string, string>> {
  const fields = new Map<string, string>();
  for (const line of (await infoText(client, ...sections)).split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

async function connectMany(
  server: TestServer,
): Promise<{ list: TestClient[]; [Symbol.asyncDispose](): Promise<void> }> {
  const list = await Promise.all(
    Array.from({ length: CLIENTS }, () => server.client()),
  );
  return {
    list,
    [Symbol.asyncDispose]: () => {
      for (const client of list) client.close();
      return Promise.resolve();
    },
  };
}
