/**
 * Many entries of a stream that are read, claimed, acknowledged or forgotten in
 * slices: who asks meanwhile is served, and sees the stream as it was or as it
 * will be. Replies, events and what is left are those of the same in one hold.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { until } from "../_patience.ts";
import {
  type Plain,
  plain,
  type Reply,
  type TestClient,
  toBinary,
} from "../_resp_client.ts";
import { heard } from "./_heard.ts";
import { settled, slicesSuite, statistic } from "./_slices.ts";
import {
  idsBetween,
  OTHER,
  STREAM,
  STREAM_CHANGES,
  type StreamChange,
} from "./_stream_changes.ts";
import { recordOf } from "./_streams.ts";

/** Surely more than is done before others are served. */
const LARGE = 800;

const { suite } = slicesSuite();

async function refill(
  client: TestClient,
  { fill }: StreamChange,
  entries: number,
): Promise<void> {
  await client.run("FLUSHALL");
  const replies = await client.pipeline(fill(entries));
  assert(replies.every(({ type }) => type !== "error"));
}

/** Leaves the fields of entries out of a reply. */
function withoutFields(reply: Plain): Plain {
  if (!Array.isArray(reply)) return reply;
  const [id, fields] = reply;
  const isEntry = reply.length === 2 && Array.isArray(fields) &&
    fields[0] === "f";
  return isEntry ? id! : reply.map(withoutFields);
}

/** All that XINFO says of streams; with the times in it, or without. */
async function pictures(
  client: TestClient,
  keys: readonly string[],
  hasTimes = false,
): Promise<string[]> {
  const replies = await client.pipeline(
    keys.map((key) => ["XINFO", "STREAM", key, "FULL", "COUNT", "0"]),
  );
  return replies.map((reply) => JSON.stringify(simple(plain(reply), hasTimes)));
}

function simple(value: Plain, hasTimes: boolean): unknown {
  if (value instanceof Map) {
    return simple([...value].flat() as Plain[], hasTimes);
  }
  if (!Array.isArray(value)) return value;
  return value.map((one, i) => {
    const before = value[i - 1];
    // When a consumer was seen is not recorded.
    if (before === "seen-time" || before === "active-time") return 0;
    if (typeof one === "number" && one > 1e12 && !hasTimes) return 0;
    return simple(one, hasTimes);
  });
}

/** How much is pending with each consumer. */
async function pendingWith(
  client: TestClient,
): Promise<Record<string, number>> {
  const rows = plain(await client.run("XINFO", "CONSUMERS", STREAM, "g"));
  const found: Record<string, number> = {};
  for (const row of rows as Plain[]) {
    const { name, pending } = recordOf(row);
    found[String(name)] = Number(pending);
  }
  return found;
}

function isExpected(
  found: Record<string, number>,
  expected: Record<string, number>,
): void {
  for (const [name, pending] of Object.entries(expected)) {
    assertEquals(found[name] ?? -1, pending, name);
  }
}

/** Where a stream is kept as it was before. */
function baseOf(key: string): string {
  return `${key}:base`;
}

/** A command on a stream of another name. */
function on(i: number, argv: readonly string[]): string[] {
  return argv.map((arg) => arg === STREAM ? nameOf(i) : arg);
}

function nameOf(i: number): string {
  return `${STREAM}${i}`;
}

// It comes first, so that there is little to load.
suite("what is left comes back from the log", async (client, server) => {
  using writer = await server.client();
  const streams = STREAM_CHANGES.flatMap(({ others }, i) => [
    nameOf(i),
    ...others ?? [],
  ]);
  const load = async () => {
    assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  };
  for (const [i, { fill }] of STREAM_CHANGES.entries()) {
    await client.pipeline(fill(LARGE).map((argv) => on(i, argv)));
  }
  for (const [i, { argv, name }] of STREAM_CHANGES.entries()) {
    const change = on(i, argv(LARGE));
    await writer.sendCommands([change]);
    // Loading completes what is under way, and refuses what comes then.
    if (i % 5 === 0) await load();
    const reply = await writer.readReply();
    if (reply.type !== "error") continue;
    assert(reply.value.startsWith("LOADING"), name);
    await writer.run(...change);
  }
  const before = await pictures(client, streams, true);
  await load();
  const after = await pictures(client, streams, true);
  for (const [i, stream] of streams.entries()) {
    assertEquals(after[i], before[i], stream);
  }
});

