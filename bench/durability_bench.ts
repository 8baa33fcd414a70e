/**
 * What it costs to keep data: the log, snapshots, and the start-up that reads
 * them; sherd and Debian's redis-server in turn, on the same disk.
 *
 * ```sh
 * deno run -A bench/durability_bench.ts --only everysec,always --dir /var/tmp
 * ```
 *
 * - everysec: SET at P=16 on 50 connections: sherd without a log, with
 *   `appendfsync everysec`, and redis-server with it.
 * - always: SET at P=1 on 50 connections, `appendfsync always`.
 * - save: BGSAVE of many keys while a client writes: what a probing client's
 *   GETs take before it and during it, and what it needs of memory.
 *   With `--elements`, there is a collection of so many elements of each type
 *   besides, and a string of 64 times as many bytes; each of them is changed when
 *   the snapshot has begun.
 * - load: start-up with many keys, from one RDB file for both, and from the log
 *   that each has written itself, which holds nothing but records.
 *
 * Traps: see load.ts. Besides:
 * - Of `everysec` and `always` the CPU time is that of all threads, the log's
 *   included. The disk decides `always`: compare only what was run on the same.
 * - A memory disk syncs in no time: `--dir` says where the files go.
 * - redis-server's snapshot is made by a child. Pages that it shares with its
 *   parent are nobody's extra; what it needs is taken from INFO
 *   (`rdb_last_cow_size`), and added to what its parent has grown by.
 * - The probing client, the writer, the server and its saving thread or child
 *   share the cores. The rows without BGSAVE are the machine's own, and only
 *   waits far above them mean something.
 * - Files are read from the page cache: they were written just before. The time
 *   of a load is that from exec to the first +PONG, less that of an empty server.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { TestClient } from "../tests/_resp_client.ts";
import { plain } from "../tests/_resp_reply.ts";
import { sendCommands } from "./_commands.ts";
import { undoAtEnd } from "./_ending.ts";
import { fillKeys } from "./_fill.ts";
import { type Latency, latencyDuring } from "./_latency.ts";
import { measureRun, redisSpec, sherdSpec } from "./_measure.ts";
import { parseCount, parseCounts, parseNames } from "./_options.ts";
import {
  killAll,
  type Server,
  type ServerSpec,
  settle,
  sleep,
  startServer,
} from "./_proc.ts";
import { KEY_PREFIX, runCommand } from "./_redis_benchmark.ts";
import {
  markdown,
  median,
  print,
  progress,
  range,
  type Run,
} from "./_report.ts";
import { Sherd } from "./_sherd.ts";
import { digits, fillOne } from "./_type_cases.ts";
import { command } from "./_waiting_client.ts";

const VALUE = "v".repeat(32);
/** Keys that SET chooses from in `everysec` and `always`. */
const RANGE = 500_000;
/**
 * Rounds of `everysec` and `always` until the servers are started anew: what a
 * compiler has decided for a process makes some per cent.
 */
const ROUNDS_OF_A_PROCESS = 3;
/** A server that loads may take so long. */
const LOAD_MS_MAX = 600_000;
const LOOK_MS = 20;
/** Keys that the probing client asks for. */
const PROBED_KEYS = 10_000;

const NO_REWRITE = ["--auto-aof-rewrite-percentage", "0"];

const USAGE = `Usage: deno run -A bench/durability_bench.ts [OPTIONS]

  --only LIST     of everysec, always, save, load (all)
  --rounds N      runs of each server (5; of save and load: 3)
  --requests N    SETs of a run of everysec (1000000); of always a tenth
  --keys N        keys of save and load (5000000)
  --writes N      writes per second beside BGSAVE (20000)
  --seconds N     time for which is probed before BGSAVE (5)
  --elements N    elements of large values that are there for save (0)
  --workers LIST  sherd's workers in save and load (1,2)
  --dir PATH      where files are written (the system's temporary directory)
  --sherd CHOICE  what is measured; see load.ts
`;

interface Options {
  rounds: number | undefined;
  requests: number;
  keys: number;
  writes: number;
  seconds: number;
  elements: number;
  workers: number[];
  dir: string;
  sherd: Sherd;
}

