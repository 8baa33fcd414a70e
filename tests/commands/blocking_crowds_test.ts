/**
 * Blocking commands of clients that vanish, that do not read, and of a thousand
 * at once. The numbers are those of the invariants of blocking commands.
 */
import { assert, assertEquals } from "@std/assert";
import { startServer, tagsOnDistinctSlots } from "../_harness.ts";
import { until } from "../_patience.ts";
import {
  ConnectionClosedError,
  plain,
  type TestClient,
} from "../_resp_client.ts";
import { ask } from "./_replies.ts";
import { commandSuite, type SuiteContext } from "./_suite.ts";
import { Crowd, type Waiting } from "./_waiting.ts";

/** Keys on different shards. */
const [A, B] = tagsOnDistinctSlots(2).map((tag) => `{${tag}}`) as [
  string,
  string,
];
const BIG_BYTES = 300_000;
const THOUSAND = 1000;

/** Lets a client fall behind: replies wait for it that it does not read. */
async function fillOutput(
  { client, server }: SuiteContext,
  slow: Waiting,
): Promise<void> {
  await client.run("SET", "big", "x".repeat(BIG_BYTES));
  // Beyond what the sockets take, and below what stops the requests.
  for (let i = 0; i < 200; i++) {
    await slow.client.sendCommands([["GET", "big"]]);
    let line = "";
    const look = async () => {
      line = String(await ask(client, `CLIENT LIST ID ${slow.id}`));
      return / qbuf=0 /.test(line) && / cmd=get /.test(line);
    };
    await until("the request was run", look);
    // The sockets may yet take what is under way.
    for (let tries = 0; / omem=[1-9]/.test(line); tries++) {
      if (tries === 10) return;
      await new Promise((wake) => setTimeout(wake, 10));
      await look();
    }
  }
  throw new Error(`sockets of ${server.port} take everything`);
}

async function isConnected(
  client: TestClient,
  { id }: Waiting,
): Promise<boolean> {
  return String(await ask(client, `CLIENT LIST ID ${id}`)) !== "";
}

for (const isKilled of [false, true]) {
  const how = isKilled ? "is killed" : "leaves";
  commandSuite(
    `8: one who ${how} before its reply was sent`,
    async (context) => {
      const { client, server, resp } = context;
      using crowd = new Crowd(server, client, resp);
      const cases = [
        [["BLPOP", A, 0], `RPUSH ${A} 1 2`, `LRANGE ${A} 0 -1`, ["1", "2"]],
        [["BRPOP", B, A, 0], `RPUSH ${A} 1 2`, `LRANGE ${A} 0 -1`, ["1", "2"]],
        [["BZPOPMAX", A, 0], `ZADD ${A} 1 a 2 b`, `ZRANGE ${A} 0 -1`, [
          "a",
          "b",
        ]],
      ] as const;
      for (const [argv, push, look, expected] of cases) {
        await client.run("FLUSHALL");
        const slow = await crowd.join();
        await fillOutput(context, slow);
        await crowd.send(slow, [argv]);
        await ask(client, push);
        const rest = await ask(client, look) as unknown[];
        assertEquals(rest.length, 1, "it was served");
        await until(
          "the reply waits",
          async () => !await crowd.isBlocked(slow),
        );
        if (isKilled) {
          await ask(client, `CLIENT KILL ID ${slow.id}`);
        } else slow.client.close();
        await until(
          "it is back",
          async () =>
            JSON.stringify(await ask(client, look)) ===
              JSON.stringify(expected),
        );
      }
      await crowd.expectNobody();
    },
  );
}

commandSuite("8: what comes back serves the next one", async (context) => {
  const { client, server, resp } = context;
  using crowd = new Crowd(server, client, resp);
  const slow = await crowd.join();
  await fillOutput(context, slow);
  await crowd.send(slow, [["BLPOP", A, 0]]);
  const next = await crowd.waitElsewhere(slow, "BLPOP", A, 0);
  await ask(client, `RPUSH ${A} 1`);
  await until("the reply waits", async () => !await crowd.isBlocked(slow));
  assert(await crowd.isBlocked(next));
  slow.client.close();
  assertEquals(await next.reply(), [A, "1"]);
  await crowd.expectNobody();
});

commandSuite(
  "25: one who waits is held to the limits of output",
  async (context) => {
    const { client, server, resp } = context;
    using crowd = new Crowd(server, client, resp);
    const slow = await crowd.join();
    await fillOutput(context, slow);
    await crowd.send(slow, [["BLPOP", A, 0]]);
    await ask(client, [
      ...["CONFIG", "SET", "client-output-buffer-limit", "normal 1024 0 0"],
    ]);
    await until("it is gone", async () => !await isConnected(client, slow));
    await ask(client, [
      ...["CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0"],
    ]);
    await ask(client, `RPUSH ${A} 1`);
    assertEquals(await ask(client, `LRANGE ${A} 0 -1`), ["1"]);
    await crowd.expectNobody();
  },
);

commandSuite(
  "8: one who leaves and was not read from before it waited",
  async ({ client, server, resp }) => {
    using crowd = new Crowd(server, client, resp);
    await client.run("SET", "big", "x".repeat(4 * BIG_BYTES));
    const slow = await crowd.join();
    const unread = async () => {
      const line = String(await ask(client, `CLIENT LIST ID ${slow.id}`));
      return / omem=[1-9]/.test(line)
        ? Number(/ qbuf=(\d+)/.exec(line)![1])
        : 0;
    };
    // More than the sockets and the output take, and so few that one read
    // brings them all.
    const count = 12;
    await slow.client.sendCommands(
      Array.from({ length: count }, () => ["GET", "big"]),
    );
    await until("requests wait", async () => await unread() > 0);
    const before = await unread();
    // What comes now is not run yet, and nothing is read after it.
    await slow.client.sendCommands([["BLPOP", A, 0]]);
    await until("it has come", async () => await unread() > before);
    for (let i = 0; i < count; i++) await slow.reply();
    await until("it waits", () => crowd.isBlocked(slow));
    slow.client.close();
    await until("it is gone", async () => !await isConnected(client, slow));
    await ask(client, `RPUSH ${A} 1`);
    assertEquals(await ask(client, `LRANGE ${A} 0 -1`), ["1"]);
    await crowd.expectNobody();
  },
);

