/**
 * What V8 has compiled stays good: src/core/base/steady_code.ts.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { eventually, until } from "../_patience.ts";
import { plain, TestClient } from "../_resp_client.ts";

const ROOT = new URL("../../", import.meta.url);
/** What V8 says when compiled code can no longer rely on its buffers. */
const THROWN_AWAY = "Invalidating protector cell ArrayBufferDetaching";

/** Threads that do, and are no workers: of the background, and of the log. */
const OTHERS = { no: 1, yes: 2 };

for (const log of ["no", "yes"] as const) {
  Deno.test(`workers give no buffers away that compiled code relies on, appendonly ${log}`, () =>
    testWith(log));
}

async function testWith(log: "no" | "yes"): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "sherd_steady_" });
  try {
    const socket = `${dir}/socket`;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "-A", "--unstable-net"],
        "--v8-flags=--trace-protector-invalidation",
        ...["src/front/cli/main.ts", "--port", "0", "--unixsocket", socket],
        ...["--dir", dir, "--appendonly", log, "--workers", "2"],
        ...["--background-threads", "1"],
      ],
      cwd: ROOT,
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const output = child.output();
    using client = await eventually(() => TestClient.connect(socket));
    const run = async (...words: string[]) => plain(await client.run(...words));
    const long = "x".repeat(300_000);
    const members = Array.from({ length: 6000 }, (_, i) => `member:${i}`);
    const tags = tagsOnDistinctSlots(16);
    await until("loading", async () => await run("PING") === "PONG");
    for (const tag of tags) {
      await run("SET", `{${tag}}s`, long);
      await run("SADD", `{${tag}}set`, ...members);
    }
    const info = () => run("INFO", "persistence") as Promise<string>;
    assertEquals(await run("SAVE"), "OK");
    if (log === "yes") await run("BGREWRITEAOF");
    await until(
      "the end of the rewrite",
      async () => (await info()).includes("aof_rewrite_in_progress:0"),
    );
    // Longer than what goes through shared memory from worker to worker.
    await run("PUBLISH", "channel", long);
    const sets = tags.map((tag) => `{${tag}}set`);
    const union = await run("SUNION", ...sets);
    assertEquals((union as unknown[]).length, members.length);
    await client.sendCommands([["SHUTDOWN", "NOSAVE"]]);
    const { code, stdout } = await output;
    assertEquals(code, 0);
    const said = new TextDecoder().decode(stdout);
    assertEquals(said.split(THROWN_AWAY).length - 1, OTHERS[log], said);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
