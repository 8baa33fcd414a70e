/**
 * Streams of long entries, of very many nodes or consumers, and many streams at
 * once: what is gone on with in slices, in the background or while the client takes
 * it is as in one hold, which a transaction is.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { TestServer } from "../_harness.ts";
import { until } from "../_patience.ts";
import { plain, type TestClient, toBinary } from "../_resp_client.ts";
import { heard } from "./_heard.ts";
import { slicesSuite, statistic } from "./_slices.ts";
import { idsBetween } from "./_stream_changes.ts";

const { suite } = slicesSuite();

type Command = readonly string[];

const STREAM = "{s}tream";
const BASE = "{b}ase";

/** More than is read in one hold, but not by their number. */
const LONG_ENTRIES = 40;
const LONG_VALUE = "long ".repeat(3000);
/** What is replied behind a reply. */
const MARK = "all of it";
/** Very many of these are more than a socket takes. */
const VALUE = "v".repeat(100);
/** Of so many fields an entry is made a node before the latch is taken. */
const FIELDS = 9000;

function fieldsOf(count: number, name = "field"): string[] {
  return Array.from({ length: count }, (_, i) => [`${name}${i}`, `${i}`])
    .flat();
}

/** The bytes that a command replies. */
async function rawOf(client: TestClient, argv: Command): Promise<string> {
  const [frame] = await client.pipelineFrames([argv]);
  return toBinary(frame!.raw);
}

/** What comes up to these bytes. */
async function rawUpTo(client: TestClient, end: string): Promise<string> {
  let raw = "";
  while (!raw.endsWith(end)) {
    const bytes = await client.readBytes();
    assert(bytes !== null, "the reply has an end");
    raw += toBinary(bytes);
  }
  return raw;
}

/** The same in a transaction. */
async function rawInOneHold(
  client: TestClient,
  argv: Command,
): Promise<string> {
  const frames = await client.pipelineFrames([["MULTI"], argv, ["EXEC"]]);
  const head = "*1\r\n";
  const raw = toBinary(frames[2]!.raw);
  assert(raw.startsWith(head), raw.slice(0, 80));
  return raw.slice(head.length);
}

/** All that a stream has, but for its nodes and the times of its groups. */
async function pictureOf(client: TestClient): Promise<string> {
  const [entries, full] = await client.pipelineFrames([
    ["XRANGE", STREAM, "-", "+"],
    ["XINFO", "STREAM", STREAM, "FULL"],
  ]);
  const groups = toBinary(full!.raw)
    .replaceAll(/radix-tree-(keys|nodes)\r\n:\d+/g, "nodes")
    .replaceAll(/:1\d{12}\r\n/g, ":time\r\n");
  return toBinary(entries!.raw) + groups;
}

/**
 * Plays a command, which is done in slices if that is said, and again in one hold
 * on the stream as it was: replies, events and what is left must be the same, and
 * what is left must come back from the log.
 */
async function expectAsInOneHold(
  client: TestClient,
  server: TestServer,
  argv: Command,
  isSliced: boolean,
): Promise<void> {
  await client.run("COPY", STREAM, BASE, "REPLACE");
  const before = await statistic(client, "sherd_sliced_commands");
  let raw = "";
  const events = await heard(server, client, async () => {
    raw = await rawOf(client, argv);
  });
  const sliced = await statistic(client, "sherd_sliced_commands") - before;
  assertEquals(sliced, isSliced ? 1 : 0, argv.slice(0, 8).join(" "));
  const left = await pictureOf(client);
  await client.run("COPY", BASE, STREAM, "REPLACE");
  const inOneHold = await heard(server, client, async () => {
    assert(raw === await rawInOneHold(client, argv), argv[0]);
  });
  assertEquals(events, inOneHold);
  assert(left === await pictureOf(client), argv[0]);
}

async function expectFromLog(client: TestClient): Promise<void> {
  const left = await pictureOf(client);
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assert(left === await pictureOf(client), "it comes back from the log");
}