/** A server as it is started in one column of a table. */
interface Column {
  title: string;
  spec: ServerSpec;
}

const PARTS: Record<string, (options: Options) => Promise<string>> = {
  everysec,
  always,
  save,
  load,
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      only: { type: "string" },
      rounds: { type: "string" },
      requests: { type: "string", default: "1000000" },
      keys: { type: "string", default: "5000000" },
      writes: { type: "string", default: "20000" },
      seconds: { type: "string", default: "5" },
      elements: { type: "string" },
      workers: { type: "string", default: "1,2" },
      dir: { type: "string" },
      sherd: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return print(USAGE);
  const parts = parseNames("only", values.only, Object.keys(PARTS));
  const dir = await Deno.makeTempDir({
    prefix: "sherd-bench-",
    ...(values.dir === undefined ? {} : { dir: values.dir }),
  });
  using _end = undoAtEnd(() => {
    killAll();
    Deno.removeSync(dir, { recursive: true });
  });
  using sherd = new Sherd(values.sherd);
  const options: Options = {
    rounds: optionalCount("rounds", values.rounds),
    requests: parseCount("requests", values.requests),
    keys: parseCount("keys", values.keys),
    writes: parseCount("writes", values.writes),
    seconds: parseCount("seconds", values.seconds),
    elements: optionalCount("elements", values.elements) ?? 0,
    workers: parseCounts("workers", values.workers),
    dir,
    sherd,
  };
  for (const part of parts) {
    print(`\n${part}:\n\n${await PARTS[part]!(options)}`);
  }
}

function optionalCount(name: string, text?: string): number | undefined {
  return text === undefined ? undefined : parseCount(name, text);
}

/** A server with a directory of its own, `name`, and some flags. */
function column(
  options: Options,
  title: string,
  server: "sherd" | "redis-server",
  name: string,
  workers: number,
  ...flags: string[]
): Column {
  const dir = `${options.dir}/${name}`;
  Deno.mkdirSync(dir, { recursive: true });
  const spec = server === "sherd"
    ? sherdSpec(options.sherd, workers)
    : redisSpec(options.dir);
  const command = [...spec.command, "--dir", dir, ...flags];
  return { title, spec: { ...spec, command, readyMs: LOAD_MS_MAX } };
}

async function everysec(options: Options): Promise<string> {
  const log = ["--appendonly", "yes", "--appendfsync", "everysec"];
  log.push(...NO_REWRITE);
  const redis = "redis-server, everysec";
  const columns = [
    column(options, "sherd, no log", "sherd", "none", 1),
    column(options, "sherd, everysec", "sherd", "everysec", 1, ...log),
    column(options, redis, "redis-server", "redis-everysec", 1, ...log),
  ];
  const runs = await runSets(options, columns, 16, options.requests);
  return setTable(columns, runs);
}

async function always(options: Options): Promise<string> {
  const log = ["--appendonly", "yes", "--appendfsync", "always", ...NO_REWRITE];
  const columns = [
    column(options, "sherd, always", "sherd", "always", 1, ...log),
    column(
      ...[options, "redis-server, always", "redis-server"] as const,
      ...["redis-always", 1, ...log] as const,
    ),
  ];
  const requests = Math.ceil(options.requests / 10);
  return setTable(columns, await runSets(options, columns, 1, requests));
}

/** The runs of each column, all servers being there at once. */
async function runSets(
  options: Options,
  columns: readonly Column[],
  pipeline: number,
  requests: number,
): Promise<Run[][]> {
  const rounds = options.rounds ?? 5;
  const runs: Run[][] = columns.map(() => []);
  for (let done = 0; done < rounds;) {
    const more = Math.min(ROUNDS_OF_A_PROCESS, rounds - done);
    await runRounds(columns, pipeline, requests, { done, more, rounds }, runs);
    done += more;
  }
  return runs;
}

