/**
 * Keyspace notifications: the setting, and the events that no comparison with
 * the reference covers: those of fields that expire, of the owners' cycles, of
 * several connections. tests/differential compares those of all commands.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { splitWords, startServer, type TestServer } from "../_harness.ts";
import { plain, type TestClient } from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const SETTING = "notify-keyspace-events";
const END = "__keyspace@0__:end";

/** Classes while `body` runs. */
async function withClasses(
  client: TestClient,
  classes: string,
  body: () => Promise<void>,
): Promise<void> {
  await client.run("CONFIG", "SET", SETTING, classes);
  try {
    await body();
  } finally {
    await client.run("CONFIG", "SET", SETTING, "");
  }
}

/** A connection that listens to all events. */
async function listenerOf(server: TestServer): Promise<TestClient> {
  const listener = await server.client({ resp: 2 });
  await listener.run("PSUBSCRIBE", "__key*__:*");
  return listener;
}

/** One event as `channel message`, the channel without its underscores. */
async function hear(listener: TestClient): Promise<string> {
  const [, , channel, message] = plain(await listener.readReply()) as string[];
  return `${channel!.replace(/^__key|__/g, "")} ${message}`;
}

/** The events until now, of what `client` has done. */
async function eventsOf(
  client: TestClient,
  listener: TestClient,
): Promise<string[]> {
  await client.run("PUBLISH", END, "");
  const events: string[] = [];
  for (;;) {
    const event = await hear(listener);
    if (event === "space@0:end ") return events;
    events.push(event);
  }
}

commandSuite("CONFIG SET takes classes of events", async ({ client }) => {
  const rows: [string, string][] = [
    ["KEA", "AKE"],
    ["Kg$lshzxetdE", "AKE"],
    ["EKxe", "xeKE"],
    ["AmnKE", "AKEmn"],
    ["Ag", "A"],
    ["nK", "Kn"],
    ["", ""],
  ];
  for (const [given, shown] of rows) {
    await client.run("CONFIG", "SET", SETTING, given);
    const reply = plain(await client.run("CONFIG", "GET", SETTING));
    assertEquals(Array.isArray(reply) ? reply[1] : reply, shown, given);
  }
  await expectReplies(client, [[
    ["CONFIG", "SET", SETTING, "Kq"],
    "-ERR CONFIG SET failed (possibly related to argument " +
    `'${SETTING}') - Invalid event class character. ` +
    "Use 'Ag$lshzxeKEtmdn'.",
  ]]);
}, { resp: [2] });

commandSuite("only the classes asked for are published", async (
  { client, server },
) => {
  using listener = await listenerOf(server);
  const rows: [classes: string, events: string[]][] = [
    ["", []],
    ["A", []],
    ["K", []],
    ["K$", ["space@0:s set"]],
    ["E$", ["event@0:set s"]],
    ["Kl", ["space@0:l lpush"]],
    ["Kg", ["space@0:s del"]],
    ["Kx", []],
    ["Kn", ["space@0:s new", "space@0:l new"]],
    ["Km", ["space@0:none keymiss"]],
    ["KEg", ["space@0:s del", "event@0:del s"]],
  ];
  for (const [classes, events] of rows) {
    await withClasses(client, classes, async () => {
      for (const line of ["SET s 1", "LPUSH l 1", "DEL s", "GET none"]) {
        await ask(client, line);
      }
      assertEquals(await eventsOf(client, listener), events, classes);
    });
    await client.run("FLUSHALL");
  }
});