suite("few entries that are long are delivered", async (client, server) => {
  const ids = idsBetween(1, LONG_ENTRIES);
  await client.pipeline([
    ...ids.map((id) => ["XADD", STREAM, id, "f", `${id} ${LONG_VALUE}`]),
    ["XGROUP", "CREATE", STREAM, "g", "0"],
  ]);
  const read = ["XREADGROUP", "GROUP", "g", "a"];
  const claim = ["XCLAIM", STREAM, "g", "b", "0"];
  const autoClaim = ["XAUTOCLAIM", STREAM, "g", "a", "0", "-"];
  const play = (argv: Command, isSliced = true) =>
    expectAsInOneHold(client, server, argv, isSliced);
  await play([...read, "COUNT", "3", "STREAMS", STREAM, ">"], false);
  await play([...read, "STREAMS", STREAM, STREAM, ">", "0"]);
  await play([...read, "STREAMS", STREAM, "5-0"]);
  await play([...claim, ...ids.slice(0, 5)], false);
  await play([...claim, ...ids, "JUSTID"], false);
  await client.run("XDEL", STREAM, "7-0", "8-0", "35-0");
  await play([...claim, ...ids.toReversed(), "RETRYCOUNT", "3"]);
  await client.run("XDEL", STREAM, "9-0", "34-0");
  await play([...autoClaim, "JUSTID"], false);
  await client.run("XDEL", STREAM, "10-0", "33-0");
  await play([...autoClaim, "COUNT", "30"]);
  await play(autoClaim);
  await expectFromLog(client);
});

suite("entries of very many fields", async (client, server) => {
  const play = async (argv: Command) => {
    await client.run("COPY", STREAM, BASE, "REPLACE");
    await client.run(...argv);
    const left = await pictureOf(client);
    await client.run("COPY", BASE, STREAM, "REPLACE");
    await rawInOneHold(client, argv);
    assert(left === await pictureOf(client), argv.slice(0, 7).join(" "));
  };
  const fields = fieldsOf(FIELDS);
  await play(["XADD", STREAM, "1-1", ...fields]);
  await play(["XADD", STREAM, "1-*", ...fields]);
  await client.run("XADD", STREAM, "1-3", "f", "v");
  await play(["XADD", STREAM, "2-1", ...fieldsOf(FIELDS, "other")]);
  for (
    const argv of [["1-1", "f"], ["2-1", ...fields], ["3-1", ...fields, "f"]]
  ) {
    const refused = await client.run("XADD", STREAM, ...argv);
    assertEquals(refused.type, "error");
  }
  // Some of these are left out of the reply that is written at once.
  await client.run("XGROUP", "CREATE", STREAM, "g", "0");
  for (
    const argv of [
      ["XRANGE", STREAM, "-", "+"],
      ["XRANGE", STREAM, "1-2", "+", "COUNT", "2"],
      ["XREVRANGE", STREAM, "+", "1-2"],
      ["XREAD", "STREAMS", STREAM, STREAM, "0", "1-2"],
      ["XINFO", "STREAM", STREAM],
      ["XINFO", "STREAM", STREAM, "FULL", "COUNT", "3"],
    ]
  ) {
    const raw = await rawOf(client, argv);
    assert(raw === await rawInOneHold(client, argv), argv.join(" "));
  }
  await expectAsInOneHold(
    client,
    server,
    ["XREADGROUP", "GROUP", "g", "a", "STREAMS", STREAM, ">"],
    false,
  );
  // The ID is the server's, and so is what is trimmed.
  await client.run("XADD", STREAM, "MAXLEN", "~", "2", "*", ...fields);
  await client.run(
    ...["XADD", STREAM, "MAXLEN", "~", "1", "LIMIT", "50", "*", ...fields],
  );
  await expectFromLog(client);
  // It is no node of its own: nodes may have any size.
  await client.run("CONFIG", "SET", "stream-node-max-bytes", "0");
  await client.run("XADD", STREAM, "*", "f", "v");
  await client.run("XADD", STREAM, "*", ...fieldsOf(3000));
  await client.run("CONFIG", "SET", "stream-node-max-bytes", "4096");
  await expectFromLog(client);
});

suite("entries of many fields, but not very many", async (client, server) => {
  const ids = idsBetween(1, 6);
  const fields = fieldsOf(3000);
  await client.pipeline([
    ...ids.map((id) => ["XADD", STREAM, id, ...fields]),
    ["XGROUP", "CREATE", STREAM, "g", "0"],
  ]);
  for (
    const argv of [
      ["XREADGROUP", "GROUP", "g", "a", "STREAMS", STREAM, ">"],
      ["XREADGROUP", "GROUP", "g", "a", "STREAMS", STREAM, "1-0"],
      ["XCLAIM", STREAM, "g", "b", "0", ...ids],
      ["XAUTOCLAIM", STREAM, "g", "c", "0", "-"],
    ]
  ) await expectAsInOneHold(client, server, argv, true);
});