Deno.test("25: SHUTDOWN ends those who wait", async () => {
  for (const how of ["SHUTDOWN", "SIGTERM"]) {
    await using server = await startServer({ workers: 2 });
    using client = await server.client();
    using crowd = new Crowd(server, client, 2);
    const waiting = [];
    // The kernel spreads connections as it likes.
    while (waiting.length < 6 || crowd.workers < 2) {
      waiting.push(await crowd.wait("BLPOP", A, B, 0));
    }
    if (how === "SHUTDOWN") await client.sendCommands([["SHUTDOWN", "NOSAVE"]]);
    else server.kill("SIGTERM");
    for (const { client } of waiting) {
      assertEquals(await client.readBytes(), null, how);
    }
    assert((await server.exited).success);
  }
});

// How late they may be is a matter of the machine; see orders_test.ts for the rest.
commandSuite("24: waits do not end early", async ({ client }) => {
  for (const seconds of [0.001, 0.02, 0.05]) {
    for (let i = 0; i < 8; i++) {
      const startMs = performance.now();
      assertEquals(await ask(client, `BLPOP ${A} ${B} ${seconds}`), null);
      const early = seconds * 1000 - (performance.now() - startMs);
      assert(early <= 0.5, `${early} ms early`);
    }
  }
});

commandSuite("27: a thousand clients wait for one key", async (context) => {
  const { client, server, workers } = context;
  const clients: TestClient[] = [];
  try {
    for (let i = 0; i < THOUSAND; i++) {
      clients.push(await server.client({ checksReplyTypes: false }));
    }
    const on = new Set<unknown>();
    for (const waiting of clients) {
      if (on.size < 2) on.add(plain(await waiting.run("DEBUG", "WORKER")));
      await waiting.sendCommands([["BLPOP", A, B, 0]]);
    }
    assertEquals(on.size > 1, workers > 1);
    const blocked = async (count: number) =>
      String(await ask(client, "INFO clients"))
        .includes(`blocked_clients:${count}\r`);
    await until("all wait", () => blocked(THOUSAND));
    const got: string[] = [];
    const replies = clients.map(async (waiting) => {
      const reply = plain(await waiting.readReply()) as string[];
      got.push(reply[1]!);
    });
    await ask(client, `RPUSH ${A} 0`);
    await until("one was served", () => blocked(THOUSAND - 1));
    await until("it has its reply", () => Promise.resolve(got.length === 1));
    // Several at once, in a transaction, and the rest one by one.
    const elements = Array.from({ length: 300 }, (_, i) => `${i + 1}`);
    await client.pipeline([
      ["MULTI"],
      ["RPUSH", A, ...elements.slice(0, 150)],
      ["RPUSH", B, ...elements.slice(150)],
      ["EXEC"],
    ]);
    await client.pipeline(
      Array.from({ length: 699 }, (_, i) => ["RPUSH", A, 301 + i]),
    );
    await Promise.all(replies);
    const all = Array.from({ length: THOUSAND }, (_, i) => i);
    assertEquals(got.map(Number).sort((a, b) => a - b), all);
    assertEquals(await ask(client, `EXISTS ${A} ${B}`), 0);
    assertEquals(await ask(client, "DEBUG WAITERS"), 0);
  } finally {
    for (const waiting of clients) waiting.close();
  }
}, { resp: [2] });

commandSuite(
  "22, 28: clients vanish while EXEC serves them",
  async (context) => {
    const { client, server } = context;
    const total = 200;
    for (let round = 0; round < 3; round++) {
      const clients: TestClient[] = [];
      try {
        for (let i = 0; i < total; i++) {
          const waiting = await server.client({ checksReplyTypes: false });
          clients.push(waiting);
          await waiting.sendCommands([["BLMPOP", 0, 2, A, B, "LEFT"]]);
        }
        const pushes = [A, B].map((key, k) => [
          ...["RPUSH", key],
          ...Array.from({ length: total }, (_, i) => k * total + i),
        ]);
        const exec = client.pipeline([["MULTI"], ...pushes, ["EXEC"]]);
        const received: number[] = [];
        await Promise.all(clients.map(async (waiting, i) => {
          if (i % 2 === 0) await (waiting.conn as Deno.TcpConn).closeWrite();
          try {
            const [, elements] = plain(await waiting.readReply()) as string[][];
            received.push(...elements!.map(Number));
          } catch (error) {
            if (!(error instanceof ConnectionClosedError)) throw error;
          }
        }));
        await exec;
        await until("nothing is lost", async () => {
          const left: number[] = [];
          for (const key of [A, B]) {
            const list = await ask(client, `LRANGE ${key} 0 -1`) as string[];
            left.push(...list.map(Number));
          }
          return new Set([...received, ...left]).size === 2 * total &&
            received.length + left.length === 2 * total;
        });
        await client.run("DEL", A, B);
      } finally {
        for (const waiting of clients) waiting.close();
      }
      await until(
        "nobody is left",
        async () => await ask(client, "DEBUG WAITERS") === 0,
      );
    }
  },
  { resp: [2] },
);
