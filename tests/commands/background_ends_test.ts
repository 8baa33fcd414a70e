/**
 * How commands in the background end when something goes wrong, and what others
 * see until then: KT26, KT27, KT53 and KT55 of the key locks.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import {
  sharedServers,
  startServer,
  tagsOnDistinctSlots,
  type TestServer,
} from "../_harness.ts";
import { until } from "../_patience.ts";
import { type Argument, plain, type TestClient } from "../_resp_client.ts";
import { ask } from "./_replies.ts";

const COUNT = 500;
const [A, B, C, D] = tagsOnDistinctSlots(4).map((tag) => `{${tag}}k`) as [
  string,
  string,
  string,
  string,
];
const DIED = "-ERR background worker died";
/** Strings whose LCS keeps a thread busy for a while. */
const LONG_BYTES = 8000;

let server: TestServer;

sharedServers(async (stack) => {
  server = stack.use(
    await startServer({
      workers: 2,
      args: [
        ...["--background-threshold", "100", "--background-threads", "1"],
        ...["--background-threshold-bytes", "1000"],
      ],
    }),
  );
});

function members(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `m:${from + i}`);
}

async function statistic(client: TestClient, name: string): Promise<number> {
  const info = String(await ask(client, "INFO stats"));
  return Number(new RegExp(`${name}:(\\d+)`).exec(info)![1]);
}

/** A test that begins with four sets, on a key of each shard, and two strings. */
function suite(
  name: string,
  body: (client: TestClient, other: TestClient) => Promise<void>,
): void {
  Deno.test(name, async () => {
    using client = await server.client();
    using other = await server.client({ resp: 3 });
    await ask(client, "FLUSHALL");
    for (const [i, key] of [A, B, C, D].entries()) {
      await ask(client, ["SADD", key, ...members(i * 300, COUNT)]);
    }
    await body(client, other);
    await until("no lock is left", async () => {
      return await statistic(client, "sherd_lock_handles") === 0 &&
        await statistic(client, "sherd_locked_keys") === 0;
    });
    await ask(client, "FLUSHALL");
    await until("no memory is left", async () => {
      const info = String(await ask(client, "INFO memory"));
      return Number(/used_memory_dataset:(\d+)/.exec(info)![1]) < 1000;
    });
  });
}

suite("KT27: a command whose thread fails", async (client, other) => {
  const target = `${A}:target`;
  await ask(client, ["SADD", target, "before"]);
  const commands: Argument[][] = [
    ["SUNION", A, B],
    ["SUNIONSTORE", target, A, B],
    ["COPY", A, target, "REPLACE"],
    ["SORT", A, "ALPHA"],
    ["DUMP", A],
  ];
  for (const argv of commands) {
    await ask(client, "DEBUG COMPUTE-FAILURES 1");
    const [failed, changed] = await Promise.all([
      ask(client, argv),
      // Waits until the key is free.
      ask(other, ["SADD", A, `late:${argv[0]}`]),
    ]);
    assertEquals([failed, changed], [DIED, 1], argv.join(" "));
    assertEquals(await statistic(client, "sherd_lock_handles"), 0);
    assertEquals(await ask(client, ["SMEMBERS", target]), ["before"]);
  }
  assertEquals(
    await ask(client, "DEBUG COMPUTE-FAILURES -1"),
    "-ERR syntax error",
  );
  const log = server.stdout + server.stderr;
  assert(log.includes("The background could not end sunionstore"));
  // The thread goes on.
  const union = plain(await client.run("SUNION", A, B)) as string[];
  assertEquals(union.length, 800 + commands.length);
});

suite("KT27: a value that could not be copied", async (client, other) => {
  const padding = "p".repeat(3000);
  const large = members(0, 3000).map((member) => member + padding);
  await ask(client, ["SADD", A, ...large]);
  using reader = await server.client();
  await reader.sendCommands([["SMEMBERS", A]]);
  await until("the reply is under way", async () => {
    return await statistic(client, "sherd_lock_handles") > 0;
  });
  await ask(client, "DEBUG COMPUTE-FAILURES 1");
  // Waits for the reader, then for a copy that fails.
  assertEquals(await ask(other, ["SADD", A, "late"]), 1);
  assertEquals(
    (plain(await reader.readReply()) as string[]).length,
    COUNT + 3000,
  );
  assertEquals(await ask(client, ["SCARD", A]), COUNT + 3001);
  assertEquals(await ask(client, "DEBUG COMPUTE-FAILURES 0"), "OK");
});

suite("KT26: CLIENT KILL while a thread computes", async (client, other) => {
  const target = `${B}:target`;
  await ask(client, ["SET", C, "ab".repeat(LONG_BYTES / 2)]);
  await ask(client, ["SET", D, "bac".repeat(LONG_BYTES / 3)]);
  const killed = [];
  for (const argv of [["SUNION", A, B], ["SUNIONSTORE", target, A, B]]) {
    const before = await statistic(client, "sherd_background_commands");
    // There is one thread, and it is busy.
    await other.sendCommands([["LCS", C, D, "LEN"]]);
    const victim = await server.client();
    killed.push(victim);
    const id = Number(await ask(victim, "CLIENT ID"));
    await victim.sendCommands([argv]);
    await until("both are in the background", async () => {
      const count = await statistic(client, "sherd_background_commands");
      return count === before + 2;
    });
    assertEquals(await ask(client, `CLIENT KILL ID ${id}`), 1);
    assertEquals(await ask(client, ["SADD", A, `after:${argv[0]}`]), 1);
    assert(Number(plain(await other.readReply())) > 1000);
  }
  // What writes is finished, as it is without a client.
  await until("the union is there", async () => {
    return Number(await ask(client, ["SCARD", target])) >= 800;
  });
  for (const victim of killed) victim.close();
});

suite("KT53: SUNION of four shards", async (client) => {
  const argv = ["SUNION", A, B, C, D];
  const before = await statistic(client, "sherd_background_commands");
  const union = await ask(client, argv) as string[];
  assertEquals(
    await statistic(client, "sherd_background_commands"),
    before + 1,
  );
  const [, , inPlace] = await client.pipeline([["MULTI"], argv, ["EXEC"]]);
  const expected = (plain(inPlace!) as string[][])[0]!;
  assertEquals(union.length, 3 * 300 + COUNT);
  assertEquals(union.sort(), expected.sort());
});

suite("KT55: nobody sees a part of a STORE command", async (client, other) => {
  const target = `${C}:target`;
  const sizes = new Set<number>();
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const [size, all] = await other.pipeline([
        ["SCARD", target],
        ["SMEMBERS", target],
      ]);
      sizes.add(Number(plain(size!)));
      sizes.add([...plain(all!) as Iterable<string>].length);
    }
  })();
  for (let round = 0; round < 15; round++) {
    assertEquals(await ask(client, ["SUNIONSTORE", target, A, B]), 800);
    assertEquals(await ask(client, ["SINTERSTORE", target, A, B]), 200);
    assertEquals(await ask(client, ["SDIFFSTORE", target, A, D]), COUNT);
  }
  isOver = true;
  await watching;
  for (const size of sizes) {
    assert([0, 200, COUNT, 800].includes(size), `${size}`);
  }
});
