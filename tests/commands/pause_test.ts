import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots, type TestServer } from "../_harness.ts";
import { pause, until, untilQuickEnough } from "../_patience.ts";
import { type Plain, plain, type TestClient } from "../_resp_client.ts";
import { ask } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const KEYS = tagsOnDistinctSlots(8).map((tag) => `{${tag}}k`);

/** Connections on as many workers as chance allows. */
async function connect(
  stack: DisposableStack,
  server: TestServer,
): Promise<TestClient[]> {
  const clients: TestClient[] = [];
  for (let i = 0; i < 8; i++) clients.push(stack.use(await server.client()));
  return clients;
}

/** A command that is under way, and whether its reply has come. */
function begin(client: TestClient, command: string) {
  const sent = { isAnswered: false, reply: ask(client, command) };
  sent.reply.then(() => sent.isAnswered = true);
  return sent;
}

commandSuite("in a pause, expired keys are gone but stay", async (context) => {
  const { client, server } = context;
  using stack = new DisposableStack();
  const readers = await connect(stack, server);
  await untilQuickEnough(async (factor) => {
    const px = `${50 * factor}`;
    await client.pipeline([
      ["HSET", "h", "f", "1", "g", "2"],
      ...KEYS.map((key) => ["SET", key, "1", "PX", px]),
      ["HPEXPIRE", "h", px, "FIELDS", "1", "f"],
      ["CLIENT", "PAUSE", "600000", "WRITE"],
    ]);
    const counts = await client.pipeline([["DBSIZE"], ["HLEN", "h"]]);
    if (`${counts.map(plain)}` === `${[KEYS.length + 1, 2]}`) return true;
    await ask(client, "CLIENT UNPAUSE");
    return false;
  });
  try {
    await until("the keys have expired", async () => {
      const left = await ask(client, `EXISTS ${KEYS.join(" ")}`);
      return left === 0 && await ask(client, "HGET h f") === null;
    });
    for (const reader of readers) {
      for (const key of KEYS) {
        assertEquals(await ask(reader, `GET ${key}`), null);
      }
      assertEquals(await ask(reader, `EXISTS ${KEYS.join(" ")}`), 0);
      assertEquals(await ask(reader, `TTL ${KEYS[0]}`), -2);
      assertEquals(await ask(reader, "KEYS {*"), []);
      assertEquals(await ask(reader, "SCAN 0 MATCH {* COUNT 1000"), ["0", []]);
      assertEquals(await ask(reader, "HGET h f"), null);
      assertEquals(await ask(reader, "HLEN h"), 2);
      assertEquals(await ask(reader, "DBSIZE"), KEYS.length + 1);
    }
  } finally {
    await ask(readers[3]!, "CLIENT UNPAUSE");
  }
  assertEquals(
    await ask(client, `MGET ${KEYS.join(" ")}`),
    KEYS.map(() => null),
  );
  assertEquals(await ask(client, "HGET h f"), null);
  assertEquals(await ask(client, "DBSIZE"), 1);
  assertEquals(await ask(client, "HLEN h"), 1);
});

commandSuite("RANDOMKEY ends where all keys have expired", async (context) => {
  const { client } = context;
  await untilQuickEnough(async (factor) => {
    await client.pipeline([
      ["SET", "k", "1", "PX", 20 * factor],
      ["CLIENT", "PAUSE", "600000", "WRITE"],
    ]);
    if (await ask(client, "DBSIZE") === 1) return true;
    await ask(client, "CLIENT UNPAUSE");
    return false;
  });
  try {
    await until("the key has expired", async () => {
      return await ask(client, "EXISTS k") === 0;
    });
    assertEquals(await ask(client, "RANDOMKEY"), "k");
  } finally {
    await ask(client, "CLIENT UNPAUSE");
  }
  assertEquals(await ask(client, "RANDOMKEY"), null);
});

commandSuite("a pause holds what would write", async (context) => {
  const { client, server } = context;
  using stack = new DisposableStack();
  const others = await connect(stack, server);
  await ask(client, "RPUSH full 1");
  await ask(client, "CLIENT PAUSE 600000 WRITE");
  const held = [
    begin(others[0]!, `SET ${KEYS[0]} 1`),
    begin(others[1]!, `MSET ${KEYS[1]} 1 ${KEYS[2]} 1`),
    begin(others[2]!, "PUBLISH a b"),
    begin(others[3]!, "PFCOUNT p"),
    begin(others[4]!, "BLPOP full 1"),
  ];
  await others[5]!.run("MULTI");
  held.push(begin(others[5]!, `SET ${KEYS[3]} 1`));
  try {
    assertEquals(
      (await others[6]!.pipeline([["MULTI"], ["GET", "x"], ["EXEC"]]))
        .map(plain).at(-1),
      [null],
    );
    assertEquals(await ask(others[7]!, "XREAD BLOCK 30 STREAMS s $"), null);
    for (const { isAnswered } of held) assert(!isAnswered);
  } finally {
    await ask(client, "CLIENT UNPAUSE");
  }
  const replies: Plain[] = [];
  for (const { reply } of held) replies.push(await reply);
  assertEquals(replies, ["OK", "OK", 0, 0, ["full", "1"], "QUEUED"]);
  assertEquals(plain(await others[5]!.run("EXEC")), ["OK"]);
});

commandSuite("who waits for a key waits through a pause", async (context) => {
  const { client, server } = context;
  using stack = new DisposableStack();
  const [waiting, late, pusher] = await connect(stack, server) as [
    ...[TestClient, TestClient, TestClient],
  ];
  const pop = begin(waiting, `BLPOP ${KEYS[0]} 0`);
  let timed = begin(late, "PING");
  await untilQuickEnough(async (factor) => {
    await timed.reply;
    timed = begin(late, `BLPOP ${KEYS[1]} ${0.05 * factor}`);
    await until("both wait", async () => {
      const list = String(await ask(client, "CLIENT LIST"));
      return list.match(/ flags=b /g)?.length === 2 || timed.isAnswered;
    });
    await ask(client, "CLIENT PAUSE 600000 WRITE");
    if (!timed.isAnswered) return true;
    await ask(client, "CLIENT UNPAUSE");
    return false;
  });
  const push = begin(pusher, `RPUSH ${KEYS[0]} 1`);
  try {
    assertEquals(await timed.reply, null);
    await pause(20);
    assert(!pop.isAnswered && !push.isAnswered);
  } finally {
    await ask(client, "CLIENT UNPAUSE");
  }
  assertEquals(await push.reply, 1);
  assertEquals(await pop.reply, [KEYS[0]!, "1"]);
});

commandSuite("a pause of all holds everybody", async (context) => {
  const { client, server } = context;
  using stack = new DisposableStack();
  const others = await connect(stack, server);
  const startMs = performance.now();
  await ask(client, "CLIENT PAUSE 150 ALL");
  await Promise.all(others.map((other) => ask(other, "PING")));
  assert(performance.now() - startMs >= 140);
});
