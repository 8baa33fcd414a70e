/**
 * How long latches are held: the longest hold of each of many commands, on data
 * of which there is very much. No command may hold one for more than a
 * millisecond.
 *
 * ```sh
 * deno run -A bench/holds_bench.ts --runs 5 --only "very many"
 * ```
 *
 * The server checks its rules (`SHERD_CHECKS=1`), which measures holds.
 *
 * With `--first` each command runs once, as the first that a server of its own
 * does, which has loaded the data from a snapshot: of its code has run only what the
 * server runs by itself when it begins.
 *
 * Traps: it is the worker's processor time that counts, so that a thread that
 * loses its core while it holds a latch does not matter here; for others it does.
 * The first runs are of code that is interpreted yet, and any may meet the garbage
 * collector: the least of several is what a command needs. What the server does
 * by itself at that moment (expiry, freeing) counts, too. A virtual machine gives the
 * memory of a process that has ended back to its host some two seconds later, and
 * whoever runs then stands still for 3 to 8 ms, on its own account: the first servers
 * begin after that.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { delay } from "@std/async";
import { TestClient } from "../tests/_resp_client.ts";
import { plain } from "../tests/_resp_reply.ts";
import { sendCommands } from "./_commands.ts";
import { undoAtEnd } from "./_ending.ts";
import { holdGroups } from "./_hold_cases.ts";
import type { HoldCase } from "./_hold_lines.ts";
import { sherdSpec, withServers } from "./_measure.ts";
import { parseCount } from "./_options.ts";
import { type ServerSpec, startServer } from "./_proc.ts";
import { markdown, median, print, progress } from "./_report.ts";
import { Sherd } from "./_sherd.ts";

/** Until the memory of a server that has ended is the host's again. */
const GIVEN_BACK_MS = 3000;
/** What a hold may last, in microseconds. */
const HOLD_MAX = 1000;

const USAGE = `Usage: deno run -A bench/holds_bench.ts [OPTIONS]

  --elements N    elements of each collection, and keys (1000000)
  --arguments N   arguments of commands with very many (50000)
  --bytes N       bytes of each long string (268435456)
  --runs N        runs of each command (5)
  --only TEXT     groups, and commands, with TEXT in their name (all)
  --log           with an append-only log
  --first         each command once, the first of a server
  --above N       shows only what takes longer, in microseconds (0)
  --sherd CHOICE  what is measured; see load.ts
`;

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      elements: { type: "string", default: "1000000" },
      arguments: { type: "string", default: "50000" },
      bytes: { type: "string", default: "268435456" },
      runs: { type: "string", default: "5" },
      only: { type: "string", default: "" },
      log: { type: "boolean", default: false },
      first: { type: "boolean", default: false },
      above: { type: "string", default: "0" },
      sherd: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return print(USAGE);
  using sherd = new Sherd(values.sherd);
  const groups = holdGroups({
    elements: parseCount("elements", values.elements),
    arguments: parseCount("arguments", values.arguments),
    stringBytes: parseCount("bytes", values.bytes),
  });
  const runs = parseCount("runs", values.runs);
  const above = Number(values.above);
  Deno.env.set("SHERD_CHECKS", "1");
  const rows: string[][] = [];
  await withServers({ sherd, workers: 2, only: "sherd" }, async () => {
    const dir = Deno.makeTempDirSync({ prefix: "sherd-holds-" });
    using _end = undoAtEnd(() => Deno.removeSync(dir, { recursive: true }));
    for (const [i, { name, fill, cases }] of groups.entries()) {
      const chosen = name.includes(values.only)
        ? cases
        : cases.filter((one) => one.name.includes(values.only));
      if (chosen.length === 0) continue;
      progress(name);
      // What one has logged is nothing for the next.
      const own = `${dir}/${i}`;
      Deno.mkdirSync(own);
      const spec = sherdSpec(sherd, 2);
      spec.command.push("--enable-debug-command", "yes", "--dir", own);
      if (values.log) {
        spec.command.push("--appendonly", "yes");
        // That it is written anew is another matter.
        spec.command.push("--auto-aof-rewrite-percentage", "0");
      }
      await using server = await startServer(spec);
      using client = await TestClient.connect(server.port, {
        timeoutMs: 600_000,
      });
      await sendCommands(server.port, fill());
      for (const [at, one] of chosen.entries()) {
        const holds = values.first
          ? await measureFirst(spec, client, one, `${own}/${at}`)
          : await measure(server.port, client, one, runs);
        const [least, middle] = [Math.min(...holds), median(holds)];
        if (least < above) continue;
        rows.push([
          name,
          one.name.slice(0, 70),
          `${least}`,
          `${middle}`,
          `${Math.max(...holds)}`,
          least > HOLD_MAX ? "FAIL" : "",
        ]);
        progress(rows.at(-1)!.slice(1).join("  "));
      }
    }
  });
  print(markdown(["data", "command", "us", "median", "max", ""], rows));
}