suite("each is as in one hold, whatever its size", async (client, server) => {
  for (const change of STREAM_CHANGES) {
    const { atOnce, name } = change;
    for (const entries of [atOnce - 1, atOnce, atOnce + 1, LARGE]) {
      await refill(client, change, entries);
      const streams = [STREAM, ...change.others ?? []];
      await client.pipeline(streams.map((key) => ["COPY", key, baseOf(key)]));
      const before = await statistic(client, "sherd_sliced_commands");
      let raw = "";
      const events = await heard(server, client, async () => {
        const [frame] = await client.pipelineFrames([change.argv(entries)]);
        raw = toBinary(frame!.raw);
        assertEquals(shapeOf(frame!.reply), change.reply(entries), name);
      });
      const sliced = await statistic(client, "sherd_sliced_commands") - before;
      if (entries <= atOnce) assertEquals(sliced, 0, name);
      if (entries === LARGE) assertEquals(sliced, 1, name);
      isExpected(await pendingWith(client), change.pending(entries));
      const left = await pictures(client, streams);
      await client.pipeline(
        streams.map((key) => ["COPY", baseOf(key), key, "REPLACE"]),
      );
      const inPlace = await heard(server, client, async () => {
        const frames = await client.pipelineFrames([
          ["MULTI"],
          change.argv(entries),
          ["EXEC"],
        ]);
        assertEquals(toBinary(frames[2]!.raw), `*1\r\n${raw}`, name);
      });
      assertEquals(events, inPlace, name);
      assertEquals(await pictures(client, streams), left, name);
    }
  }
});

suite(
  "others of the shard are served between slices",
  async (client, server) => {
    using other = await server.client();
    for (const change of STREAM_CHANGES) {
      const argv = change.argv(LARGE);
      await until(`${change.name} is met under way`, async () => {
        await refill(client, change, LARGE);
        await client.run("SET", OTHER, "value");
        let isOver = false;
        let isMet = false;
        const changing = client.run(...argv).finally(() => isOver = true);
        while (!isOver && !isMet) {
          // Both are answered in one turn, so no slice is done in between.
          const [locks, value] = await other.pipeline([
            ["LOCKS", "LIST"],
            ["GET", OTHER],
          ]);
          isMet = JSON.stringify(simple(plain(locks!), true)).includes(
            "slices",
          );
          assertEquals(plain(value!), "value");
        }
        await changing;
        return isMet;
      });
      isExpected(await pendingWith(client), change.pending(LARGE));
    }
  },
);

suite(
  "a client that vanishes leaves all or nothing",
  async (client, server) => {
    for (const change of STREAM_CHANGES) {
      await refill(client, change, LARGE);
      const before = await pendingWith(client);
      let id: Plain;
      {
        using leaver = await server.client();
        id = plain(await leaver.run("CLIENT", "ID"));
        await leaver.sendCommands([change.argv(LARGE)]);
        await client.run("PING");
      }
      await until("the client is gone", async () => {
        const list = await client.run("CLIENT", "LIST", "ID", String(id));
        return String(plain(list)) === "";
      });
      await settled(client);
      const after = await pendingWith(client);
      if (JSON.stringify(after) !== JSON.stringify(before)) {
        isExpected(after, change.pending(LARGE));
      }
    }
  },
);

suite("who watches, or waits, sees one change", async (client, server) => {
  const [reading] = STREAM_CHANGES;
  using watcher = await server.client();
  using waiter = await server.client();
  await refill(client, reading!, LARGE);
  await watcher.run("WATCH", STREAM);
  await client.run(...reading!.argv(LARGE));
  const aborted = await watcher.pipeline([["MULTI"], ["PING"], ["EXEC"]]);
  assertEquals(plain(aborted[2]!), null);
  // A group that is sent back serves all at once who waits for it.
  await waiter.sendCommands([[
    ...["XREADGROUP", "GROUP", "g", "w", "BLOCK", "0"],
    ...["STREAMS", STREAM, ">"],
  ]]);
  await until("it waits", async () => {
    const info = String(plain(await client.run("INFO", "clients")));
    return info.includes("blocked_clients:1\r");
  });
  await client.run("XGROUP", "SETID", STREAM, "g", "0");
  assertEquals(shapeOf(await waiter.readReply()), [[
    STREAM,
    idsBetween(1, LARGE),
  ]]);
  isExpected(await pendingWith(client), { a: 0, w: LARGE });
});

suite("several streams are read at one instant", async (client, server) => {
  using watcher = await server.client();
  const several = STREAM_CHANGES.find(({ others }) => others?.length === 3)!;
  const streams = [STREAM, ...several.others!];
  await refill(client, several, LARGE);
  const seen = new Set<string>();
  let isOver = false;
  const reading = client.run(...several.argv(LARGE))
    .finally(() => isOver = true);
  do {
    const replies = await watcher.pipeline([
      ["MULTI"],
      ...streams.map((key) => ["XPENDING", key, "g"]),
      ["EXEC"],
    ]);
    const summaries = plain(replies.at(-1)!) as Plain[][];
    seen.add(summaries.map(([pending]) => pending).join(" "));
  } while (!isOver);
  await reading;
  seen.delete("0 0 0 0");
  seen.delete(`${LARGE} 5 0 ${LARGE}`);
  assertEquals(seen.size, 0, [...seen].join());
});

