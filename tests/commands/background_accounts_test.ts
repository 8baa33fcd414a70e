/**
 * What commands in the background are charged for: counts and times in INFO
 * commandstats, LATENCY HISTOGRAM and the slow log, as of all others.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Plain, plain, type TestClient } from "../_resp_client.ts";
import { A, fill, KEYS, runCounted, suite } from "./_background.ts";

const { set1, set2, list, target } = KEYS;

interface Account {
  readonly calls: number;
  readonly usec: number;
  readonly failed: number;
  /** Calls in LATENCY HISTOGRAM. */
  readonly timed: number;
}

async function accountOf(
  client: TestClient,
  command: string,
): Promise<Account> {
  const info = String(plain(await client.run("INFO", "commandstats")));
  const line = new RegExp(
    `cmdstat_${command}:calls=(\\d+),usec=(\\d+),.*failed_calls=(\\d+)`,
  ).exec(info);
  const histogram = await client.run("LATENCY", "HISTOGRAM", command);
  const calls = /"calls":(\d+)/.exec(
    JSON.stringify(flat(plain(histogram))),
  );
  const [usec, failed] = [Number(line?.[2] ?? 0), Number(line?.[3] ?? 0)];
  const timed = Number(calls?.[1] ?? 0);
  return { calls: Number(line?.[1] ?? 0), usec, failed, timed };
}

/** Maps as objects, also those that RESP2 has as arrays. */
function flat(value: Plain): unknown {
  if (value instanceof Map) {
    return Object.fromEntries(
      [...value].map(([key, inner]) => [String(key), flat(inner)]),
    );
  }
  if (!Array.isArray(value)) return value;
  const entries: [string, unknown][] = [];
  for (let i = 0; i + 1 < value.length; i += 2) {
    entries.push([String(value[i]), flat(value[i + 1]!)]);
  }
  return Object.fromEntries(entries);
}

suite(
  "background commands are counted once, with their time",
  async (client) => {
    await client.run("CONFIG", "RESETSTAT");
    await fill(client);
    for (let i = 1; i <= 3; i++) {
      assertEquals(
        (await runCounted(client, "SUNIONSTORE", target, set1, set2))[1],
        1,
      );
      const account = await accountOf(client, "sunionstore");
      assertEquals([account.calls, account.failed, account.timed], [i, 0, i]);
      assert(account.usec > 0);
    }
    // A set is no list of numbers: it fails where it is run.
    assertEquals((await runCounted(client, "SORT", set1))[1], 1);
    const sort = await accountOf(client, "sort");
    assertEquals([sort.calls, sort.failed, sort.timed], [1, 1, 1]);
  },
);

suite("slices are counted as one call", async (client) => {
  await client.run("CONFIG", "RESETSTAT");
  const numbers = Array.from({ length: 60_000 }, (_, i) => String(i));
  await client.run("RPUSH", list, ...numbers);
  await client.run("LTRIM", list, "10000", "-10001");
  const account = await accountOf(client, "ltrim");
  assertEquals([account.calls, account.failed, account.timed], [1, 0, 1]);
  assert(account.usec > 0);
});

suite("background commands are in the slow log", async (client) => {
  await fill(client);
  await client.run("CLIENT", "SETNAME", "slow-one");
  const info = String(plain(await client.run("CLIENT", "INFO")));
  const me = / addr=(\S+)/.exec(info)![1]!;
  const elements = Array.from({ length: 60_000 }, (_, i) => String(i));
  await client.run("RPUSH", `{${A}}trimmed`, ...elements);
  await client.run("CONFIG", "SET", "slowlog-log-slower-than", "0");
  await client.run("SLOWLOG", "RESET");
  const commands = [
    ["SUNION", set1, set2],
    ["SUNIONSTORE", target, set1, set2],
    ["LTRIM", `{${A}}trimmed`, "10000", "-10001"],
  ];
  for (const argv of commands) await client.run(...argv);
  await client.run("CONFIG", "SET", "slowlog-log-slower-than", "10000000");
  const entries = (plain(await client.run("SLOWLOG", "GET", "-1")) as Plain[][])
    .map(([, , microseconds, args, address, name]) => {
      assert(Number(microseconds) > 0);
      return [args, address, name] as Plain[];
    });
  for (const argv of commands) {
    const found = entries.filter(([args]) => (args as Plain[])[0] === argv[0]);
    assertEquals(found, [[argv, me, "slow-one"]]);
  }
});