suite("fields are replied as they were", async (client, server) => {
  const fields = fieldsOf(50_000);
  const ids = idsBetween(1, 2);
  const bulks = fields.map((text) => `$${text.length}\r\n${text}\r\n`);
  const [first, second] = ids.map((id) =>
    `*2\r\n$${id.length}\r\n${id}\r\n*${fields.length}\r\n${bulks.join("")}`
  );
  const both = `*2\r\n${first}${second}`;
  await client.pipeline(ids.map((id) => ["XADD", BASE, id, ...fields]));
  const ready = [
    ["COPY", BASE, STREAM, "REPLACE"],
    ["XGROUP", "CREATE", STREAM, "g", "0"],
  ];
  const read = ["XREADGROUP", "GROUP", "g", "a", "STREAMS", STREAM];
  const delivered = [...ready, [...read, ">"]];
  using reader = await server.client({ resp: client.resp });
  const play = async (before: Command[], argv: Command, expected = both) => {
    await client.pipeline(before);
    await client.run("CONFIG", "RESETSTAT");
    await reader.sendCommands([argv, ["ECHO", MARK]]);
    const name = argv[0]!.toLowerCase();
    await until("it is being replied", async () => {
      const info = plain(await client.run("INFO", "commandstats"));
      return String(info).includes(`cmdstat_${name}:calls=1`);
    });
    await client.pipeline([
      ["XDEL", STREAM, "2-0"],
      ["XADD", STREAM, "*", "f", "v"],
      ["XTRIM", STREAM, "MAXLEN", "1"],
      ["DEL", STREAM],
      // What is free is written over.
      ["SETRANGE", "{s}text", "16000000", "x"],
      ["DEL", "{s}text"],
    ]);
    const raw = await rawUpTo(reader, `${MARK}\r\n`);
    assert(raw.includes(expected), argv.join(" "));
  };
  const end = `*1\r\n${second}`;
  await play(ready, ["XREAD", "STREAMS", STREAM, STREAM, "0-0", "1-0"], end);
  await play(ready, ["XRANGE", STREAM, "-", "+", "COUNT", "2"]);
  await play(ready, ["XREVRANGE", STREAM, "1-0", "-"], first);
  await play(ready, [...read, ">"]);
  await play(delivered, [...read, "1-0"], end);
  await play(delivered, ["XCLAIM", STREAM, "g", "b", "0", ...ids]);
  await play(delivered, ["XAUTOCLAIM", STREAM, "g", "b", "0", "0"]);
  // Who leaves does not want them any more.
  await client.pipeline(ready);
  {
    using leaver = await server.client();
    await leaver.sendCommands([["XRANGE", STREAM, "-", "+"]]);
  }
  await client.run("DEL", STREAM);
  // They come back from what DUMP and COPY have made of them.
  const dumped = await client.runRaw("DUMP", BASE);
  const payload = dumped.subarray(dumped.indexOf(10) + 1, dumped.length - 2);
  assertEquals(plain(await client.run("RESTORE", STREAM, "0", payload)), "OK");
  assert(await rawOf(client, ["XRANGE", STREAM, "-", "+"]) === both);
});

suite("several streams are read that have much", async (client) => {
  const keys = Array.from({ length: 20 }, (_, i) => `{${i}}`);
  const fields = fieldsOf(40);
  await client.pipeline(
    keys.flatMap((key, i) =>
      idsBetween(1, 5 + i).map((id) => ["XADD", key, id, ...fields])
    ),
  );
  for (const count of ["0", "3", "20"]) {
    const argv = [
      ...["XREAD", "COUNT", count, "STREAMS", ...keys],
      ...keys.map((_, i) => `${i % 7}-0`),
    ];
    const raw = await rawOf(client, argv);
    assert(raw === await rawInOneHold(client, argv), count);
  }
});

