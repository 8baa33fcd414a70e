/**
 * Elements of lists that are long enough to be added, popped and moved where they
 * lie: what is there and what is replied is redis-server's, the log has the same,
 * and no memory is lost.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { hasRedisServer, startRedisServer } from "../_redis_server.ts";
import { type Argument, plain, type TestClient } from "../_resp_client.ts";
import { until } from "../_patience.ts";
import { Random } from "../_random.ts";
import {
  assertNothingLost,
  assertSame,
  assertSameReplies,
  assertSameValues,
  beginReading,
} from "./_long_values.ts";
import { slicesSuite } from "./_slices.ts";

const { suite } = slicesSuite();

const A = "{a}list";
const B = "{b}list";
const KEYS = [A, B];
/** One comes by itself, the other is handed over to replies. */
const LENGTHS = [66_000, 600_000];

function elementOf(random: Random): Argument {
  const kind = random.below(5);
  if (kind < 2) return String(random.below(100));
  if (kind === 2) return "s".repeat(random.below(20_000));
  const length = random.pick(LENGTHS) + random.below(3);
  return new Uint8Array(length).fill(random.below(256));
}

/** Commands at random; none waits. */
function commandOf(random: Random): Argument[] {
  const key = random.pick(KEYS);
  const other = random.pick(KEYS);
  const end = () => random.pick(["LEFT", "RIGHT"]);
  const element = () => elementOf(random);
  const index = String(random.below(9) - 4);
  switch (random.below(16)) {
    case 0:
    case 1:
      return ["RPUSH", key, element()];
    case 2:
      return ["LPUSH", key, element(), element(), element()];
    case 3:
      return ["RPUSH", key, ...Array.from({ length: 9 }, element)];
    case 4:
      return ["LPUSHX", key, element()];
    case 5:
    case 6:
      return ["LSET", key, index, element()];
    case 7:
      return ["LINSERT", key, "BEFORE", String(random.below(99)), element()];
    case 8:
      return ["LPOP", key];
    case 9:
      return ["RPOP", key, String(random.below(5))];
    case 10:
      return ["LMPOP", "2", key, other, end(), "COUNT", "3"];
    case 11:
      return ["BRPOP", key, A, B, "0.01"];
    case 12:
      return ["LMOVE", key, other, end(), end()];
    case 13:
      return ["BLMOVE", key, other, end(), end(), "0.01"];
    case 14:
      return ["RPOPLPUSH", key, other];
    default:
      return ["LRANGE", key, "0", "-1"];
  }
}

async function listsOf(client: TestClient): Promise<Uint8Array[]> {
  const lists: Uint8Array[] = [];
  for (const key of KEYS) {
    lists.push((await client.runRaw("LRANGE", key, "0", "-1")).slice());
  }
  return lists;
}

suite("long elements of lists come and go as in redis-server", async (
  client,
) => {
  if (!hasRedisServer("long elements of lists")) return;
  await using redis = await startRedisServer();
  using reference = await redis.client({ resp: client.resp });
  for (let seed = 1; seed <= 2; seed++) {
    const random = new Random(seed);
    for (let round = 0; round < 12; round++) {
      const commands = Array.from({ length: 8 }, () => commandOf(random));
      if (round % 4 === 3) {
        commands.unshift(["MULTI"]);
        commands.push(["EXEC"]);
      }
      const name = `seed ${seed} round ${round}`;
      await assertSameReplies(client, reference, commands, name);
    }
    await assertSameValues(client, reference, KEYS, listsOf);
  }
});

suite("long elements are popped among many", async (client, server) => {
  const long = (i: number) => `${i}`.repeat(600_000);
  const elements = Array.from(
    { length: 200 },
    (_, i) => i % 40 === 3 ? long(i) : `${i}`,
  );
  for (
    const argv of [
      ["LPOP", A, "150"],
      ["RPOP", A, "100"],
      ["LMPOP", "2", B, A, "LEFT", "COUNT", "90"],
    ]
  ) {
    await client.run("RPUSH", A, ...elements);
    const count = Number(argv.at(-1));
    const taken = argv[0] === "RPOP"
      ? elements.slice(-count).reverse()
      : elements.slice(0, count);
    const reply = plain(await client.run(...argv));
    assertEquals(reply, argv[0] === "LMPOP" ? [A, taken] : taken);
    // Nobody takes those that are popped next.
    {
      using gone = await server.client({ resp: client.resp });
      await gone.sendCommands([argv]);
      await until(
        "they are popped",
        async () => plain(await client.run("LLEN", A)) !== 200 - count,
      );
    }
    await client.run("DEL", A);
  }
  await assertNothingLost(client, KEYS);
});

suite("who waits is given long elements", async (
  client,
  server,
) => {
  const long = "l".repeat(600_000);
  for (let round = 0; round < 3; round++) {
    using waiting = await server.client({ resp: client.resp });
    await waiting.sendCommands([["BLPOP", A, "0"], ["PING"]]);
    await until(
      "one waits",
      async () =>
        /blocked_clients:1/.test(
          String(plain(await client.run("INFO", "clients"))),
        ),
    );
    await client.run("RPUSH", A, long, "second");
    const { reply } = await waiting.readFrame();
    assertEquals(plain(reply), [A, long]);
    assertEquals(plain(await client.run("LRANGE", A, "0", "-1")), ["second"]);
    await client.run("DEL", A);
  }
  await assertNothingLost(client, KEYS);
});

suite("long elements are popped from lists that are being read", async (
  client,
  server,
) => {
  const long = (byte: string) => byte.repeat(12 << 20);
  await client.run("RPUSH", A, long("a"), long("b"), "c");
  const before = (await client.runRaw("LRANGE", A, "0", "-1")).slice();
  using reader = await server.client({ resp: client.resp });
  await beginReading(reader, client, [["LRANGE", A, "0", "-1"]]);
  using other = await server.client();
  assertEquals(plain(await other.run("LPOP", A)), long("a"));
  assertEquals(
    plain(await other.run("LMOVE", A, B, "LEFT", "LEFT")),
    long("b"),
  );
  assertSame((await reader.readFrame()).raw, before, "what was read");
  assertEquals(plain(await client.run("LRANGE", B, "0", "-1")), [long("b")]);
  // Who takes nothing of the reply has the element all the same.
  {
    using gone = await server.client();
    await gone.sendCommands([["RPOP", B]]);
    await until(
      "it is popped",
      async () => plain(await client.run("EXISTS", B)) === 0,
    );
  }
  await assertNothingLost(client, KEYS);
});