/**
 * Microseconds of the longest hold of a server that does nothing before. Its data is
 * that of another one, whose client is given; it works in `dir`.
 */
async function measureFirst(
  spec: ServerSpec,
  from: TestClient,
  one: HoldCase,
  dir: string,
): Promise<number[]> {
  await sendAndDrop(from, [...one.before, ["SAVE"]]);
  await delay(GIVEN_BACK_MS);
  Deno.mkdirSync(dir);
  Deno.renameSync(`${dir}/../dump.rdb`, `${dir}/dump.rdb`);
  await using server = await startServer({
    ...spec,
    command: [...spec.command, "--dir", dir],
  });
  using client = await TestClient.connect(server.port, {
    timeoutMs: 600_000,
  });
  // What it has loaded, and run by itself, comes before the first command.
  while (plain(await client.run("PING")) instanceof Error) await delay(1);
  // What asks for the longest hold has holds of its own.
  await client.run("DEBUG", "LATCHES");
  const holds = await measure(server.port, client, { ...one, before: [] }, 1);
  Deno.removeSync(dir, { recursive: true });
  return holds;
}

/** Microseconds of the longest hold of each run. */
async function measure(
  port: number,
  client: TestClient,
  { before, waiting = [], run }: HoldCase,
  runs: number,
): Promise<number[]> {
  const holds: number[] = [];
  for (let i = 0; i < runs; i++) {
    if (before.length > 0) await sendCommands(port, before);
    using other = await waiter(port, client, waiting);
    await client.run("DEBUG", "LATCHES");
    await sendAndDrop(client, run);
    await other?.readReply();
    holds.push(Number(plain(await client.run("DEBUG", "LATCHES"))));
  }
  return holds;
}

/** Another client that waits with a command; null for none. */
async function waiter(
  port: number,
  client: TestClient,
  waiting: readonly string[],
): Promise<TestClient | null> {
  if (waiting.length === 0) return null;
  const other = await TestClient.connect(port, { timeoutMs: 600_000 });
  await other.sendCommands([waiting]);
  let clients = "";
  while (!clients.includes("blocked_clients:1\r")) {
    clients = String(plain(await client.run("INFO", "clients")));
  }
  return other;
}

/** Sends commands and reads their replies without looking at them. */
async function sendAndDrop(
  client: TestClient,
  commands: readonly (readonly string[])[],
): Promise<void> {
  const mark = "all of them were answered";
  const sending = client.sendCommands([...commands, ["ECHO", mark]]);
  sending.catch(() => {});
  const end = `${mark}\r\n`;
  let tail = "";
  while (!tail.endsWith(end)) {
    const bytes = await client.readBytes();
    if (bytes === null) throw new Error("the server has ended");
    const last = bytes.subarray(Math.max(0, bytes.length - end.length));
    tail = (tail + String.fromCharCode(...last)).slice(-end.length);
  }
  await sending;
}

if (import.meta.main) await main(Deno.args);