suite("a stream of very many nodes is trimmed", async (client, server) => {
  await client.run("CONFIG", "SET", "stream-node-max-entries", "1");
  const ids = idsBetween(1, 4800);
  const whole = "{w}hole";
  await client.pipeline(ids.map((id) => ["XADD", whole, id, "f", "v"]));
  const play = async (isSliced: boolean, ...argv: Command) => {
    await client.run("COPY", whole, STREAM, "REPLACE");
    await expectAsInOneHold(client, server, argv, isSliced);
  };
  const add = ["6000-1", "f", "v"];
  await play(false, "XTRIM", STREAM, "MAXLEN", "~", "4700");
  await play(false, "XTRIM", STREAM, "MAXLEN", "~", "10", "LIMIT", "300");
  await play(true, "XTRIM", STREAM, "MAXLEN", "~", "10", "LIMIT", "4500");
  await play(true, "XTRIM", STREAM, "MINID", "~", "4600", "LIMIT", "9000");
  await play(
    ...[true, "XADD", STREAM, "MINID", "~", "9000", "LIMIT", "4321"] as const,
    ...add,
  );
  await client.run("CONFIG", "SET", "stream-node-max-entries", "100");
  await expectFromLog(client);
});

suite(
  "very many nodes are counted later",
  async (client, server) => {
    await client.run("CONFIG", "SET", "stream-node-max-entries", "1");
    const many = 25_000;
    await client.pipeline(
      idsBetween(1, many).map((id) => ["XADD", STREAM, id, "f", VALUE]),
    );
    await client.run("CONFIG", "SET", "stream-node-max-entries", "100");
    const parts = [
      ["XRANGE", STREAM, "2", "+"],
      ["XRANGE", STREAM, "7", `${many - 7}`, "COUNT", `${many - 20}`],
      ["XREVRANGE", STREAM, "+", "3", "COUNT", "20000"],
      ["XREAD", "STREAMS", STREAM, STREAM, "1-0", "20-0"],
    ];
    const whole = [];
    for (const argv of parts) whole.push(await rawInOneHold(client, argv));
    for (const [i, argv] of parts.entries()) {
      assert(await rawOf(client, argv) === whole[i], argv.join(" "));
    }
    // Who changes or deletes it does not change what is being replied.
    using reader = await server.client({ resp: client.resp });
    for (const [i, argv] of parts.entries()) {
      await client.run("COPY", STREAM, BASE, "REPLACE");
      await client.run("CONFIG", "RESETSTAT");
      const reply = reader.pipelineFrames([argv]);
      const name = argv[0]!.toLowerCase();
      await until("it is being replied", async () => {
        const info = plain(await client.run("INFO", "commandstats"));
        return String(info).includes(`cmdstat_${name}:calls=1`);
      });
      const deleted = await client.pipeline([
        ["XDEL", STREAM, "5000-0", "15000-0", "24000-0"],
        ["XTRIM", STREAM, "MAXLEN", "20000"],
        ["RENAME", BASE, STREAM],
      ]);
      assertEquals(plain(deleted[0]!), 3);
      assert(toBinary((await reply)[0]!.raw) === whole[i], argv.join(" "));
    }
  },
);

suite("much is counted in the background", async (client) => {
  await client.run("CONFIG", "SET", "stream-node-max-entries", "1");
  await client.pipeline([
    ...idsBetween(1, 150).map((id) => ["XADD", STREAM, id, "f", "v"]),
    ["XGROUP", "CREATE", STREAM, "g", "0"],
    ...idsBetween(1, 150).map((id) => [
      ...["XREADGROUP", "GROUP", "g", id, "COUNT", "1"],
      ...["STREAMS", STREAM, ">"],
    ]),
  ]);
  await client.run("CONFIG", "SET", "stream-node-max-entries", "100");
  const background = () => statistic(client, "sherd_background_commands");
  const commands = [
    ["XINFO", "STREAM", STREAM],
    ["XINFO", "STREAM", STREAM, "NOTHING"],
    ["XPENDING", STREAM, "g"],
  ];
  for (const [threshold, times] of [["100", 1], ["5000", 0]] as const) {
    await client.run("CONFIG", "SET", "background-threshold", threshold);
    for (const argv of commands) {
      const before = await background();
      const raw = await rawOf(client, argv);
      assertEquals(await background() - before, times, argv.join(" "));
      assertEquals(raw, await rawInOneHold(client, argv));
    }
  }
});