/** Some rounds, with servers that are started for them. */
async function runRounds(
  columns: readonly Column[],
  pipeline: number,
  requests: number,
  { done, more, rounds }: { done: number; more: number; rounds: number },
  runs: readonly Run[][],
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const servers: Server[] = [];
  for (const { spec } of columns) {
    servers.push(stack.use(await startServer(spec)));
  }
  const argv = ["SET", `${KEY_PREFIX}__rand_int__`, VALUE];
  const run = (server: Server): Promise<Run> =>
    measureRun(
      () => runCommand(server.port, argv, pipeline, RANGE, requests),
      server,
      servers.find((other) => other !== server)!,
    );
  // The first one is for the compilers, and for the keys to be there.
  for (let round = -1; round < more; round++) {
    for (const [i, server] of servers.entries()) {
      const number = round < 0 ? "warm" : `${done + round + 1} of ${rounds}`;
      progress(`${columns[i]!.title}, round ${number}`);
      const result = await run(server);
      if (round >= 0) runs[i]!.push(result);
    }
  }
}

/** Each column beside the first and the last one. */
function setTable(
  columns: readonly Column[],
  runs: readonly (readonly Run[])[],
): string {
  const besides = columns.length > 2 ? [0, columns.length - 1] : [1];
  const rows = columns.map(({ title }, i) => {
    const cells = [title];
    for (
      const [figure, text] of [
        [(run: Run) => run.cpuMicrosPerOp, (n: number) => n.toFixed(2)],
        [(run: Run) => run.throughput, (n: number) => (n / 1e3).toFixed(0)],
      ] as const
    ) {
      cells.push(text(median(runs[i]!.map(figure))));
      for (const other of besides) {
        cells.push(other === i ? "" : ratios(runs[i]!, runs[other]!, figure));
      }
    }
    return cells;
  });
  const titles = besides.map((i) => `of ${columns[i]!.title}`);
  return markdown(
    ["SET", "CPU µs/op", ...titles, "k op/s", ...titles],
    rows,
  );
}

/** Ratio of the medians, and the range of those of single rounds. */
function ratios<T>(
  own: readonly T[],
  other: readonly T[],
  figure: (one: T) => number,
): string {
  const rounds = own.map((one, i) => figure(one) / figure(other[i]!));
  const ratio = median(own.map(figure)) / median(other.map(figure));
  return `${ratio.toFixed(2)} (${range(rounds)})`;
}

/** What is seen of one snapshot. */
interface Saving {
  before: Latency;
  during: Latency;
  saveMs: number;
  /** Memory before it, and the most beyond that. */
  residentBytes: number;
  extraBytes: number;
}

async function save(options: Options): Promise<string> {
  const columns = [
    ...options.workers.map((workers) =>
      column(
        options,
        `sherd, ${workers} w`,
        "sherd",
        `save-${workers}`,
        workers,
      )
    ),
    column(options, "redis-server", "redis-server", "save-redis", 1),
  ];
  const savings: Saving[][] = [];
  for (const { title, spec } of columns) {
    progress(`${title}: ${options.keys} keys`);
    await using server = await startServer(spec);
    await fillKeys(server.port, {
      ...{ prefix: KEY_PREFIX, count: options.keys, value: "bytes" },
    });
    await sendCommands(server.port, bigValues(options.elements));
    await settle([server]);
    const own: Saving[] = [];
    // The first one is for the compilers.
    for (let round = -1; round < (options.rounds ?? 3); round++) {
      const saving = await measureSave(server, options);
      progress(`${title}: ${saving.saveMs.toFixed(0)} ms`);
      if (round >= 0) own.push(saving);
    }
    savings.push(own);
  }
  return saveTable(columns, savings);
}

function saveTable(
  columns: readonly Column[],
  savings: readonly (readonly Saving[])[],
): string {
  const rows = columns.map(({ title }, i) => {
    const own = savings[i]!;
    const ms = (figure: (one: Saving) => number) =>
      median(own.map(figure)).toFixed(2);
    const most = (figure: (one: Saving) => number) =>
      Math.max(...own.map(figure)).toFixed(1);
    const share = median(own.map((one) => one.extraBytes / one.residentBytes));
    return [
      title,
      ...[ms((one) => one.before.p50Ms), ms((one) => one.before.p99Ms)],
      most((one) => one.before.maxMs),
      ...[ms((one) => one.during.p50Ms), ms((one) => one.during.p99Ms)],
      most((one) => one.during.maxMs),
      ms((one) => one.saveMs / 1e3),
      median(own.map((one) => one.residentBytes / 1e6)).toFixed(0),
      median(own.map((one) => one.extraBytes / 1e6)).toFixed(0),
      `${(share * 100).toFixed(1)} %`,
    ];
  });
  return markdown([
    ...["BGSAVE", "before: p50 ms", "p99 ms", "max ms"],
    ...["during: p50 ms", "p99 ms", "max ms", "s"],
    ...["resident MB", "extra MB", "extra"],
  ], rows);
}

