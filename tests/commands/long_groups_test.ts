/**
 * Long names of groups and consumers of streams, compared before the latch and
 * replied from where they lie: as in redis-server, in the log as well.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../src/core/base/bytes.ts";
import { hasRedisServer, startRedisServer } from "../_redis_server.ts";
import {
  type Argument,
  type Plain,
  plain,
  type TestClient,
  toBinary,
} from "../_resp_client.ts";
import { Random } from "../_random.ts";
import {
  assertNothingLost,
  assertSame,
  assertSameValues,
  beginReading,
} from "./_long_values.ts";
import { settled, slicesSuite } from "./_slices.ts";

const { suite } = slicesSuite();

const A = "{a}stream";
const B = "{b}stream";
const NONE = "{b}none";
const KEYS = [A, B];
const ENTRIES = 6;

const long = (letter: string) => letter.repeat(70_000);

/** Few names that begin alike, most of them long. */
const NAMES: readonly Argument[] = [
  "a",
  "b",
  ...[66_000, 66_001, 300_000].flatMap((length) =>
    ["a", "b"].map((end) => {
      const name = new Uint8Array(length).fill(97);
      name[length - 1] = end.charCodeAt(0);
      return name;
    })
  ),
];

/** Commands at random, whose replies have no times; some are refused. */
function commandsOf(random: Random): Argument[][] {
  const command = commandOf(random);
  const isReading = command[0] === "XREADGROUP";
  if (!isReading && !/CLAIM/.test(String(command[0]))) return [command];
  // Redis 7.0 makes consumers only when they get something.
  const names = command.slice(2, 4);
  const keys = command.filter((word) => KEYS.includes(String(word)));
  return [
    ...keys.map((key) => ["XGROUP", "CREATECONSUMER", key, ...names]),
    command,
  ];
}

function commandOf(random: Random): Argument[] {
  const key = random.pick([...KEYS, A, A, NONE]);
  const group = random.pick(NAMES);
  const consumer = random.pick(NAMES);
  const id = `${1 + random.below(ENTRIES)}-1`;
  switch (random.below(14)) {
    case 0:
    case 1:
      return ["XGROUP", "CREATE", key, group, random.pick(["0", "$", "3-1"])];
    case 2:
      return ["XGROUP", "CREATE", random.pick(KEYS), group, "0", "MKSTREAM"];
    case 3:
      return ["XGROUP", "CREATECONSUMER", key, group, consumer];
    case 4:
      return ["XGROUP", "DELCONSUMER", key, group, consumer];
    case 5:
      return ["XGROUP", "DESTROY", key, group];
    case 6:
      return ["XGROUP", "SETID", key, group, id];
    case 7:
    case 8: {
      const streams = random.pick([[key, ">"], [A, B, ">", ">"], [key, "0"]]);
      const options = random.pick([[], ["NOACK"], ["COUNT", "2"]]);
      return [
        ...["XREADGROUP", "GROUP", group, consumer, ...options],
        ...["STREAMS", ...streams],
      ];
    }
    case 9:
      return ["XACK", key, group, id, "2-1"];
    case 10:
      return ["XCLAIM", key, group, consumer, "0", id, "FORCE", "JUSTID"];
    case 11:
      return ["XAUTOCLAIM", key, group, consumer, "0", id];
    case 12:
      return ["XPENDING", key, group];
    default:
      return [
        "XPENDING",
        key,
        group,
        "IDLE",
        "1000000",
        "-",
        "+",
        "1",
        consumer,
      ];
  }
}

/** The groups with their numbers of consumers, and what is pending with whom. */
async function valuesOf(client: TestClient): Promise<Uint8Array[]> {
  const values: Uint8Array[] = [];
  for (const key of KEYS) {
    values.push((await client.runRaw("XINFO", "GROUPS", key)).slice());
    for (const name of NAMES) {
      const raw = await client.runRaw("XPENDING", key, name);
      values.push(latin1BytesOf(withoutNames(raw)));
    }
  }
  return values;
}