/** What is done, and the events of keys that come of it. */
const FIELD_EVENTS: [commands: string, events: string[]][] = [
  ["HSET h f v; HEXPIRE h 100 FIELDS 1 f", ["hset", "hexpire"]],
  ["HSET h f v g w; HPEXPIRE h 0 FIELDS 1 f", ["hset", "hdel"]],
  ["HSET h f v; HEXPIREAT h 1 FIELDS 1 f", ["hset", "hdel", "del"]],
  ["HSET h f v; HEXPIRE h 100 XX FIELDS 1 f", ["hset"]],
  ["HSET h f v; HEXPIRE h 100 FIELDS 1 none", ["hset"]],
  ["HSETEX h EX 100 FIELDS 1 f v; HPERSIST h FIELDS 1 f", [
    ...["hset", "hexpire", "hpersist"],
  ]],
  ["HSET h f v; HPERSIST h FIELDS 1 f", ["hset"]],
  ["HSETEX h FIELDS 1 f v", ["hset"]],
  ["HSETEX h EX 100 FIELDS 1 f v", ["hset", "hexpire"]],
  ["HSETEX h FXX FIELDS 1 f v", []],
  ["HSETEX h EXAT 1 FIELDS 1 f v", []],
  ["HSET h f v; HSETEX h EXAT 1 FIELDS 1 f w", ["hset", "hdel", "del"]],
  ["HSET h f v g w; HGETDEL h FIELDS 1 f", ["hset", "hdel"]],
  ["HSET h f v; HGETDEL h FIELDS 2 f g", ["hset", "hdel", "del"]],
  ["HSET h f v; HGETEX h EX 100 FIELDS 1 f", ["hset", "hexpire"]],
  ["HSET h f v; HGETEX h EXAT 1 FIELDS 1 f", ["hset", "hdel", "del"]],
  ["HSETEX h EX 100 FIELDS 1 f v; HGETEX h PERSIST FIELDS 1 f", [
    ...["hset", "hexpire", "hpersist"],
  ]],
  ["HSET h f v; HGETEX h FIELDS 1 f", ["hset"]],
];

commandSuite("events of fields that expire", async ({ client, server }) => {
  using listener = await listenerOf(server);
  await withClasses(client, "KA", async () => {
    for (const [commands, names] of FIELD_EVENTS) {
      await client.run("FLUSHALL");
      for (const line of commands.split("; ")) {
        await client.run(...splitWords(line));
      }
      const events = names.map((name) => `space@0:h ${name}`);
      assertEquals(await eventsOf(client, listener), events, commands);
    }
  });
});

commandSuite("events of groups that are read", async ({ client, server }) => {
  using listener = await listenerOf(server);
  await withClasses(client, "KA", async () => {
    for (
      const line of [
        "XGROUP CREATE s g 0 MKSTREAM",
        "XREADGROUP GROUP g c STREAMS s >",
        "XADD s 1-1 f v",
        "XREADGROUP GROUP g d STREAMS s >",
        "XCLAIM s g e 0 1-1",
        "XAUTOCLAIM s g f 0 0",
        "XACK s g 1-1",
        "XGROUP DELCONSUMER s g f",
      ]
    ) await client.run(...splitWords(line));
    assertEquals(
      await eventsOf(client, listener),
      [
        ...["xgroup-create", "xgroup-createconsumer", "xadd"],
        ...["xgroup-createconsumer", "xgroup-createconsumer"],
        ...["xgroup-createconsumer", "xgroup-delconsumer"],
      ].map((name) => `space@0:s ${name}`),
    );
  });
});

commandSuite("what expires by itself is told", async ({ client, server }) => {
  using listener = await listenerOf(server);
  await withClasses(client, "KExhg", async () => {
    await client.run("SET", "k", "v", "PX", "1");
    const heard: string[] = [];
    while (heard.length < 4) heard.push(await hear(listener));
    // What a cycle does on another worker may be told first.
    assertEquals(heard.sort(), [
      ...["event@0:expire k", "event@0:expired k"],
      ...["space@0:k expire", "space@0:k expired"],
    ]);
    await client.pipeline([
      splitWords("HSET h f v"),
      splitWords("HPEXPIRE h 1 FIELDS 1 f"),
    ]);
    const hash: string[] = [];
    while (hash.length < 8) hash.push(await hear(listener));
    for (const names of [["hset", "hexpire"], ["hexpired", "del"]]) {
      const events = names.flatMap((name) => [
        `space@0:h ${name}`,
        `event@0:${name} h`,
      ]);
      assertEquals(hash.filter((event) => events.includes(event)), events);
    }
  });
});