/** One snapshot under a write load. */
async function measureSave(
  server: Server,
  { keys, writes, seconds, elements }: Options,
): Promise<Saving> {
  using client = await TestClient.connect(server.port, { timeoutMs: 600_000 });
  await using _writer = await Writer.start(server.port, keys, writes);
  const probed = Array.from(
    { length: Math.min(keys, PROBED_KEYS) },
    (_, i) =>
      KEY_PREFIX + String(i * Math.ceil(keys / PROBED_KEYS) % keys)
        .padStart(12, "0"),
  );
  const before = await latencyDuring(
    ...[server.port, probed, 1, () => sleep(seconds * 1e3)] as const,
  );
  const residentBytes = server.residentBytes();
  let mostBytes = residentBytes;
  let saveMs = 0;
  const during = await latencyDuring(server.port, probed, 1, async () => {
    const startMs = performance.now();
    await client.run("BGSAVE");
    if (elements > 0) {
      for (const change of bigChanges()) await client.run(...change);
    }
    while (await field(client, "rdb_bgsave_in_progress") !== "0") {
      mostBytes = Math.max(mostBytes, server.residentBytes());
      await sleep(LOOK_MS);
    }
    saveMs = performance.now() - startMs;
  });
  if (await field(client, "rdb_last_bgsave_status") !== "ok") {
    throw new Error("BGSAVE has failed");
  }
  // What a child has copied; sherd has none.
  const copiedBytes = server.name === "sherd"
    ? 0
    : Number(await field(client, "rdb_last_cow_size"));
  const extraBytes = mostBytes - residentBytes + copiedBytes;
  return { before, during, saveMs, residentBytes, extraBytes };
}

async function field(client: TestClient, name: string): Promise<string> {
  const text = String(plain(await client.run("INFO", "persistence")));
  return new RegExp(`^${name}:(\\S+)`, "m").exec(text)?.[1] ?? "";
}

function* bigValues(elements: number): Iterable<readonly string[]> {
  if (elements === 0) return;
  const name = (i: number) => `m:${digits(i)}`;
  yield* fillOne(["HSET", "big:hash"], elements, (i) => [name(i), `v:${i}`]);
  yield* fillOne(["SADD", "big:set"], elements, (i) => [name(i)]);
  yield* fillOne(["ZADD", "big:zset"], elements, (i) => [`${i}`, name(i)]);
  yield* fillOne(["RPUSH", "big:list"], elements, (i) => [name(i)]);
  for (let i = 0; i < elements; i++) {
    yield ["XADD", "big:stream", "*", "field", name(i)];
  }
  yield ["SETRANGE", "big:string", String(elements * 64), "x"];
}

function bigChanges(): string[][] {
  return [
    ["HSET", "big:hash", "changed", "1"],
    ["SADD", "big:set", `changed:${performance.now()}`],
    ["ZADD", "big:zset", `${performance.now()}`, "changed"],
    ["RPUSH", "big:list", "changed"],
    ["XADD", "big:stream", "*", "field", "changed"],
    ["SETRANGE", "big:string", "0", "changed"],
  ];
}

/** Writes to random keys, so many times a second, until it is disposed of. */
class Writer implements AsyncDisposable {
  readonly #conn: Deno.Conn;
  readonly #running: Promise<unknown>;
  #isOver = false;

  private constructor(conn: Deno.Conn, keys: number, perSecond: number) {
    this.#conn = conn;
    this.#running = Promise.all([this.#write(keys, perSecond), this.#read()]);
  }

