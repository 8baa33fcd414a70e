import { assert, assertEquals } from "@std/assert";
import { sharedServers, startServer, type TestServer } from "../_harness.ts";
import { until } from "../_patience.ts";
import { plain } from "../_resp_client.ts";

let server: TestServer;
sharedServers(async (stack) => {
  server = stack.use(await startServer({ workers: 2 }));
});

const ignore = (() => {
  try {
    return !new Deno.Command("redis-cli", { args: ["--version"] })
      .outputSync().success;
  } catch {
    return true;
  }
})();

/** Ends what would else wait for ever. */
const LIMIT_SECONDS = "300";

function spawn(...args: string[]): Deno.ChildProcess {
  return new Deno.Command("timeout", {
    args: [
      ...[LIMIT_SECONDS, "redis-cli", "-p", `${server.port}`, "--no-raw"],
      ...args,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
}

/** What a session of redis-cli prints, given lines to type. */
async function session(
  args: readonly string[],
  lines: readonly string[] = [],
): Promise<string> {
  const child = spawn(...args);
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(lines.join("\n")));
  await writer.close();
  return new TextDecoder().decode((await child.output()).stdout);
}

async function untilBlocked(count: number): Promise<void> {
  using client = await server.client();
  await until(`${count} clients wait`, async () => {
    const info = String(plain(await client.run("INFO", "clients")));
    return info.includes(`blocked_clients:${count}\r`);
  });
}

for (const protocol of ["-2", "-3"]) {
  Deno.test({
    name: `redis-cli ${protocol}: blocking commands in one session`,
    ignore,
    fn: async () => {
      const lines = [
        "FLUSHALL",
        "BLPOP q 0.01",
        "RPUSH q a b c",
        "BLPOP none q 0",
        "BLMPOP 0 2 none q RIGHT COUNT 5",
        "ZADD z 1.5 m",
        "BZPOPMIN z 0",
        "XADD s 1-1 f v",
        "XREAD BLOCK 0 STREAMS s 0",
        "MULTI",
        "BLPOP q 0",
        "EXEC",
      ];
      assertEquals(
        await session([protocol], lines),
        [
          "OK",
          "(nil)",
          "(integer) 3",
          '1) "q"',
          '2) "a"',
          '1) "q"',
          '2) 1) "c"',
          '   2) "b"',
          "(integer) 1",
          '1) "z"',
          '2) "m"',
          protocol === "-3" ? "3) (double) 1.5" : '3) "1.5"',
          '"1-1"',
          ...(protocol === "-3"
            ? [
              '1# "s" => ',
              '   1) 1) "1-1"',
              '      2) 1) "f"',
              '         2) "v"',
            ]
            : [
              '1) 1) "s"',
              '   2) 1) 1) "1-1"',
              '         2) 1) "f"',
              '            2) "v"',
            ]),
          "OK",
          "QUEUED",
          "1) (nil)",
          "",
        ].join("\n"),
      );
    },
  });
}

Deno.test({
  name: "redis-cli: one waits, another pushes",
  ignore,
  fn: async () => {
    // One after the other, as they are served in the order of their coming.
    const waiting: Promise<string>[] = [];
    for (const key of ["a", "b", "c"]) {
      waiting.push(session(["BLPOP", key, "common", "0"]));
      await untilBlocked(waiting.length);
    }
    await session(["RPUSH", "common", "x"]);
    await session(["RPUSH", "b", "y"]);
    await session(["RPUSH", "common", "z"]);
    await session(["RPUSH", "c", "w"]);
    const replies = (await Promise.all(waiting)).sort();
    const elements = replies.map((reply) => reply.match(/2\) "(.)"/)![1]);
    assertEquals(elements.sort().join(""), "xyz");
    await session(["DEL", "a", "b", "c", "common"]);
  },
});

Deno.test({
  name: "redis-cli: one who is killed while it waits takes nothing",
  ignore,
  fn: async () => {
    const child = new Deno.Command("redis-cli", {
      args: ["-p", `${server.port}`, "BLPOP", "killed", "0"],
      stdin: "null",
      stdout: "null",
    }).spawn();
    await untilBlocked(1);
    child.kill("SIGKILL");
    await child.status;
    await untilBlocked(0);
    await session(["RPUSH", "killed", "x"]);
    assertEquals(await session(["LPOP", "killed"]), '"x"\n');
  },
});

Deno.test({
  name: "redis-cli: subscribers get messages",
  ignore,
  fn: async () => {
    const child = spawn("PSUBSCRIBE", "news.*");
    await until("somebody listens", async () => {
      return await session(["PUBLISH", "news.a", "hello"]) === "(integer) 1\n";
    });
    await session(["CLIENT", "KILL", "TYPE", "pubsub"]);
    await child.stdin.close();
    const { stdout } = await child.output();
    const text = new TextDecoder().decode(stdout);
    assert(
      text.includes(
        '1) "pmessage"\n2) "news.*"\n3) "news.a"\n4) "hello"\n',
      ),
      text,
    );
  },
});