commandSuite("what is evicted is told", async ({ client, server }) => {
  using listener = await listenerOf(server);
  await client.run("SET", "k", "v");
  await withClasses(client, "Ke", async () => {
    await client.run("CONFIG", "SET", "maxmemory-policy", "allkeys-random");
    await client.run("CONFIG", "SET", "maxmemory", "1");
    try {
      assertEquals(await hear(listener), "space@0:k evicted");
    } finally {
      await client.run("CONFIG", "SET", "maxmemory", "0");
      await client.run("CONFIG", "SET", "maxmemory-policy", "noeviction");
    }
  });
});

commandSuite("a transaction tells when it is complete", async (
  { client, server },
) => {
  using listener = await listenerOf(server);
  await withClasses(client, "KA", async () => {
    for (
      const line of [
        ...["MULTI", "SET a 1", "RPUSH b 1 2", "RPOP b 2", "RENAME a c"],
        ...["CONFIG SET notify-keyspace-events KA", "SELECT 1", "SET d 1"],
        ...["EXEC", "SELECT 0"],
      ]
    ) await client.run(...line.split(" "));
    assertEquals(await eventsOf(client, listener), [
      "space@0:a set",
      "space@0:b rpush",
      "space@0:b rpop",
      "space@0:b del",
      "space@0:a rename_from",
      "space@0:c rename_to",
      "space@1:d set",
    ]);
  });
});

commandSuite("events of one's own come behind the reply", async (
  { client, server },
) => {
  await withClasses(client, "KEA", async () => {
    using own = await server.client({ resp: 3 });
    await own.sendCommands([["PSUBSCRIBE", "__key*__:*"]]);
    await own.readReply();
    await own.sendCommands([["SET", "a", "1"], ["MGET", "a", "b"]]);
    const pattern = "__key*__:*";
    const heard: unknown[] = [];
    for (let i = 0; i < 4; i++) heard.push(plain(await own.readReply()));
    assertEquals(heard, [
      "OK",
      ["pmessage", pattern, "__keyspace@0__:a", "set"],
      ["pmessage", pattern, "__keyevent@0__:set", "a"],
      ["1", null],
    ]);
  });
});

commandSuite("every worker tells of its connections", async (
  { client, server },
) => {
  using listener = await listenerOf(server);
  await withClasses(client, "E$", async () => {
    const clients: TestClient[] = [];
    for (let i = 0; i < 16; i++) clients.push(await server.client({ resp: 2 }));
    try {
      await Promise.all(
        clients.map((other, i) => other.run("SET", `k${i}`, "1")),
      );
      const heard = new Set<string>();
      while (heard.size < clients.length) heard.add(await hear(listener));
      assertEquals(
        [...heard].sort(),
        clients.map((_, i) => `event@0:set k${i}`).sort(),
      );
    } finally {
      for (const other of clients) other.close();
    }
  });
});

commandSuite("whole databases go without events", async (
  { client, server },
) => {
  using listener = await listenerOf(server);
  await client.run("SET", "k", "v");
  await withClasses(client, "KEA", async () => {
    await client.run("SWAPDB", "0", "1");
    await client.run("FLUSHALL");
    assertEquals(await eventsOf(client, listener), []);
  });
});

Deno.test("the flag turns events on from the start", async () => {
  await using server = await startServer({
    workers: 2,
    args: [`--${SETTING}`, "KEA"],
  });
  using client = await server.client({ resp: 2 });
  using listener = await listenerOf(server);
  const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
  for (const key of keys) await client.run("LPUSH", key, "1");
  assertEquals(
    await eventsOf(client, listener),
    keys.flatMap((key) => [`space@0:${key} lpush`, `event@0:lpush ${key}`]),
  );
});