suite("XCLAIM of many reads all before it begins", async (client) => {
  const claiming = STREAM_CHANGES.find(({ name }) => name === "XCLAIM")!;
  await refill(client, claiming, LARGE);
  const before = await pictures(client, [STREAM], true);
  const claim = (ids: number, ...options: string[]) =>
    client.run(...claiming.argv(ids), ...options);
  for (
    const options of [
      ["NONSENSE"],
      ["FORCE", "1-x"],
      ["1-0", "IDLE", "x", "FORCE"],
      ["TIME", "1.5"],
      ["RETRYCOUNT", ""],
      ["FORCE", "LASTID", "x"],
      ["JUSTID", "LASTID"],
      ["IDLE", "5", "2-0"],
    ]
  ) {
    const error = await claim(LARGE, ...options);
    assertEquals(error.type, "error");
    assertEquals(plain(error), plain(await claim(3, ...options)));
    assertEquals(await pictures(client, [STREAM], true), before);
  }
  const stats = String(plain(await client.run("INFO", "errorstats")));
  assert(stats.includes("errorstat_ERR:count="), stats);
});

suite("XGROUP DESTROY of a group with much pending", async (client) => {
  const acking = STREAM_CHANGES.find(({ name }) => name === "XACK")!;
  await refill(client, acking, 5 * LARGE);
  const destroyed = await client.run("XGROUP", "DESTROY", STREAM, "g");
  assertEquals(plain(destroyed), 1);
  assertEquals(plain(await client.run("XINFO", "GROUPS", STREAM)), []);
});

suite("XREAD of several long streams", async (client, server) => {
  using other = await server.client();
  const keys = ["{a}1", "{b}2", "{a}3"];
  const sizes = [3000, 100, 1000];
  const argv = ["XREAD", "STREAMS", ...keys, keys[0]!, "0", "90", "5", "2990"];
  for (let round = 0; round < 3; round++) {
    await client.run("FLUSHALL");
    for (const [i, key] of keys.entries()) {
      const ids = idsBetween(1, sizes[i]!);
      await client.pipeline(ids.map((id) => ["XADD", key, id, "f", "v"]));
    }
    const [whole] = await client.pipeline([argv]);
    assertEquals(shapeOf(whole!), [
      [keys[0]!, idsBetween(1, 3000)],
      [keys[1]!, idsBetween(91, 100)],
      [keys[2]!, idsBetween(6, 1000)],
      [keys[0]!, idsBetween(2991, 3000)],
    ]);
    const changing = other.pipeline([
      ["XADD", keys[0]!, "3001-0", "f", "v"],
      ["DEL", keys[2]!],
    ]);
    const replies = await client.pipeline([argv, ["PING"]]);
    await changing;
    assertEquals(plain(replies[1]!), "PONG");
    // Whatever comes in between, the reply is as of one instant.
    const lengths = (shapeOf(replies[0]!) as Plain[])
      .map((pair) => ((pair as Plain[])[1] as Plain[]).length);
    const seen = lengths.join(" ");
    assert(
      ["3000 10 995 10", "3001 10 995 11", "3001 10 11"].includes(seen),
      seen,
    );
  }
});

/** A reply without the fields of entries; a stream may come twice in it. */
function shapeOf(reply: Reply): Plain {
  return reply.type === "map"
    ? reply.value.map(([key, entries]) =>
      [key, entries].map(plain).map(withoutFields)
    )
    : withoutFields(plain(reply));
}

suite("several streams that others still read", async (client, server) => {
  // More than lies between who writes and who does not read.
  const names = Array.from({ length: 40 }, (_, i) => `held:${i}`);
  const last = names.slice(-5);
  const value = "v".repeat(7000);
  const fill = Array.from(
    { length: 70 },
    (_, i) => ["XADD", names[0]!, `1-${i + 1}`, "f", value],
  );
  await client.pipeline([
    ...fill,
    ...["a", "b", "c"].map((g) => ["XGROUP", "CREATE", names[0]!, g, "0"]),
    ...names.slice(1).map((name) => ["COPY", names[0]!, name]),
  ]);
  const read = (group: string) => [
    ...["XREADGROUP", "GROUP", group, "me", "COUNT", "3", "STREAMS"],
    ...[...last, ...last.map(() => ">")],
  ];
  const sliced = () => statistic(client, "sherd_sliced_commands");
  const before = await sliced();
  const expected = plain(await client.run(...read("a")));
  assertEquals(await sliced(), before);
  using slow = await server.client();
  await slow.sendCommands([
    ["XREAD", "STREAMS", ...names, ...names.map(() => "0")],
  ]);
  await until("they are read", async () => {
    const [info] = await client.pipeline([["CLIENT", "LIST"]]);
    return /cmd=xread /.test(String(plain(info!)));
  });
  assertEquals(plain(await client.run(...read("b"))), expected);
  assertEquals(await sliced(), before + 1);
  await client.run("MULTI");
  await client.run(...read("c"));
  assertEquals(plain(await client.run("EXEC")), [expected]);
  await client.run("DEL", ...last);
  const all = plain(await slow.readReply());
  assertEquals((all as Plain[]).length, names.length);
  for (const row of all as Plain[][]) {
    assertEquals((row[1] as Plain[]).length, fill.length);
  }
});