/** As `assertSameReplies`, but in errors names are cut off. */
async function assertAlike(
  client: TestClient,
  reference: TestClient,
  commands: readonly Argument[][],
  name: string,
): Promise<void> {
  const expected = await reference.pipelineFrames(commands);
  const texts = expected.map(({ raw }) => withoutNames(raw));
  const actual = await client.pipelineFrames(commands);
  for (const [i, { raw }] of actual.entries()) {
    const words = commands[i]!.map((word) => String(word).slice(0, 20));
    assert(withoutNames(raw) === texts[i], `${name}: ${words}`);
  }
}

function withoutNames(raw: Uint8Array): string {
  return toBinary(raw).replace(
    /^-.*$/gm,
    (error) => error.replaceAll(/a{100,}b?/g, "name"),
  );
}

suite("long names of groups are those of redis-server", async (client) => {
  if (!hasRedisServer("long names of groups")) return;
  await using redis = await startRedisServer();
  using reference = await redis.client({ resp: client.resp });
  for (let seed = 1; seed <= 2; seed++) {
    const random = new Random(10 * client.resp + seed);
    const fill = KEYS.flatMap((key) =>
      Array.from(
        { length: ENTRIES },
        (_, i) => ["XADD", key, `${i + 1}-1`, "f", "v"],
      )
    );
    for (const each of [client, reference]) await each.pipeline(fill);
    for (let round = 1; round <= 12; round++) {
      const commands = Array.from({ length: 9 }, () => commandsOf(random))
        .flat();
      if (round % 5 === 4) {
        commands.unshift(["MULTI"]);
        commands.push(["EXEC"]);
      }
      const name = `seed ${seed} round ${round}`;
      await assertAlike(client, reference, commands, name);
    }
    await assertSameValues(client, reference, KEYS, valuesOf);
  }
});

suite(
  "long names are logged with what is claimed in slices",
  async (client) => {
    const [group, consumer, other] = [long("g"), long("c"), long("d")];
    await client.run("XGROUP", "CREATE", A, group, "0", "MKSTREAM");
    const add = ["XADD", A, "*", "f", "v"];
    await client.pipeline(Array.from({ length: 400 }, () => add));
    const all = ["COUNT", "400", "STREAMS", A, ">"];
    await client.run("XREADGROUP", "GROUP", group, consumer, ...all);
    await client.run("XGROUP", "CREATECONSUMER", A, group, "short");
    await client.run("XAUTOCLAIM", A, group, other, "0", "0", "COUNT", "300");
    const pending = plain(await client.run("XPENDING", A, group)) as Plain[];
    assertEquals(pending[3], [[consumer, "100"], [other, "300"]]);
    await settled(client);
    assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
    assertEquals(plain(await client.run("XPENDING", A, group)), pending);
    await assertNothingLost(client, KEYS);
  },
);

suite("names are replied as they were", async (client, server) => {
  using reader = await server.client({ resp: client.resp });
  const names = Array.from({ length: 24 }, (_, i) => {
    return String.fromCharCode(97 + i).repeat(1 << 19);
  });
  const id = ["0", "MKSTREAM"];
  await client.pipeline(
    names.map((name) => ["XGROUP", "CREATE", A, name, ...id]),
  );
  const before = (await client.runRaw("XINFO", "GROUPS", A)).slice();
  await beginReading(reader, client, [["XINFO", "GROUPS", A]]);
  for (const name of names.slice(5)) {
    assertEquals(plain(await client.run("XGROUP", "DESTROY", A, name)), 1);
  }
  await client.run("XGROUP", "CREATE", A, "other", "0");
  await client.run("DEL", A);
  const { raw } = await reader.readFrame();
  assertSame(raw, before, "what was there");
  await assertNothingLost(client, KEYS);
});