  static async start(
    port: number,
    keys: number,
    perSecond: number,
  ): Promise<Writer> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    return new Writer(conn, keys, perSecond);
  }

  async #write(keys: number, perSecond: number): Promise<void> {
    const startMs = performance.now();
    for (let sent = 0; !this.#isOver;) {
      const due = (performance.now() - startMs) / 1e3 * perSecond;
      const parts: Uint8Array<ArrayBuffer>[] = [];
      // What could not be sent in time is not made up for.
      if (due - sent > perSecond / 10) sent = Math.floor(due - 64);
      for (; sent < due; sent++) {
        const key = String(Math.floor(Math.random() * keys)).padStart(12, "0");
        parts.push(command("SET", KEY_PREFIX + key, VALUE));
      }
      for (const part of parts) await this.#conn.write(part);
      await sleep(1);
    }
    await (this.#conn as Deno.TcpConn).closeWrite();
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    while (await this.#conn.read(buffer) !== null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#running;
    this.#conn.close();
  }
}

async function load(options: Options): Promise<string> {
  const { workers, keys } = options;
  const noLog = ["--appendonly", "no"];
  const records = ["--appendonly", "yes", "--aof-use-rdb-preamble", "no"];
  records.push(...NO_REWRITE);
  const rows: string[][] = [];
  for (const [source, flags] of [["RDB", noLog], ["log", records]] as const) {
    const name = (server: string) =>
      source === "RDB" ? "load" : `load-${server}`;
    const columns = [
      column(
        ...[options, "redis-server", "redis-server"] as const,
        ...[name("redis"), 1, ...flags] as const,
      ),
      ...workers.map((count) =>
        column(
          ...[options, `sherd, ${count} w`, "sherd"] as const,
          ...[name("sherd"), count, ...flags] as const,
        )
      ),
    ];
    await makeFiles(columns, source, keys);
    const times = await loadTimes(options, columns);
    for (const [i, { title }] of columns.entries()) {
      const perSecond = times[i]!.map((ms) => keys / ms * 1e3);
      const redis = times[0]!.map((ms) => keys / ms * 1e3);
      rows.push([
        ...[source, title, (median(times[i]!) / 1e3).toFixed(2)],
        (median(perSecond) / 1e3).toFixed(0),
        i === 0 ? "" : ratios(perSecond, redis, (n) => n),
      ]);
    }
  }
  return markdown(["from", "server", "s", "k keys/s", "ratio (range)"], rows);
}

/** One file for all, or a log for redis-server and one for sherd. */
async function makeFiles(
  columns: readonly Column[],
  source: "RDB" | "log",
  keys: number,
): Promise<void> {
  for (
    const { spec } of source === "RDB" ? columns.slice(0, 1) : [
      columns[0]!,
      columns[1]!,
    ]
  ) {
    progress(`${spec.name} writes its ${source}`);
    await using server = await startServer(spec);
    await fillKeys(server.port, {
      ...{ prefix: KEY_PREFIX, count: keys, value: "bytes" },
    });
    if (source !== "RDB") continue;
    using client = await TestClient.connect(server.port, {
      timeoutMs: LOAD_MS_MAX,
    });
    await client.run("SAVE");
  }
}

/** Milliseconds of each load, by column. */
async function loadTimes(
  options: Options,
  columns: readonly Column[],
): Promise<number[][]> {
  const times: number[][] = columns.map(() => []);
  const emptyMs: number[] = [];
  for (const [i, { spec }] of columns.entries()) {
    // The last --dir counts.
    const empty = { ...spec, command: [...spec.command, "--dir"] };
    const dir = `${options.dir}/empty-${i}`;
    Deno.mkdirSync(dir, { recursive: true });
    empty.command.push(dir, "--appendonly", "no");
    await using server = await startServer(empty);
    emptyMs.push(server.startupMs);
  }
  for (let round = 0; round < (options.rounds ?? 3); round++) {
    for (const [i, { title, spec }] of columns.entries()) {
      await using server = await startServer(spec);
      times[i]!.push(Math.max(1, server.startupMs - emptyMs[i]!));
      progress(`${title}: ${server.startupMs.toFixed(0)} ms`);
      using client = await TestClient.connect(server.port);
      const count = plain(await client.run("DBSIZE"));
      if (count !== options.keys) throw new Error(`it has ${count} keys`);
    }
  }
  return times;
}

if (import.meta.main) await main();
