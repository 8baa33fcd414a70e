/**
 * Long commands hurt nobody: how long others wait for GET of small keys while one
 * client runs commands that take long, beside the same without them, for sherd
 * and Debian's redis-server. KT50, KT52 to KT54 and KT56 of the key locks.
 *
 * ```sh
 * deno run -A bench/background_bench.ts --elements 1000000 --only sherd
 * ```
 *
 * Each command is run again and again for a few seconds, and at least once. Its
 * time is that of one run; "of idle" is the throughput of the GETs beside it.
 *
 * Traps: the traps of big_keys_bench.ts are those of this bench too. Four threads
 * ask, answer, compute and read replies, so on two cores the throughput of the
 * GETs falls by what the others need, whoever holds what.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { TestClient } from "../tests/_resp_client.ts";
import { sendCommands } from "./_commands.ts";
import { type Latency, latencyDuring } from "./_latency.ts";
import { withServers } from "./_measure.ts";
import { parseCount } from "./_options.ts";
import { type ServerSpec, settle, sleep, startServer } from "./_proc.ts";
import { markdown, print, progress } from "./_report.ts";
import { Sherd } from "./_sherd.ts";
import { digits, fillOne } from "./_type_cases.ts";

const SMALL_KEYS = 10_000;
const CONNECTIONS = 4;
/** Time for which a command is run again. */
const RUN_MS = 3000;
/** Bytes of the strings. */
const STRING_BYTES = 64 * 1024 * 1024;

const USAGE = `Usage: deno run -A bench/background_bench.ts [OPTIONS]

  --elements N    elements of each collection (1000000)
  --keys N        keys for KEYS (1000000)
  --commands LIST names of those to be run (all)
  --workers N     workers (2)
  --only NAME     sherd or redis-server alone
  --sherd CHOICE  what is measured; see load.ts
`;

/** Long commands; those before them make the same each time. */
const COMMANDS: readonly { argv: string[]; before?: string[] }[] = [
  { argv: ["SMEMBERS", "{a}set"] },
  { argv: ["SUNION", "{a}set", "{b}set"] },
  { argv: ["SINTERCARD", "2", "{a}set", "{b}set"] },
  { argv: ["SUNIONSTORE", "{c}to", "{a}set", "{b}set"] },
  { argv: ["ZUNIONSTORE", "{d}to", "2", "{a}zset", "{b}zset"] },
  { argv: ["COPY", "{a}zset", "{b}copy", "REPLACE"] },
  {
    argv: ["RENAME", "{c}moved", "{d}moved"],
    before: ["COPY", "{a}set", "{c}moved", "REPLACE"],
  },
  { argv: ["SORT", "{a}list"] },
  { argv: ["BITCOUNT", "{a}text"] },
  { argv: ["BITOP", "XOR", "{c}text", "{a}text", "{b}text"] },
  { argv: ["DUMP", "{a}set"] },
  { argv: ["KEYS", "*"] },
  {
    argv: ["ZREMRANGEBYRANK", "{b}copy", "10", "-10"],
    before: ["COPY", "{a}zset", "{b}copy", "REPLACE"],
  },
];

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      elements: { type: "string", default: "1000000" },
      keys: { type: "string", default: "1000000" },
      commands: { type: "string" },
      workers: { type: "string", default: "2" },
      only: { type: "string" },
      sherd: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return print(USAGE);
  using sherd = new Sherd(values.sherd);
  const elements = parseCount("elements", values.elements);
  const keys = parseCount("keys", values.keys);
  const names = values.commands?.toUpperCase().split(",");
  const commands = COMMANDS.filter(({ argv }) =>
    names?.includes(argv[0]!) ?? true
  );
  const workers = parseCount("workers", values.workers);
  const { only } = values;
  const rows: string[][] = [];
  await withServers(
    { sherd, workers, only },
    async (specs) => {
      for (const spec of specs) {
        rows.push(...await measure(spec, commands, elements, keys));
      }
    },
  );
  print(markdown(
    ["command", "server", "runs", "ms", "GET p50 ms", "p99", "max", "of idle"],
    rows,
  ));
}

async function measure(
  spec: ServerSpec,
  commands: typeof COMMANDS,
  elements: number,
  keys: number,
): Promise<string[][]> {
  await using server = await startServer(spec);
  using client = await TestClient.connect(server.port, { timeoutMs: 600_000 });
  const small = Array.from({ length: SMALL_KEYS }, (_, i) => `small:${i}`);
  await sendCommands(server.port, small.map((key) => ["SET", key, "x"]));
  await sendCommands(server.port, fillings(elements, keys));
  const rows: string[][] = [];
  let idlePerSecond = 0;
  for (const { argv, before } of [{ argv: ["(idle)"] }, ...commands]) {
    await settle([server]);
    const times: number[] = [];
    let seconds = 0;
    const latency = await latencyDuring(
      server.port,
      small,
      CONNECTIONS,
      async () => {
        const startMs = performance.now();
        do {
          if (argv[0] === "(idle)") await sleep(RUN_MS);
          else {
            if (before !== undefined) await client.run(...before);
            const runMs = performance.now();
            await readReply(client, argv);
            times.push(performance.now() - runMs);
          }
        } while (performance.now() - startMs < RUN_MS);
        seconds = (performance.now() - startMs) / 1000;
      },
    );
    const perSecond = latency.count / seconds;
    if (argv[0] === "(idle)") idlePerSecond = perSecond;
    rows.push(row(argv, spec.name, times, latency, perSecond / idlePerSecond));
    progress(rows.at(-1)!.join("  "));
  }
  return rows;
}

/** Sends a command and reads its reply without looking at it. */
async function readReply(client: TestClient, argv: string[]): Promise<void> {
  await client.sendCommands([argv, ["PING"]]);
  const end = "+PONG\r\n";
  let tail = "";
  while (!tail.endsWith(end)) {
    const bytes = await client.readBytes();
    if (bytes === null) throw new Error("the server has ended");
    const last = bytes.subarray(Math.max(0, bytes.length - end.length));
    tail = (tail + String.fromCharCode(...last)).slice(-end.length);
  }
}

function* fillings(
  elements: number,
  keys: number,
): Iterable<readonly string[]> {
  const half = elements / 2;
  for (const [tag, from] of [["a", 0], ["b", half]] as const) {
    const at = (i: number) => `m:${digits(Math.floor(from) + i)}`;
    yield* fillOne(["SADD", `{${tag}}set`], elements, (i) => [at(i)]);
    yield* fillOne(["ZADD", `{${tag}}zset`], elements, (i) => [`${i}`, at(i)]);
    yield ["SETRANGE", `{${tag}}text`, String(STRING_BYTES), "x"];
  }
  yield* fillOne(
    ["RPUSH", "{a}list"],
    elements,
    (i) => [String((i * 7919) % 1_000_003)],
  );
  for (let i = 0; i < keys; i++) yield ["SET", `key:${digits(i)}`, "v"];
}

function row(
  argv: readonly string[],
  server: string,
  times: readonly number[],
  latency: Latency,
  ofIdle: number,
): string[] {
  const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length;
  return [
    argv.join(" ").slice(0, 40),
    server,
    String(times.length),
    times.length === 0 ? "" : mean.toFixed(0),
    latency.p50Ms.toFixed(2),
    latency.p99Ms.toFixed(2),
    latency.maxMs.toFixed(0),
    `${(ofIdle * 100).toFixed(0)} %`,
  ];
}

if (import.meta.main) await main(Deno.args);
